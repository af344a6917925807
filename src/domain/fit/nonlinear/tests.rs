//! Tests of the families: certified sets with own starts, exact data, invariances, bad data.

use super::nist::{certified, digits};
use crate::domain::fit::method::{CovarianceKind, Direction, Method, Options};
use crate::domain::fit::{Column, Fit, FitError, Pairs};
use crate::domain::resample::Seeded;
use proptest::prelude::*;

fn pairs(x: &[f64], y: &[f64]) -> Pairs {
    Pairs::new(vec![Column::new("x", x.to_vec())], Column::new("y", y.to_vec())).unwrap()
}

fn fit_with(method: Method, pairs: &Pairs, options: &Options) -> Result<Fit, FitError> {
    match method {
        Method::Exponential => super::exponential::fit(pairs, options),
        Method::Saturation => super::saturation::fit(pairs, options),
        Method::Power => super::power::fit(pairs, options),
        Method::Logistic => super::logistic::fit(pairs, options),
        Method::Rational(above, below) => super::rational::fit(pairs, above, below, options),
        _ => panic!("{method}"),
    }
}

fn fit(method: Method, pairs: &Pairs) -> Result<Fit, FitError> {
    fit_with(method, pairs, &Options::default())
}

const CERTIFIED: [(&str, Method); 7] = [
    ("Misra1a", Method::Saturation),
    ("BoxBOD", Method::Saturation),
    ("DanWood", Method::Power),
    ("Rat42", Method::Logistic),
    ("Hahn1", Method::Rational(3, 3)),
    ("Thurber", Method::Rational(3, 3)),
    ("Kirby2", Method::Rational(2, 2)),
];

#[test]
fn certified_sets_from_own_starts_and_from_given_ones() {
    for (name, method) in CERTIFIED {
        let set = certified(name);
        let x: Vec<f64> = set.x.iter().map(|x| x[0]).collect();
        let pairs = pairs(&x, &set.y);
        for start in [None, Some(set.start1.clone()), Some(set.start2.clone())] {
            let options = Options { start: start.clone(), ..Options::default() };
            let fit = fit_with(method, &pairs, &options)
                .unwrap_or_else(|error| panic!("{name} {start:?}: {error}"));
            let all = [
                digits(&fit.parameters, &set.beta),
                digits(&fit.standard_errors().unwrap(), &set.sd),
                digits(&[fit.rss.unwrap()], &[set.rss]),
            ];
            assert!(all.iter().all(|digits| *digits >= 8.5), "{name} {start:?}: {all:?}");
        }
    }
}

/// A curve over t in (0, 1] with its parameters, to be stretched.
#[derive(Debug, Clone)]
struct Case {
    method: Method,
    parameters: Vec<f64>,
}

impl Case {
    fn value(&self, t: f64) -> f64 {
        let p = &self.parameters;
        match self.method {
            Method::Exponential => p[0] + p[1] * (p[2] * t).exp(),
            Method::Saturation => -p[0] * (-p[1] * t).exp_m1(),
            Method::Power => p[0] * t.powf(p[1]),
            Method::Logistic => p[0] / (1.0 + (p[1] - p[2] * t).exp()),
            _ => (p[0] + p[1] * t) / (1.0 + p[2] * t),
        }
    }

    /// The parameters for x = s t and y = r f(t).
    fn stretched(&self, s: f64, r: f64) -> Vec<f64> {
        let p = &self.parameters;
        match self.method {
            Method::Exponential => vec![r * p[0], r * p[1], p[2] / s],
            Method::Saturation => vec![r * p[0], p[1] / s],
            Method::Power => vec![r * p[0] * s.powf(-p[1]), p[1]],
            Method::Logistic => vec![r * p[0], p[1], p[2] / s],
            _ => vec![r * p[0], r * p[1] / s, p[2] / s],
        }
    }
}

fn signed(range: std::ops::Range<f64>) -> impl Strategy<Value = f64> {
    (range, any::<bool>()).prop_map(|(value, minus)| if minus { -value } else { value })
}

/// Curves that bend enough within (0, 1] to be told from others.
fn case() -> impl Strategy<Value = Case> {
    (0..5usize, signed(0.1..10.0), signed(0.1..10.0), signed(0.4..8.0), 0.1..0.9f64).prop_map(
        |(kind, a, b, c, middle)| {
            let (method, parameters) = match kind {
                0 => (Method::Exponential, vec![a, b, c]),
                1 => (Method::Saturation, vec![a, c]),
                2 => (Method::Power, vec![a, 0.5 * c]),
                3 => (Method::Logistic, vec![a, 2.5 * c * middle, 2.5 * c]),
                // the slope has the sign of b1 - b0 c1
                _ => (Method::Rational(1, 1), vec![a, -a.signum() * b.abs(), c.abs()]),
            };
            Case { method, parameters }
        },
    )
}

/// A scale over many magnitudes.
fn scale() -> impl Strategy<Value = f64> {
    (-12.0..12.0f64).prop_map(|exponent| 10f64.powf(exponent))
}

/// Places in (0, 1], unevenly.
fn places(n: usize) -> Vec<f64> {
    (1..=n).map(|at| (at as f64 / n as f64).powf(1.3)).collect()
}

fn noisy(case: &Case, n: usize, share: f64, seed: u64) -> (Vec<f64>, Vec<f64>) {
    let mut random = Seeded::new(seed);
    let x = places(n);
    let clean: Vec<f64> = x.iter().map(|t| case.value(*t)).collect();
    let (low, high) = super::frame::extremes(&clean);
    let y = clean.iter().map(|y| y + share * (high - low) * random.normal()).collect();
    (x, y)
}

fn near(found: &Fit, expected: &[f64], tolerance: f64) -> Result<(), TestCaseError> {
    let wrong = found.parameters.iter().zip(expected).map(|(f, e)| ((f - e) / e).abs());
    prop_assert!(wrong.fold(0.0, f64::max) <= tolerance, "{:?} {expected:?}", found.parameters);
    Ok(())
}

/// The same curve: parameters as close as their standard errors are small.
fn same(found: &Fit, expected: &Fit, tolerance: f64) -> Result<(), TestCaseError> {
    let errors = expected.standard_errors().unwrap();
    for ((f, e), u) in found.parameters.iter().zip(&expected.parameters).zip(errors) {
        prop_assert!((f - e).abs() <= tolerance * (e.abs() + u), "{:?} {:?}", found, expected);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn exact_curves_are_found(case in case(), s in scale(), r in scale(), n in 6..40usize) {
        let t = places(n);
        let x: Vec<f64> = t.iter().map(|t| s * t).collect();
        let y: Vec<f64> = t.iter().map(|t| r * case.value(*t)).collect();
        let fit = fit(case.method, &pairs(&x, &y)).map_err(|error| TestCaseError::fail(error.to_string()))?;
        near(&fit, &case.stretched(s, r), 1e-6)?;
        let wrong: f64 = fit.rss.unwrap() / y.iter().map(|y| y * y).sum::<f64>();
        prop_assert!(wrong <= 1e-24, "{wrong}");
    }

    #[test]
    fn stretching_stretches_the_parameters(case in case(), s in scale(), r in scale(), seed in 0..1000u64) {
        let (x, y) = noisy(&case, 60, 0.002, seed);
        let plain = fit(case.method, &pairs(&x, &y)).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let wide: Vec<f64> = x.iter().map(|x| s * x).collect();
        let high: Vec<f64> = y.iter().map(|y| r * y).collect();
        let stretched = fit(case.method, &pairs(&wide, &high)).unwrap();
        let expected = Case { method: case.method, parameters: plain.parameters.clone() }.stretched(s, r);
        near(&stretched, &expected, 1e-7)?;
        let std = stretched.residual_std.unwrap() / (r * plain.residual_std.unwrap());
        prop_assert!((std - 1.0).abs() < 1e-9, "{std}");
    }

    #[test]
    fn order_is_of_no_matter(case in case(), seed in 0..1000u64) {
        let (x, y) = noisy(&case, 60, 0.01, seed);
        let mut order: Vec<usize> = (0..x.len()).collect();
        let mut random = Seeded::new(seed);
        for at in (1..order.len()).rev() {
            order.swap(at, random.below(at + 1));
        }
        let plain = pairs(&x, &y);
        if let Ok(expected) = fit(case.method, &plain) {
            same(&fit(case.method, &plain.select(&order).unwrap()).unwrap(), &expected, 1e-8)?;
        }
    }

    #[test]
    fn weights_equal_replication(case in case(), seed in 0..1000u64) {
        let (x, y) = noisy(&case, 30, 0.01, seed);
        let mut random = Seeded::new(seed);
        let counts: Vec<usize> = x.iter().map(|_| 1 + random.below(3)).collect();
        let weights = Column::new("w", counts.iter().map(|count| *count as f64).collect());
        let weighted = pairs(&x, &y).with_weights(weights).unwrap();
        let repeated: Vec<usize> = (0..x.len()).flat_map(|at| vec![at; counts[at]]).collect();
        let repeated = pairs(&x, &y).select(&repeated).unwrap();
        if let Ok(expected) = fit(case.method, &repeated) {
            let found = fit(case.method, &weighted).unwrap();
            same(&found, &expected, 1e-8)?;
            prop_assert!((found.rss.unwrap() / expected.rss.unwrap() - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn many_pairs_are_fitted_as_few_are(case in case(), seed in 0..1000u64) {
        // the same 30 pairs, so often that some of them make the start for all
        let (x, y) = noisy(&case, 30, 0.01, seed);
        let often: Vec<usize> = (0..40 * x.len()).map(|at| at % x.len()).collect();
        let few = pairs(&x, &y);
        if let Ok(expected) = fit(case.method, &few) {
            same(&fit(case.method, &few.select(&often).unwrap()).unwrap(), &expected, 1e-8)?;
        }
    }

    #[test]
    fn own_starts_find_what_the_truth_finds(
        case in case(), n in 8..60usize, share in 0.001..0.1f64, seed in 0..1000u64,
    ) {
        let (x, y) = noisy(&case, n, share, seed);
        let pairs = pairs(&x, &y);
        let truth = Options { start: Some(case.parameters.clone()), ..Options::default() };
        if let Ok(expected) = fit_with(case.method, &pairs, &truth) {
            let own = fit(case.method, &pairs).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert!(own.rss <= expected.rss.map(|rss| rss * (1.0 + 1e-9)), "{own:?} {expected:?}");
        }
    }

    #[test]
    fn no_numbers_make_nan_or_a_panic(
        values in proptest::collection::vec((any::<f64>(), any::<f64>()), 1..12), kind in 0..6usize,
    ) {
        let finite = |value: f64| if value.is_finite() { value } else { 1.0 };
        let x: Vec<f64> = values.iter().map(|pair| finite(pair.0)).collect();
        let y: Vec<f64> = values.iter().map(|pair| finite(pair.1)).collect();
        sound(METHODS[kind], &pairs(&x, &y))?;
    }

    #[test]
    fn no_small_numbers_make_nan_or_a_panic(
        values in proptest::collection::vec((0..6i8, -3..4i8), 1..12), kind in 0..6usize,
    ) {
        let x: Vec<f64> = values.iter().map(|pair| f64::from(pair.0)).collect();
        let y: Vec<f64> = values.iter().map(|pair| f64::from(pair.1)).collect();
        sound(METHODS[kind], &pairs(&x, &y))?;
    }
}

const METHODS: [Method; 6] = [
    Method::Exponential,
    Method::Saturation,
    Method::Power,
    Method::Logistic,
    Method::Rational(1, 1),
    Method::Rational(2, 3),
];

fn sound(method: Method, pairs: &Pairs) -> Result<(), TestCaseError> {
    if let Ok(fit) = fit(method, pairs) {
        let covariance = fit.covariance.iter().flatten().flatten();
        prop_assert!(fit.parameters.iter().chain(covariance).all(|value| value.is_finite()), "{fit:?}");
        prop_assert!(
            fit.curve(pairs).unwrap().values(pairs).iter().all(|value| value.is_finite()),
            "{fit:?}"
        );
        prop_assert!(fit.standard_errors().iter().flatten().all(|u| *u >= 0.0), "{fit:?}");
    }
    Ok(())
}

fn refusal(method: Method, x: &[f64], y: &[f64]) -> String {
    match fit(method, &pairs(x, y)) {
        Ok(fit) => panic!("{method} of {x:?}, {y:?}: {fit:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn bad_data_are_refused_with_place_and_remedy() {
    let line: Vec<f64> = (1..9).map(f64::from).collect();
    for method in METHODS {
        let few = refusal(method, &[1.0], &[1.0]);
        assert!(few.contains("needs at least") && few.contains("add reference readings"), "{few}");
        let equal = refusal(method, &[2.0; 8], &line);
        assert!(equal.contains("column `x`") && equal.contains("found 1"), "{equal}");
        let constant = refusal(method, &line, &[5.0; 8]);
        assert!(constant.contains("column `y`") && constant.contains("all values are 5"), "{constant}");
        let two = Pairs::new(
            vec![Column::new("x", line.clone()), Column::new("t", line.clone())],
            Column::new("y", line.clone()),
        );
        let two = fit(method, &two.unwrap()).unwrap_err().to_string();
        assert!(two.contains("column `t`") && two.contains("multilinear"), "{two}");
        let start = Options { start: Some(vec![1.0]), ..Options::default() };
        let start = fit_with(method, &pairs(&line, &places(8)), &start).unwrap_err().to_string();
        let names = if matches!(method, Method::Rational(..)) { "(b0, b1" } else { "(a, b" };
        assert!(start.contains(names) && start.contains("found 1"), "{start}");
        let inverse = Options { direction: Direction::SensorOnReference, ..Options::default() };
        let inverse = fit_with(method, &pairs(&line, &places(8)), &inverse).unwrap_err().to_string();
        assert!(inverse.contains("take affine"), "{inverse}");
        let memory = Options { covariance: CovarianceKind::Hac, ..Options::default() };
        let memory = fit_with(method, &pairs(&line, &places(8)), &memory).unwrap_err().to_string();
        assert!(memory.contains("independent"), "{memory}");
    }
    let negative = refusal(Method::Power, &[1.0, -2.0, 3.0], &[1.0, 2.0, 3.0]);
    assert!(negative.starts_with("line 2, column `x`"), "{negative}");
}

#[test]
fn what_the_pairs_do_not_show_is_refused() {
    let x: Vec<f64> = (1..20).map(f64::from).collect();
    let line: Vec<f64> = x.iter().map(|x| 3.0 + 2.0 * x).collect();
    let straight = refusal(Method::Exponential, &x, &line);
    assert!(straight.contains("take affine"), "{straight}");
    let through_0: Vec<f64> = x.iter().map(|x| 2.0 * x).collect();
    let straight = refusal(Method::Saturation, &x, &through_0);
    assert!(straight.contains("take affine"), "{straight}");
    // without an upper end a and b go to infinity together
    let growth: Vec<f64> = x.iter().map(|x| (0.1 * x).exp()).collect();
    let open = refusal(Method::Logistic, &x, &growth);
    assert!(open.contains("take exponential"), "{open}");
    let constant_ratio = refusal(Method::Rational(3, 3), &x, &line);
    assert!(constant_ratio.contains("lower degrees"), "{constant_ratio}");
}

#[test]
fn a_pole_between_the_pairs_is_refused() {
    let x: Vec<f64> = (0..20).map(f64::from).collect();
    let y: Vec<f64> = x.iter().map(|x| 1.0 / (x - 7.3)).collect();
    let pole = refusal(Method::Rational(0, 1), &x, &y);
    assert!(pole.contains("a pole at 7.3") && pole.contains("take lower degrees"), "{pole}");
}

#[test]
fn as_many_pairs_as_parameters_have_no_covariance() {
    let fit = fit(Method::Power, &pairs(&[1.0, 4.0], &[3.0, 6.0])).unwrap();
    assert!((fit.parameters[0] - 3.0).abs() < 1e-12 && (fit.parameters[1] - 0.5).abs() < 1e-12, "{fit:?}");
    assert_eq!((fit.covariance, fit.residual_std), (None, None));
}

#[test]
fn zero_is_a_place_for_a_power() {
    let fit = fit(Method::Power, &pairs(&[0.0, 1.0, 2.0, 3.0], &[0.0, 2.0, 8.0, 18.0])).unwrap();
    assert!((fit.parameters[0] - 2.0).abs() < 1e-12 && (fit.parameters[1] - 2.0).abs() < 1e-12, "{fit:?}");
}

#[test]
fn known_uncertainties_make_the_covariance_whatever_the_residuals_say() {
    let (x, y) = noisy(&Case { method: Method::Power, parameters: vec![2.0, 0.7] }, 20, 0.01, 1);
    let known = pairs(&x, &y).with_uy(Column::new("u", vec![0.5; x.len()])).unwrap();
    let options = Options { covariance: CovarianceKind::Known, ..Options::default() };
    let known = fit_with(Method::Power, &known, &options).unwrap();
    let plain = fit(Method::Power, &pairs(&x, &y)).unwrap();
    let ratio = 0.5 / plain.residual_std.unwrap();
    for (known, plain) in known.standard_errors().unwrap().iter().zip(plain.standard_errors().unwrap()) {
        assert!((known / (ratio * plain) - 1.0).abs() < 1e-8, "{known} {plain} {ratio}");
    }
}

#[test]
fn what_was_fitted_is_what_runs() {
    let case = Case { method: Method::Rational(1, 1), parameters: vec![1.0, 5.0, 2.0] };
    let (x, y) = noisy(&case, 40, 0.01, 3);
    let pairs = pairs(&x, &y);
    let fit = fit(case.method, &pairs).unwrap();
    assert_eq!(fit.names, ["b0", "b1", "c1"]);
    let values = fit.curve(&pairs).unwrap().values(&pairs);
    let rss: f64 = values.iter().zip(&y).map(|(value, y)| (y - value).powi(2)).sum();
    assert!((rss / fit.rss.unwrap() - 1.0).abs() < 1e-12);
}
