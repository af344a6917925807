use super::*;
use crate::domain::fit::pairs::Column;
use crate::domain::resample::Seeded;
use proptest::prelude::*;

const DAY: f64 = 86_400.0;

const PRIOR: Prior = Prior { centre: 10.0, level: 20.0, gain: 2.0, covariance: [[4.0, 0.1], [0.1, 0.25]] };

const NOISE: Noise = Noise { offset: 0.3, gain: 0.02, scatter: 0.5 };

fn pairs(days: &[f64], x: &[f64], y: &[f64], u: Option<&[f64]>) -> Pairs {
    let column = |name: &str, values: &[f64]| Column::new(name, values.to_vec());
    let pairs = Pairs::new(vec![column("x", x)], column("y", y)).unwrap();
    let pairs = pairs.with_times(days.iter().map(|day| day * DAY).collect()).unwrap();
    match u {
        Some(u) => pairs.with_uy(column("u", u)).unwrap(),
        None => pairs,
    }
}

/// A line that walks, as the filter supposes.
fn walking(seed: u64, n: usize, noise: &Noise) -> Pairs {
    let mut draws = Seeded::new(seed);
    let (mut offset, mut gain) = (5.0, 2.0);
    let (mut days, mut x, mut y) = (vec![], vec![], vec![]);
    for at in 0..n {
        offset += noise.offset * draws.normal();
        let share = noise.gain * draws.normal();
        (offset, gain) = (offset * (1.0 + share), gain * (1.0 + share));
        let reading = 40.0 * draws.uniform();
        days.push(at as f64);
        x.push(reading);
        y.push(offset + gain * reading + noise.scatter * draws.normal());
    }
    pairs(&days, &x, &y, None)
}

#[test]
fn uncertainty_grows_between_references_and_shrinks_at_each() {
    let mut filter = Kalman::new(&PRIOR, &NOISE).unwrap();
    for day in 0..20 {
        for x in [-30.0, 10.0, 60.0] {
            let mut later = filter.clone();
            later.predict(14.0).unwrap();
            let ((value, before), (_, after)) = (filter.value(x), later.value(x));
            // by the law that the transform states
            let grown = before * before + (0.09 + 0.0004 * value * value) * 14.0;
            assert!((after * after / grown - 1.0).abs() < 1e-12, "day {day}, x {x}");
        }
        filter.predict(14.0).unwrap();
        let before = filter.value(12.0).1;
        filter.update(12.0, 24.0, 0.5).unwrap();
        assert!(filter.value(12.0).1 < before && filter.value(12.0).1 < 0.5);
    }
}

#[test]
fn without_walks_it_is_weighted_least_squares() {
    let mut draws = Seeded::new(4);
    let n = 200;
    let days: Vec<f64> = (0..n).map(|at| at as f64 * 3.7).collect();
    let x: Vec<f64> = (0..n).map(|_| 900.0 + 300.0 * draws.uniform()).collect();
    let u: Vec<f64> = (0..n).map(|_| 0.1 + draws.uniform()).collect();
    let y: Vec<f64> = (0..n).map(|at| -4.0 + 0.006 * x[at] + u[at] * draws.normal()).collect();
    let none = Noise { offset: 0.0, gain: 0.0, scatter: 0.0 };
    let found = fit(&pairs(&days, &x, &y, Some(&u)), Some(none), None).unwrap().fit;
    let sum = |term: &dyn Fn(usize) -> f64| (0..n).map(|at| term(at) / (u[at] * u[at])).sum::<f64>();
    let total = sum(&|_| 1.0);
    let (mx, my) = (sum(&|at| x[at]) / total, sum(&|at| y[at]) / total);
    let sxx = sum(&|at| (x[at] - mx).powi(2));
    let gain = sum(&|at| (x[at] - mx) * (y[at] - my)) / sxx;
    let covariance = [[1.0 / total + mx * mx / sxx, -mx / sxx], [-mx / sxx, 1.0 / sxx]];
    let close =
        |found: f64, wanted: f64| assert!((found / wanted - 1.0).abs() < 1e-9, "{found} for {wanted}");
    close(found.parameters[0], my - gain * mx);
    close(found.parameters[1], gain);
    for (row, wanted) in found.covariance.unwrap().iter().zip(covariance) {
        row.iter().zip(wanted).for_each(|(found, wanted)| close(*found, wanted));
    }
}

#[test]
fn a_prior_lets_three_references_help() {
    let three = pairs(&[1.0, 2.0, 3.0], &[8.0, 10.0, 12.0], &[17.0, 21.0, 25.0], Some(&[0.1; 3]));
    let found = fit(&three, Some(Noise { scatter: 0.1, ..NOISE }), Some(PRIOR)).unwrap();
    let (value, u) = found.filter.value(10.0);
    assert!((value - 21.0).abs() < 0.3 && u < 0.5, "{value} {u}");
    // the same value and u from the transform's stage
    let stage = &found.fit.stages[0];
    let StageSpec::Affine(spec) = stage else { panic!("{stage:?}") };
    let s = spec.covariance.as_ref().unwrap();
    let variance = s[0][0] + 2.0 * 10.0 * s[0][1] + 100.0 * s[1][1];
    assert!((spec.offset + 10.0 * spec.gain - value).abs() < 1e-12);
    assert!((variance.sqrt() / u - 1.0).abs() < 1e-9);
}

#[test]
fn noise_is_found_again() {
    let wanted = Noise { offset: 0.4, gain: 0.0, scatter: 0.8 };
    let found = fit(&walking(11, 600, &wanted), None, None).unwrap().noise;
    assert!((found.offset / wanted.offset).ln().abs() < 0.25, "{found:?}");
    assert!((found.scatter / wanted.scatter).ln().abs() < 0.1, "{found:?}");
    let wanted = Noise { offset: 0.0, gain: 0.02, scatter: 0.8 };
    let found = fit(&walking(12, 600, &wanted), None, None).unwrap();
    assert!((found.noise.gain / wanted.gain).ln().abs() < 0.25, "{found:?}");
    assert_eq!(found.drift.gain, found.noise.gain);
    let still = Noise { offset: 0.0, gain: 0.0, scatter: 0.8 };
    let found = fit(&walking(13, 300, &still), None, None).unwrap().noise;
    assert_eq!((found.offset, found.gain), (0.0, 0.0), "{found:?}");
}

#[test]
fn exact_data_give_the_exact_line() {
    let x: Vec<f64> = (0..40).map(f64::from).collect();
    let y: Vec<f64> = x.iter().map(|x| 3.0 - 0.5 * x).collect();
    let found = fit(&pairs(&x, &x, &y, None), None, None).unwrap().fit;
    assert!((found.parameters[0] - 3.0).abs() < 1e-9 && (found.parameters[1] + 0.5).abs() < 1e-9);
}

#[test]
fn refuses_what_is_no_history() {
    let (days, x, y) = ([0.0, 1.0, 2.0, 3.0], [1.0, 2.0, 3.0, 5.0], [1.0, 2.0, 3.0, 4.0]);
    let text = |found: Result<Tracked, FitError>| found.unwrap_err().to_string();
    let column = |values: &[f64]| Column::new("c", values.to_vec());
    let timeless = Pairs::new(vec![column(&x)], column(&y)).unwrap();
    assert!(text(fit(&timeless, Some(NOISE), None)).contains("times"));
    assert!(text(fit(&pairs(&days, &x, &y, None), None, None)).contains("at least 8"));
    assert!(
        text(fit(&pairs(&days, &[2.0; 4], &y, None), Some(NOISE), None)).contains("all readings are equal")
    );
    let exact = Noise { scatter: 0.0, ..NOISE };
    assert!(text(fit(&pairs(&days, &x, &y, None), Some(exact), None)).contains("uncertainties"));
    let odd = Noise { gain: f64::NAN, ..NOISE };
    assert!(text(fit(&pairs(&days, &x, &y, None), Some(odd), None)).contains("gain"));
    let odd = Prior { covariance: [[1.0, 2.0], [2.0, 1.0]], ..PRIOR };
    assert!(text(fit(&pairs(&days, &x, &y, None), Some(NOISE), Some(odd))).contains("prior"));
    assert!(text(fit(&pairs(&days, &x, &[2.0; 4], None), Some(NOISE), None)).contains("gain of 0"));
}

#[test]
fn refuses_numbers_that_are_none_and_stays_as_it_was() {
    let mut filter = Kalman::new(&PRIOR, &NOISE).unwrap();
    let before = filter.clone();
    for (x, y, u) in [(f64::NAN, 1.0, 1.0), (1.0, f64::INFINITY, 1.0), (1.0, 1.0, 0.0), (1.0, 1.0, f64::NAN)]
    {
        assert!(filter.update(x, y, u).is_err(), "{x} {y} {u}");
    }
    for days in [f64::NAN, -1.0, f64::INFINITY, 1e308] {
        assert!(filter.clone().predict(days).is_err() || days == 1e308, "{days}");
    }
    assert!(filter.update(1e200, 1.0, 1.0).is_err());
    assert_eq!(filter, before);
    // a century without a reference is a wide interval, nothing worse
    filter.predict(36_525.0).unwrap();
    filter.update(10.0, 35.0, 0.5).unwrap();
    let (value, u) = filter.value(10.0);
    assert!((value - 35.0).abs() < 0.1 && u <= 0.5, "{value} {u}");
}

proptest! {
    #[test]
    fn covariance_stays_positive_semi_definite(
        steps in proptest::collection::vec((0.0..400.0f64, -1e3..1e3f64, -1e3..1e3f64, -6.0..3.0f64), 1..60),
        offset in 0.0..2.0f64, gain in 0.0..0.2f64,
    ) {
        let mut filter = Kalman::new(&PRIOR, &Noise { offset, gain, scatter: 1.0 }).unwrap();
        for (days, x, y, log_u) in steps {
            filter.predict(days).unwrap();
            filter.update(x, y, 10f64.powf(log_u)).unwrap();
            let [[a, b], [c, d]] = filter.covariance();
            prop_assert!(a >= 0.0 && d >= 0.0 && b == c);
            prop_assert!(b * b <= a * d * (1.0 + 1e-9), "{:?}", filter.covariance());
            let [[p, q], [_, r]] = filter.line().1;
            prop_assert!(p >= 0.0 && q * q <= p * r * (1.0 + 1e-6) + 1e-300);
        }
    }

    #[test]
    fn any_history_gives_numbers_or_an_error(
        rows in proptest::collection::vec((0.0..1e3f64, -1e3..1e3f64, -1e3..1e3f64), 1..30),
        log_size in -170..170i32, still in any::<bool>(),
    ) {
        let size = 10f64.powi(log_size);
        let mut days: Vec<f64> = rows.iter().map(|row| row.0).collect();
        days.sort_by(f64::total_cmp);
        let x: Vec<f64> = rows.iter().map(|row| if still { row.1.round().signum() } else { row.1 }).collect();
        let y: Vec<f64> = rows.iter().map(|row| row.2 * size).collect();
        if let Ok(found) = fit(&pairs(&days, &x, &y, None), None, None) {
            let covariance = found.fit.covariance.unwrap();
            prop_assert!(found.fit.parameters.iter().chain(covariance.iter().flatten()).all(|one| one.is_finite()));
            prop_assert!(found.noise.scatter > 0.0 && found.noise.checked().is_ok());
        }
    }

    #[test]
    fn never_nan(steps in proptest::collection::vec((any::<f64>(), any::<f64>(), any::<f64>()), 1..20)) {
        let mut filter = Kalman::new(&PRIOR, &NOISE).unwrap();
        for (days, x, y) in steps {
            let _ = filter.predict(days.abs());
            let _ = filter.update(x, y, 1.0);
            let (value, u) = filter.value(3.0);
            prop_assert!(value.is_finite() && !u.is_nan());
        }
    }
}
