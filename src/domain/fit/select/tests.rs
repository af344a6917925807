use super::super::pairs::Column;
use super::super::validation::Validation;
use super::*;
use crate::domain::resample::Seeded;

/// `count` pairs of random readings from 1 to 10, with normal noise.
fn noisy(count: usize, noise: f64, curve: impl Fn(f64) -> f64) -> Pairs {
    let mut random = Seeded::new(count as u64);
    let x: Vec<f64> = (0..count).map(|_| 1.0 + 9.0 * random.uniform()).collect();
    let y = x.iter().map(|x| curve(*x) + noise * random.normal()).collect();
    Pairs::new(vec![Column::new("x", x)], Column::new("y", y)).unwrap()
}

fn chosen(pairs: &Pairs) -> Selection {
    choose(&measurement_methods(pairs), pairs, &Options::default()).unwrap()
}

#[test]
fn the_simplest_method_that_suits_is_chosen() {
    type Curve = fn(f64) -> f64;
    let cases: [(&str, Curve); 4] = [
        ("offset", |x| x + 3.0),
        ("affine", |x| 2.0 - 0.7 * x),
        ("polynomial:2", |x| 5.0 + x + 0.4 * x * x),
        ("power", |x| 3.0 * x.powf(1.7)),
    ];
    for (name, curve) in cases {
        let it = chosen(&noisy(400, 0.2, curve));
        assert_eq!(it.fit.method, name, "{:#?}", it.table);
        assert!((0.15..0.25).contains(&it.cross_validation_rmse), "{}", it.cross_validation_rmse);
        let own = it.table.iter().find(|candidate| candidate.method == name).unwrap();
        assert!(own.reason.starts_with("chosen"), "{}", own.reason);
        assert_eq!(own.score, Some(it.cross_validation_rmse));
        assert!(it.table.is_sorted_by_key(|candidate| candidate.parameters));
        assert!(it.table.iter().all(|candidate| !candidate.reason.is_empty()));
    }
}

#[test]
fn references_that_follow_no_sensor_are_refused_with_the_numbers() {
    let pairs = noisy(200, 1.0, |_| 7.0);
    let error = choose(&measurement_methods(&pairs), &pairs, &Options::default()).unwrap_err().to_string();
    assert!(error.contains("better than the mean of the references"), "{error}");
    assert!(error.contains("affine: RMSE 1.0") || error.contains("affine: RMSE 0.9"), "{error}");
}

#[test]
fn too_few_pairs_are_refused_with_the_reason_of_each_method() {
    let pairs = noisy(8, 0.1, |x| x);
    let error = choose(&measurement_methods(&pairs), &pairs, &Options::default()).unwrap_err().to_string();
    assert!(error.contains("no method can be judged") && error.contains("at least 12 pairs"), "{error}");
    let session = Options { validation: Validation::LeaveOneOut, ..Options::default() };
    let it = choose(&measurement_methods(&pairs), &pairs, &session).unwrap();
    assert!(it.fit.parameters.len() <= 2 && it.cross_validation_rmse < 0.15, "{:#?}", it.table);
}

#[test]
fn a_curve_that_turns_round_among_the_pairs_is_not_taken() {
    let pairs = noisy(300, 0.1, |x| (x - 5.0) * (x - 5.0));
    match choose(&[Method::Affine, Method::Polynomial(2)], &pairs, &Options::default()) {
        Ok(it) => assert!(it.table.iter().any(|one| one.reason.contains("turns round near"))),
        Err(error) => assert!(error.to_string().contains("turns round near"), "{error}"),
    }
}

#[test]
fn drift_is_judged_by_what_comes_later() {
    // the sensor loses a tenth of its gain from block to block: the last block knows best
    let count = 600;
    let mut random = Seeded::new(5);
    let x: Vec<f64> = (0..count).map(|_| 1.0 + 9.0 * random.uniform()).collect();
    let y: Vec<f64> = x.iter().enumerate().map(|(at, x)| x * (1.0 + at as f64 / 1000.0)).collect();
    let pairs = Pairs::new(vec![Column::new("x", x)], Column::new("y", y)).unwrap();
    let rmse = |validation| {
        cross_validate(Method::Affine, &pairs, &Options { validation, ..Options::default() }).unwrap()
    };
    let shuffled: Vec<usize> = (0..count).map(|at| at * 7 % count).collect();
    let mixed = pairs.select(&shuffled).unwrap();
    let blind = cross_validate(Method::Affine, &mixed, &Options::default()).unwrap();
    assert!(rmse(Validation::default()) > 1.2 * blind, "{} {blind}", rmse(Validation::default()));
}

#[test]
fn several_columns_are_taken_where_they_help() {
    let mut random = Seeded::new(9);
    let column = |random: &mut Seeded| (0..200).map(|_| 10.0 * random.uniform()).collect::<Vec<_>>();
    let (x, t) = (column(&mut random), column(&mut random));
    let y = x.iter().zip(&t).map(|(x, t)| 1.0 + 0.5 * x - 0.3 * t + 0.1 * random.normal()).collect();
    let pairs = Pairs::new(vec![Column::new("x", x), Column::new("t", t)], Column::new("y", y)).unwrap();
    let it = chosen(&pairs);
    assert_eq!(it.fit.method, "multilinear");
    assert!(it.table.iter().all(|one| one.score.is_some()), "{:#?}", it.table);
}

#[test]
fn probabilities_are_chosen_by_their_squared_error() {
    let mut random = Seeded::new(11);
    let score: Vec<f64> = (0..2000).map(|_| 3.0 * random.normal()).collect();
    let event = |z: &f64, random: &mut Seeded| random.uniform() < 1.0 / (1.0 + (-z / 2.0).exp());
    let label = score.iter().map(|z| f64::from(u8::from(event(z, &mut random)))).collect();
    let pairs = Pairs::new(vec![Column::new("z", score)], Column::new("label", label)).unwrap();
    let it = choose(&probability_methods(true), &pairs, &Options::default()).unwrap();
    assert_eq!(it.fit.method, "temperature", "{:#?}", it.table);
}
