//! What must not change a fit, or must change it in a known way.

use proptest::prelude::*;

use super::pairs;
use crate::domain::fit::linear::prediction::{Predictor, invert};
use crate::domain::fit::linear::{affine, multilinear, offset, polynomial};
use crate::domain::fit::method::{CovarianceKind, Direction, Options};
use crate::domain::fit::{Column, Fit, FitError, Pairs};

fn cubic(pairs: &Pairs) -> Fit {
    polynomial::fit(pairs, 3, &Options::default()).unwrap()
}

/// Sensor values that carry a cubic, and reference values.
fn data() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
    proptest::collection::vec((-0.4..0.4f64, -100.0..100.0f64), 6..25).prop_map(|rows| {
        let x = rows.iter().enumerate().map(|(at, row)| at as f64 + row.0).collect();
        (x, rows.iter().map(|row| row.1).collect())
    })
}

/// Relative to the parameter or its standard error.
fn same(found: &Fit, right: &[f64], errors: &[f64]) -> Result<(), TestCaseError> {
    for ((found, right), error) in found.parameters.iter().zip(right).zip(errors) {
        prop_assert!((found - right).abs() <= 1e-11 * right.abs().max(*error), "{found} instead of {right}");
    }
    for (found, right) in found.standard_errors().unwrap().iter().zip(errors) {
        prop_assert!((found - right).abs() <= 1e-11 * right, "{found} instead of {right}");
    }
    Ok(())
}

proptest! {
    #[test]
    fn the_order_of_pairs_means_nothing((x, y) in data(), seed in any::<u64>()) {
        let all = pairs(&x, &y);
        let mut draws = crate::domain::resample::Seeded::new(seed);
        let mut places: Vec<usize> = (0..x.len()).collect();
        (1..x.len()).for_each(|at| places.swap(at, draws.below(at + 1)));
        let fit = cubic(&all);
        same(&cubic(&all.select(&places).unwrap()), &fit.parameters, &fit.standard_errors().unwrap())?;
    }

    #[test]
    fn units_scale_the_parameters((x, y) in data(), sx in 1e-6..1e6f64, sy in 1e-6..1e6f64) {
        let fit = cubic(&pairs(&x, &y));
        let times = |values: &[f64], s: f64| values.iter().map(|v| v * s).collect::<Vec<_>>();
        let scaled = cubic(&pairs(&times(&x, sx), &times(&y, sy)));
        let factors: Vec<f64> = (0..4).map(|power| sy / sx.powi(power)).collect();
        let of = |values: Vec<f64>| values.iter().zip(&factors).map(|(v, f)| v * f).collect::<Vec<_>>();
        same(&scaled, &of(fit.parameters.clone()), &of(fit.standard_errors().unwrap()))?;
        prop_assert!((scaled.residual_std.unwrap() / fit.residual_std.unwrap() / sy - 1.0).abs() < 1e-11);
    }

    #[test]
    fn weights_are_replication((x, y) in data(), counts in proptest::collection::vec(1usize..5, 25)) {
        let all = pairs(&x, &y);
        let weights = counts[..x.len()].iter().map(|count| *count as f64).collect();
        let places: Vec<usize> = (0..x.len()).flat_map(|at| std::iter::repeat_n(at, counts[at])).collect();
        let weighted = cubic(&all.clone().with_weights(Column::new("w", weights)).unwrap());
        let repeated = cubic(&all.select(&places).unwrap());
        // the same but for the degrees of freedom
        let freedom = weighted.degrees_of_freedom.unwrap() / repeated.degrees_of_freedom.unwrap();
        let errors: Vec<f64> = weighted.standard_errors().unwrap().iter().map(|e| e * freedom.sqrt()).collect();
        same(&repeated, &weighted.parameters, &errors)?;
        prop_assert!((weighted.rss.unwrap() / repeated.rss.unwrap() - 1.0).abs() < 1e-11);
    }

    #[test]
    fn a_shift_of_x_leaves_the_curve((x, y) in data(), by in -64i32..64) {
        // in eighths, so that the shifted values are exact
        let x: Vec<f64> = x.iter().map(|x| (x * 1024.0).round() / 1024.0).collect();
        let shifted: Vec<f64> = x.iter().map(|x| x + f64::from(by)).collect();
        let (here, there) = (pairs(&x, &y), pairs(&shifted, &y));
        let (fit, moved) = (cubic(&here), cubic(&there));
        prop_assert!((moved.rss.unwrap() / fit.rss.unwrap() - 1.0).abs() < 1e-12);
        let highest = (fit.parameters[3], fit.standard_errors().unwrap()[3]);
        prop_assert!((moved.parameters[3] - highest.0).abs() <= 1e-12 * highest.0.abs().max(highest.1));
        let values = fit.curve(&here).unwrap().values(&here);
        for (here, there) in values.iter().zip(moved.curve(&there).unwrap().values(&there)) {
            prop_assert!((here - there).abs() < 1e-11);
        }
    }

    #[test]
    fn what_is_a_polynomial_is_found_exactly(c in proptest::array::uniform4(-1000i32..1000), many in any::<bool>()) {
        prop_assume!(c[3] != 0);
        let c = c.map(f64::from);
        let x: Vec<f64> = (0..if many { 3000 } else { 9 }).map(|at| f64::from(at % 100)).collect();
        let y: Vec<f64> = x.iter().map(|x| c[0] + x * (c[1] + x * (c[2] + x * c[3]))).collect();
        let fit = cubic(&pairs(&x, &y));
        let largest = y.iter().fold(1.0, |most: f64, y| most.max(y.abs()));
        for (power, (found, right)) in fit.parameters.iter().zip(c).enumerate() {
            let unit = if many { 1e-13 * largest / 100f64.powi(power as i32) * 10.0 } else { 1e-15 * right.abs() + 1e-20 * largest };
            prop_assert!((found - right).abs() <= unit, "{found} instead of {right}");
        }
        prop_assert!(fit.residual_std.unwrap() <= 1e-15 * largest);
        prop_assert!(fit.r_squared.unwrap() > 1.0 - 1e-15);
    }

    #[test]
    fn a_line_is_a_plane_of_one_column_and_a_polynomial((x, y) in data()) {
        let all = pairs(&x, &y);
        let line = affine::fit(&all, &Options::default()).unwrap();
        let errors = line.standard_errors().unwrap();
        same(&multilinear::fit(&all, &Options::default()).unwrap(), &line.parameters, &errors)?;
        same(&polynomial::fit(&all, 1, &Options::default()).unwrap(), &line.parameters, &errors)?;
        let rounding = 1e-12 * line.rss.unwrap();
        prop_assert!(line.rss.unwrap() <= offset::fit(&all, &Options::default()).unwrap().rss.unwrap() + rounding);
        prop_assert!(cubic(&all).rss.unwrap() <= line.rss.unwrap() + rounding);
    }

    #[test]
    fn no_numbers_make_it_panic_or_say_nan(
        rows in proptest::collection::vec((any::<f64>(), any::<f64>(), 1e-300..1e300f64), 1..30),
        degree in 1usize..6,
        kind in 0..4usize,
    ) {
        let column = |name: &str, of: fn(&(f64, f64, f64)) -> f64| Column::new(name, rows.iter().map(of).collect());
        let Ok(all) = Pairs::new(vec![column("x", |r| r.0)], column("y", |r| r.1)) else { return Ok(()) };
        let all = all.with_weights(column("w", |r| r.2)).unwrap();
        use CovarianceKind::{BlockBootstrap, Hac, Independent, Known};
        let options = Options { covariance: [Independent, Known, Hac, BlockBootstrap][kind], ..Options::default() };
        let turned = Options { direction: Direction::SensorOnReference, ..options.clone() };
        let fits = [
            offset::fit(&all, &options), affine::fit(&all, &options), affine::fit(&all, &turned),
            polynomial::fit(&all, degree, &options), multilinear::fit(&all, &options),
        ];
        for fit in fits.into_iter().flatten() {
            let numbers = [fit.residual_std, fit.r_squared, fit.aicc, fit.rss, fit.n_effective, fit.lag1_autocorrelation];
            prop_assert!(fit.parameters.iter().all(|v| v.is_finite()), "{fit:?}");
            prop_assert!(fit.covariance.iter().flatten().flatten().all(|v| v.is_finite()), "{fit:?}");
            prop_assert!(numbers.iter().flatten().all(|v| v.is_finite()), "{fit:?}");
        }
    }
}

fn message(fit: Result<Fit, FitError>) -> String {
    fit.unwrap_err().to_string()
}

#[test]
fn data_that_carry_no_fit_are_told_why() {
    let options = Options::default();
    let equal = pairs(&[4.0; 5], &[1.0, 2.0, 3.0, 4.0, 5.0]);
    assert!(message(affine::fit(&equal, &options)).contains("column `x`: all values are equal (4)"));
    assert!(message(polynomial::fit(&equal, 2, &options)).contains("all values are equal (4)"));
    let two = pairs(&[1.0, 1.0, 2.0, 2.0, 1.0], &[1.0, 2.0, 3.0, 4.0, 5.0]);
    let text = message(polynomial::fit(&two, 3, &options));
    assert!(text.contains("`x`: 2 different values") && text.contains("a degree of at most 1"), "{text}");
    let few = pairs(&[1.0, 2.0, 3.0], &[1.0, 2.0, 4.0]);
    let needed = FitError::TooFew { method: "polynomial:3".to_owned(), needed: 4, found: 3 };
    assert_eq!(polynomial::fit(&few, 3, &options), Err(needed));
    assert!(message(polynomial::fit(&few, 16, &options)).contains("from 1 to 15"));
    let flat = pairs(&[1.0, 2.0, 3.0], &[7.0; 3]);
    assert!(message(affine::fit(&flat, &options)).contains("check that the reference varies"));
    assert!(message(polynomial::fit(&flat, 1, &options)).contains("check that the reference varies"));
    let known = Options { covariance: CovarianceKind::Known, ..Options::default() };
    assert!(message(affine::fit(&few, &known)).contains("--uy"));
}

#[test]
fn the_collinear_column_is_named() {
    let first: Vec<f64> = (0..40).map(|at| f64::from(at * at % 17)).collect();
    let second: Vec<f64> = (0..40).map(f64::from).collect();
    let third: Vec<f64> = first.iter().zip(&second).map(|(a, b)| 0.1 * a - 0.3 * b + 7.0).collect();
    for repeat in [1, 100] {
        let column = |name: &str, values: &[f64]| Column::new(name, values.repeat(repeat));
        let x = vec![column("mV", &first), column("temperature", &second), column("humidity", &third)];
        let all = Pairs::new(x, column("y", &second)).unwrap();
        let text = message(multilinear::fit(&all, &Options::default()));
        assert!(text.starts_with("column `humidity`: ") && text.contains("leave one of them out"), "{text}");
    }
}

#[test]
fn as_many_pairs_as_parameters_leave_no_uncertainty() {
    let fit = affine::fit(&pairs(&[1.0, 3.0], &[2.0, 8.0]), &Options::default()).unwrap();
    assert_eq!(fit.parameters, [-1.0, 3.0]);
    assert_eq!((fit.residual_std, &fit.covariance, fit.degrees_of_freedom), (None, &None, None));
    assert!(fit.notes[0].contains("as many parameters as pairs"));
    assert!(Predictor::new(&fit).unwrap_err().to_string().contains("states no uncertainty"));
    assert!(invert(&fit, 3.0, 2.0).is_err());
    let sure = pairs(&[1.0, 3.0], &[2.0, 8.0]).with_uy(Column::new("u", vec![0.1; 2])).unwrap();
    let known = Options { covariance: CovarianceKind::Known, ..Options::default() };
    // u(b) = 0.1 sqrt(2) / 2
    let errors = affine::fit(&sure, &known).unwrap().standard_errors().unwrap();
    assert!((errors[1] - 0.1 / 2f64.sqrt()).abs() < 1e-16);
}

#[test]
fn without_an_intercept_r_squared_is_against_zero() {
    let options = Options { intercept: false, ..Options::default() };
    let fit = multilinear::fit(&pairs(&[1.0, 2.0, 3.0], &[2.0, 4.0, 7.0]), &options).unwrap();
    assert_eq!(fit.names, ["b1"]);
    assert!((fit.parameters[0] - 31.0 / 14.0).abs() < 1e-15);
    assert!((fit.r_squared.unwrap() - 31.0 * 31.0 / 14.0 / 69.0).abs() < 1e-15);
    let all = pairs(&[1.0, 2.0, 3.0], &[2.0, 4.0, 7.0]);
    assert_eq!(fit.curve(&all).unwrap().value(&all, 1), 31.0 / 7.0);
}

#[test]
fn the_same_seed_gives_the_same_bootstrap() {
    let x: Vec<f64> = (0..60).map(f64::from).collect();
    let y: Vec<f64> = x.iter().map(|x| 3.0 * x + (x * 0.7).sin()).collect();
    let of = |seed| {
        let options = Options { covariance: CovarianceKind::BlockBootstrap, seed, ..Options::default() };
        affine::fit(&pairs(&x, &y), &options).unwrap().covariance
    };
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}

#[test]
fn a_line_far_from_zero_says_that_it_loses_digits() {
    let line = |origin: f64| {
        let (x, y) = (0..30).map(|at| (origin + f64::from(at), f64::from(at * 7 % 5 + at))).unzip();
        let pairs = Pairs::new(vec![Column::new("x", x)], Column::new("y", y)).unwrap();
        affine::fit(&pairs, &Options::default())
            .unwrap()
            .notes
            .iter()
            .any(|note| note.contains("polynomial:1"))
    };
    assert_eq!([0.0, 1e5, 1e8].map(line), [false, false, true]);
}

#[test]
fn what_the_inverse_direction_does_not_use_is_said() {
    let values = |f: fn(f64) -> f64| (0..9).map(|at| f(f64::from(at))).collect::<Vec<_>>();
    let pairs =
        Pairs::new(vec![Column::new("x", values(|at| at))], Column::new("y", values(|at| at + at % 2.0)));
    let pairs = pairs.unwrap().with_uy(Column::new("u", vec![0.1; 9])).unwrap();
    let options = Options { direction: Direction::SensorOnReference, ..Options::default() };
    let said = |pairs: &Pairs| affine::fit(pairs, &options).unwrap().notes.join(" ").contains("are not used");
    assert!(said(&pairs));
    assert!(!said(&pairs.clone().with_ux(Column::new("u", vec![0.1; 9])).unwrap()));
    let known = Options { covariance: CovarianceKind::Known, ..options.clone() };
    assert!(affine::fit(&pairs, &known).unwrap_err().to_string().contains("--ux"));
}
