mod coverage;
mod memory;
mod properties;
mod sliding;

use super::*;
use crate::domain::drift::cohort::{Cohort, Cohorts};
use crate::domain::drift::pair::Facts;
use crate::domain::transform::artifact::Condition;
use crate::domain::uncertainty::decision::Combine;

const HOUR: i64 = 3_600_000_000;

/// An hour of a fixed day, which is also the beginning of a pane.
fn at(hours: i64) -> Timestamp {
    Timestamp::parse("2026-11-19T00:00:00Z").unwrap().saturating_add_micros(hours * HOUR)
}

fn measured(hours: i64, error: f64) -> Pair {
    Pair::new(Kind::Measurement, Facts::new(at(hours), 20.0 + error, 20.0)).unwrap()
}

fn predicted(hours: i64, p: f64, label: f64) -> Pair {
    Pair::new(Kind::Probability, Facts { raw: Some(p * p), ..Facts::new(at(hours), p, label) }).unwrap()
}

#[test]
fn four_pairs_by_hand() {
    let mpe = Mpe { absolute: Some(1.5), relative: None, combine: Combine::Max };
    let mut window = Window::new(Setup { mpe: Some(mpe), ..Setup::new(Kind::Measurement) });
    let rows = [(1.0, 0.0), (3.0, 2.0), (4.0, 4.0), (8.0, 6.0)];
    for (hours, (value, reference)) in rows.into_iter().enumerate() {
        // panes of 12 hours
        let facts = Facts {
            raw: Some(reference + 5.0),
            u: Some(0.3),
            u_reference: Some(0.4),
            overdue: hours == 2,
            ..Facts::new(at(8 * hours as i64), value, reference)
        };
        assert_eq!(window.add(&Pair::new(Kind::Measurement, facts).unwrap(), at(24)), Placed::InOrder);
    }
    let report = window.report(at(24), None);
    let scores = report.calibrated;
    assert_eq!((scores.n, scores.bias, scores.mae), (4, Some(1.0), Some(1.0)));
    assert_eq!((scores.rmse, scores.std), (Some(1.5f64.sqrt()), Some((2.0f64 / 3.0).sqrt())));
    // U = 2 * 0.5 = 1: E_n are the errors 1, 1, 0, 2
    assert_eq!((scores.en_mean, scores.en_within_1, scores.en_pairs), (Some(1.0), Some(0.75), 4));
    assert_eq!(scores.within_mpe, Some(0.75));
    // deviations 0, 0, -1, 1: r1 = -1/2, which gains nothing
    assert_eq!(scores.n_effective, Some(4.0));
    assert!((scores.u_bias.unwrap() - (2.0f64 / 3.0 / 4.0 + 0.16).sqrt()).abs() < 1e-15);
    assert_eq!((scores.ece, scores.brier, report.overdue), (None, None, 1));
    assert_eq!((report.raw.bias, report.raw.rmse, report.raw.std), (Some(5.0), Some(5.0), Some(0.0)));
    assert_eq!(report.window, [at(24 - 13 * 12), at(24)]);
}

#[test]
fn what_one_pair_cannot_say_is_none() {
    let mut window = Window::new(Setup::new(Kind::Measurement));
    assert_eq!(window.report(at(0), None).calibrated, Scores::default());
    window.add(&measured(0, 2.0), at(0));
    let report = window.report(at(0), None);
    let scores = report.calibrated;
    assert_eq!((scores.n, scores.bias, scores.rmse, scores.mae), (1, Some(2.0), Some(2.0), Some(2.0)));
    assert_eq!((scores.std, scores.u_bias, scores.en_mean, scores.within_mpe), (None, None, None, None));
    assert_eq!((report.raw, report.bins.len(), report.overdue), (Scores::default(), 0, 0));
}

#[test]
fn an_error_of_exactly_the_mpe_is_within_it() {
    let mpe = Mpe { absolute: Some(0.1), relative: None, combine: Combine::Max };
    let mut window = Window::new(Setup { mpe: Some(mpe), ..Setup::new(Kind::Measurement) });
    for (hour, value) in [1.1, 0.9, 1.11, 1.0].into_iter().enumerate() {
        let facts = Facts::new(at(hour as i64), value, 1.0);
        window.add(&Pair::new(Kind::Measurement, facts).unwrap(), at(4));
    }
    assert_eq!(window.report(at(4), None).calibrated.within_mpe, Some(0.75));
}

#[test]
fn an_mpe_of_nothing_decides_nothing() {
    let mpe = Mpe { absolute: None, relative: Some(0.1), combine: Combine::Max };
    let mut window = Window::new(Setup { mpe: Some(mpe), ..Setup::new(Kind::Measurement) });
    let zero = Facts::new(at(0), 0.1, 0.0);
    window.add(&Pair::new(Kind::Measurement, zero).unwrap(), at(0));
    assert_eq!(window.report(at(0), None).calibrated.within_mpe, None);
    window.add(&measured(0, 2.0), at(0));
    assert_eq!(window.report(at(0), None).calibrated.within_mpe, Some(1.0));
}

#[test]
fn probabilities_by_hand() {
    let mut window = Window::new(Setup::new(Kind::Probability));
    for (hours, (p, label)) in [(0.5, 1.0), (0.5, 0.0), (1.0, 1.0), (0.0, 0.0)].into_iter().enumerate() {
        assert_eq!(window.add(&predicted(hours as i64, p, label), at(4)), Placed::InOrder);
    }
    let report = window.report(at(4), None);
    let scores = report.calibrated;
    assert_eq!((scores.n, scores.ece, scores.mce, scores.brier), (4, Some(0.0), Some(0.0), Some(0.125)));
    assert!((scores.log_loss.unwrap() - 0.5 * 2f64.ln()).abs() < 1e-14);
    assert_eq!((scores.bias, report.bins.len(), report.bins[7].count), (Some(0.0), 15, 2));
    // 0.25 for both
    assert_eq!((report.raw.ece, report.raw.brier), (Some(0.125), Some(0.15625)));
    assert_eq!(report.raw_bins[3].observed, Some(0.5));
    assert_eq!(window.add(&measured(0, 0.1), at(4)), Placed::OtherKind);
}

#[test]
fn raw_values_that_are_no_probabilities_have_no_bins() {
    let mut window = Window::new(Setup::new(Kind::Probability));
    let logit = Facts { raw: Some(-3.0), ..Facts::new(at(0), 0.1, 0.0) };
    window.add(&Pair::new(Kind::Probability, logit).unwrap(), at(0));
    let report = window.report(at(0), None);
    assert_eq!((report.raw.bias, report.raw.ece, report.raw_bins.len()), (Some(-3.0), None, 0));
}

fn temperatures() -> Cohorts {
    let cohort = |name: &str, above, below| Cohort {
        name: name.to_owned(),
        when: vec![Condition { covariate: "temperature".to_owned(), below, above }],
        ..Cohort::default()
    };
    Cohorts::new(vec![cohort("cold", None, Some(10.0)), cohort("warm", Some(10.0), None)], 3).unwrap()
}

#[test]
fn small_cohorts_fall_back_and_say_so() {
    let cohorts = temperatures();
    let mut windows = Windows::new(Setup::new(Kind::Measurement), cohorts.count());
    for hours in 0..6 {
        let cold = hours % 3 == 0;
        let place = cohorts.place(if cold { "cold" } else { "warm" });
        let facts = Facts { cohort: place, ..*measured(hours, if cold { 3.0 } else { 1.0 }) };
        windows.add(&Pair::new(Kind::Measurement, facts).unwrap(), at(6));
    }
    windows.add(&measured(6, 1.0), at(6));
    let cold = windows.of_cohort(&cohorts, 0, at(6), None).unwrap();
    assert_eq!((cold.cohort.as_deref(), cold.fallback), (Some("cold"), Some(Fallback { n: 2, needed: 3 })));
    assert_eq!((cold.calibrated.n, cold.calibrated.mae), (7, Some(11.0 / 7.0)));
    let warm = windows.of_cohort(&cohorts, 1, at(6), None).unwrap();
    assert_eq!((warm.cohort.as_deref(), warm.fallback), (Some("warm"), None));
    assert_eq!((warm.calibrated.n, warm.calibrated.bias), (4, Some(1.0)));
    assert_eq!(windows.of_cohort(&cohorts, 2, at(6), None), None);
    assert_eq!((windows.all().count(at(6)), windows.all().report(at(6), None).cohort), (7, None));
}

#[test]
fn a_report_is_written_as_metrics_are() {
    let mut window = Window::new(Setup::new(Kind::Measurement));
    window.add(&measured(0, 2.0), at(0));
    let text = serde_json::to_value(window.report(at(0), None)).unwrap();
    let scores = text["calibrated"].as_object().unwrap();
    for name in ["n", "bias", "rmse", "mae", "std", "en_within_1", "within_mpe", "ece", "mce", "brier"] {
        assert!(scores.contains_key(name), "{name}");
        assert!(text["raw"].as_object().unwrap().contains_key(name), "{name}");
    }
    assert_eq!((scores["bias"].as_f64(), &scores["std"]), (Some(2.0), &serde_json::Value::Null));
    assert_eq!(text["window"][1], "2026-11-19T00:00:00.000000Z");
    assert_eq!((&text["cohort"], &text["fallback"]), (&serde_json::Value::Null, &serde_json::Value::Null));
}
