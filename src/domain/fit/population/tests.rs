use proptest::prelude::*;

use self::simulated::Sensor;
use super::*;
use crate::domain::fit::bayes::{self, Prior};
use crate::domain::fit::{Column, Pairs};
use crate::domain::resample::Seeded;

#[path = "simulated.rs"]
mod simulated;

fn fitted(parameters: &[f64], covariance: &[&[f64]]) -> Fitted {
    let name = |at: usize| ["a", "b", "c"][at].to_owned();
    Fitted {
        parameter_names: (0..parameters.len()).map(name).collect(),
        parameters: parameters.to_vec(),
        covariance: covariance.iter().map(|row| row.to_vec()).collect(),
        residual_std: 1.0,
        degrees_of_freedom: 10.0,
    }
}

fn near(found: f64, right: f64, by: f64) {
    assert!((found - right).abs() <= by, "{found} instead of {right}");
}

/// Log risk ratios of 13 trials and their variances (Colditz et al. 1994, as `dat.bcg` of the R package metafor),
/// and its restricted maximum likelihood: tau^2 0.3132, mean -0.7145, standard error 0.1798.
#[test]
fn one_parameter_is_the_published_meta_analysis() {
    let trials = [
        (-0.8893, 0.3256),
        (-1.5854, 0.1946),
        (-1.3481, 0.4154),
        (-1.4416, 0.0200),
        (-0.2175, 0.0512),
        (-0.7861, 0.0069),
        (-1.6209, 0.2230),
        (0.0120, 0.0040),
        (-0.4694, 0.0564),
        (-1.3713, 0.0730),
        (-0.3394, 0.0124),
        (0.4459, 0.5325),
        (-0.0173, 0.0714),
    ];
    let fits: Vec<Fitted> =
        trials.iter().map(|(value, variance)| fitted(&[*value], &[&[*variance]])).collect();
    let prior = population(&fits).unwrap();
    near(prior.parameters[0], -0.7145, 1e-4);
    near(prior.covariance[0][0], 0.3132 + 0.1798 * 0.1798, 3e-4);
}

/// With equal covariances S the estimate is known: the fits' sample covariance less S.
#[test]
fn equal_covariances_are_taken_off_the_scatter() {
    let own: &[&[f64]] = &[&[0.5, 0.1], &[0.1, 0.2]];
    let values = [[1.0, 2.0], [4.0, 2.5], [-2.0, 0.5], [0.5, 5.0], [3.0, -1.0], [2.0, 3.5]];
    let fits: Vec<Fitted> = values.iter().map(|value| fitted(value, own)).collect();
    let prior = population(&fits).unwrap();
    let mean = |at: usize| values.iter().map(|value| value[at]).sum::<f64>() / 6.0;
    for i in 0..2 {
        near(prior.parameters[i], mean(i), 1e-9);
        for j in 0..2 {
            let scatter: f64 = values.iter().map(|v| (v[i] - mean(i)) * (v[j] - mean(j))).sum::<f64>() / 5.0;
            near(prior.covariance[i][j], scatter - own[i][j] + scatter / 6.0, 1e-6);
        }
    }
}

#[test]
fn fits_that_scatter_by_chance_alone_leave_little_between_the_sensors() {
    let own: &[&[f64]] = &[&[4.0, 0.0], &[0.0, 4.0]];
    let fits: Vec<Fitted> = [[0.1, 1.0], [0.0, 1.1], [-0.1, 1.0], [0.0, 0.9], [0.05, 1.05]]
        .map(|value| fitted(&value, own))
        .to_vec();
    let prior = population(&fits).unwrap();
    let certain = 4.0 / 5.0;
    assert!(prior.covariance[0][0] >= certain && prior.covariance[0][0] < certain + 0.05, "{prior:?}");
    assert!(Prior::from_fit(&prior.to_fit()).is_some());
}

#[test]
fn the_residuals_of_a_further_sensor_scatter_as_those_of_the_others_do() {
    let with =
        |std: f64| Fitted { residual_std: std, ..fitted(&[std, 1.0 / std], &[&[1.0, 0.0], &[0.0, 1.0]]) };
    let alike = population(&[with(1.0), with(1.01), with(0.99), with(1.0)]).unwrap();
    assert_eq!(alike.degrees_of_freedom, 40.0);
    near(alike.residual_std, (38.0f64 / 40.0).sqrt(), 1e-3);
    let unlike = population(&[with(0.2), with(1.0), with(3.0), with(0.5)]).unwrap();
    assert!(unlike.degrees_of_freedom >= 4.0 && unlike.degrees_of_freedom < 8.0, "{unlike:?}");
}

#[test]
fn what_gives_no_prior_is_named() {
    let good = |a: f64, b: f64| fitted(&[a, b], &[&[1.0, 0.0], &[0.0, 1.0]]);
    let fits = vec![good(1.0, 2.0), good(2.0, 2.5), good(0.0, 1.0), good(0.5, 3.0)];
    let broken = |change: &dyn Fn(&mut Vec<Fitted>)| {
        let mut fits = fits.clone();
        change(&mut fits);
        population(&fits).unwrap_err().to_string()
    };
    assert!(population(&fits).is_ok());
    assert!(population(&[]).unwrap_err().to_string().contains("at least 3 sensors"));
    assert!(broken(&|fits| drop(fits.pop())).contains("at least 4 sensors, and there are 3"));
    assert!(broken(&|fits| fits[2].residual_std = 0.0).contains("fit 3: residual_std"));
    assert!(broken(&|fits| fits[1].parameters[0] = f64::NAN).contains("fit 2: parameters"));
    assert!(broken(&|fits| fits[1].covariance[0][1] = 2.0).contains("fit 2: covariance"));
    assert!(broken(&|fits| fits[3].degrees_of_freedom = -1.0).contains("fit 4: degrees_of_freedom"));
    assert!(
        broken(&|fits| fits[1].parameter_names[1] = "b1".into()).contains("fit 2 has the parameters a, b1")
    );
    let tiny: &[&[f64]] = &[&[1e-30, 0.0], &[0.0, 1e-30]];
    let alike = vec![
        fitted(&[1.0, 2.0], tiny),
        fitted(&[2.0, 3.0], tiny),
        fitted(&[3.0, 4.0], tiny),
        fitted(&[4.0, 5.0], tiny),
    ];
    assert!(population(&alike).unwrap_err().to_string().contains("do not differ"), "on one line");
}

/// A line y = a + b x about another zero of x is the same line, and so is its population.
#[test]
fn another_zero_of_x_is_the_same_population() {
    let mut draws = Seeded::new(3);
    let fits: Vec<Fitted> = (0..12)
        .map(|_| {
            let (u, v) = (0.2 + draws.uniform(), 0.2 + draws.uniform());
            let (a, b) = (draws.normal() * 2.0, 3.0 + draws.normal());
            fitted(&[a, b], &[&[u, 0.3 * (u * v).sqrt()], &[0.3 * (u * v).sqrt(), v]])
        })
        .collect();
    // a' = a + 50 b
    let moved = |fit: &Fitted| {
        let c = &fit.covariance;
        let cross = c[0][1] + 50.0 * c[1][1];
        let square = c[0][0] + 100.0 * c[0][1] + 2500.0 * c[1][1];
        fitted(
            &[fit.parameters[0] + 50.0 * fit.parameters[1], fit.parameters[1]],
            &[&[square, cross], &[cross, c[1][1]]],
        )
    };
    let there = population(&fits.iter().map(moved).collect::<Vec<_>>()).unwrap();
    let back = moved(&population(&fits).unwrap());
    for i in 0..2 {
        near(there.parameters[i], back.parameters[i], 1e-6);
        for j in 0..2 {
            near(there.covariance[i][j], back.covariance[i][j], 1e-6 * back.covariance[i][i].max(1.0));
        }
    }
}

/// RMSE over the range of 400 new sensors' lines: each fitted alone, and with a prior of 30 sensors with 20 pairs.
fn saved(count: usize) -> (f64, f64, f64) {
    let mut draws = Seeded::new(7);
    let fits: Vec<Fitted> = (0..30)
        .map(|_| {
            let pairs = Sensor::draw(&mut draws).pairs(20, &mut draws).unwrap();
            Fitted::of_fit(&bayes::affine(&pairs, &Prior::vague(2)).unwrap()).unwrap()
        })
        .collect();
    let common = population(&fits).unwrap();
    let prior = Prior::from_fit(&common.to_fit()).unwrap();
    let (mut alone, mut with, mut unseen) = (0.0, 0.0, 0.0);
    for _ in 0..400 {
        let sensor = Sensor::draw(&mut draws);
        let pairs = sensor.pairs(count, &mut draws).unwrap();
        alone += sensor.square(&bayes::affine(&pairs, &Prior::vague(2)).unwrap());
        with += sensor.square(&bayes::affine(&pairs, &prior).unwrap());
        unseen += sensor.square(&common.to_fit());
    }
    let rmse = |sum: f64| (sum / 400.0).sqrt();
    (rmse(alone), rmse(with), rmse(unseen))
}

/// Where the tables stand.
fn documented() -> &'static str {
    include_str!("../../../../docs/reference/methods.md")
}

#[test]
fn with_few_pairs_the_others_help() {
    let rows = [3, 5, 10, 30].map(|count| (count, saved(count)));
    for (count, (alone, with, _)) in rows {
        let row = format!("| {count} | {alone:.2} | {with:.2} | {:.0} % |", 100.0 * (1.0 - with / alone));
        assert!(documented().contains(&row), "docs/reference/methods.md lacks {row}");
    }
    let mean = format!("off by {:.1}.", rows[0].1.2);
    assert!(documented().contains(&mean), "docs/reference/methods.md lacks {mean}");
    let share = rows.map(|(_, (alone, with, _))| with / alone);
    assert!(share[0] < 0.5 && share[1] < 0.85 && share[2] < 0.95 && share[3] < 1.0, "{share:?}");
    assert!(share.is_sorted(), "the fewer the pairs, the more they help: {share:?}");
}

proptest! {
    #[test]
    fn a_prior_of_anything_is_a_prior(
        rows in proptest::collection::vec((proptest::array::uniform2(-1e3..1e3f64), proptest::array::uniform2(1e-3..1e3f64), -0.99..0.99f64, 1e-3..1e3f64, 1.0..1e3f64), 4..20),
    ) {
        let fits: Vec<Fitted> = rows.iter().map(|(value, std, r, residual, freedom)| {
            let c = r * std[0] * std[1];
            let mut fit = fitted(value, &[&[std[0] * std[0], c], &[c, std[1] * std[1]]]);
            (fit.residual_std, fit.degrees_of_freedom) = (*residual, *freedom);
            fit
        }).collect();
        let prior = population(&fits).unwrap();
        prop_assert_eq!(prior.fault(), None);
        let data = Pairs::new(vec![Column::new("x", vec![1.0])], Column::new("y", vec![2.0])).unwrap();
        prop_assert!(bayes::affine(&data, &Prior::from_fit(&prior.to_fit()).unwrap()).is_ok());
    }
}
