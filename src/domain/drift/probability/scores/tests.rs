use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::domain::fit::probability::testing::{distance, list, pairs, sets};

/// Predictions and labels with the golden scores, by a name.
fn cases() -> Vec<(String, Vec<f64>, Vec<f64>, Value)> {
    let mut cases = Vec::new();
    for set in sets() {
        let golden = &set.golden;
        let platt = list(&golden["platt"]["exact_smoothed_targets"]["pred_test"]);
        // what scikit-learn's isotonic regression predicted was scored
        let isotonic = list(&golden["isotonic_on_prob"]["pred_test"]);
        for (key, predicted, labels) in [
            ("metrics_uncalibrated_test", set.test.prob.clone(), set.test.label.clone()),
            ("metrics_uncalibrated_cal", set.cal.prob.clone(), set.cal.label.clone()),
            ("metrics_after_platt_test", platt, set.test.label.clone()),
            ("metrics_after_isotonic_test", isotonic, set.test.label.clone()),
        ] {
            cases.push((format!("{} {key}", set.name), predicted, labels, golden[key].clone()));
        }
    }
    let text = include_str!("../../../../../tests/data/probcal/edge_cases.golden.json");
    let golden: Value = serde_json::from_str(text).unwrap();
    cases.push(("edge cases".to_owned(), list(&golden["p"]), list(&golden["y"]), golden["metrics"].clone()));
    cases
}

fn score(predicted: &[f64], labels: &[f64], bins: usize, binning: Binning) -> ProbabilityScores {
    evaluate(&pairs(predicted, labels), &Options { bins, binning, ..Options::default() }).unwrap()
}

fn close(ours: f64, theirs: &Value) -> bool {
    (ours - theirs.as_f64().unwrap()).abs() < 1e-12
}

#[test]
fn agree_with_the_golden_scores() {
    for (name, predicted, labels, golden) in cases() {
        let scores = score(&predicted, &labels, 15, Binning::EqualWidth);
        assert!(close(scores.brier, &golden["brier"]), "{name}");
        // the isotonic predictions of 0 and 1 are clipped by 1e-15, whose last digits decide
        assert!(close(scores.log_loss, &golden["log_loss_clip1e-15"]), "{name}: {}", scores.log_loss);
        let unique = &golden["murphy_unique_values"];
        let ours = scores.murphy_by_values;
        for (value, key) in [
            (ours.reliability, "reliability"),
            (ours.resolution, "resolution"),
            (ours.uncertainty, "uncertainty"),
            (ours.within_bin_variance, "within_bin_variance"),
            (ours.within_bin_covariance, "within_bin_covariance"),
        ] {
            assert!(unique.is_null() || close(value, &unique[key]), "{name} {key}");
        }
    }
}

#[test]
fn bins_of_equal_width_are_the_golden_ones_closed_on_the_left() {
    for (name, predicted, labels, golden) in cases() {
        for count in [10, 15] {
            let golden = &golden[format!("equal_width_{count}_left_closed")];
            let scores = score(&predicted, &labels, count, Binning::EqualWidth);
            assert!(close(scores.ece, &golden["ece"]) && close(scores.mce, &golden["mce"]), "{name} {count}");
            let theirs = golden["bins"].as_array().unwrap();
            assert_eq!(scores.bins.len(), theirs.len());
            for (ours, theirs) in scores.bins.iter().zip(theirs) {
                assert_eq!(ours.count, theirs["count"].as_u64().unwrap() as usize, "{name} {count}");
                assert!(ours.mean_predicted.is_none_or(|it| close(it, &theirs["mean_pred"])), "{name}");
                assert!(ours.observed.is_none_or(|it| close(it, &theirs["frac_pos"])), "{name}");
            }
        }
    }
}

#[test]
fn bins_of_equal_mass_are_those_between_quantiles() {
    for (name, predicted, labels, golden) in cases() {
        for count in [10, 15] {
            let golden = &golden[format!("equal_mass_{count}_sklearn_quantile")];
            let scores = score(&predicted, &labels, count, Binning::EqualMass);
            assert!(close(scores.ece, &golden["ece"]) && close(scores.mce, &golden["mce"]), "{name} {count}");
            let column =
                |pick: fn(&Bin) -> Option<f64>| scores.bins.iter().filter_map(pick).collect::<Vec<_>>();
            assert!(distance(&column(|bin| bin.observed), &list(&golden["frac_pos"])) < 1e-12, "{name}");
            assert!(
                distance(&column(|bin| bin.mean_predicted), &list(&golden["mean_pred"])) < 1e-12,
                "{name}"
            );
        }
    }
}

#[test]
fn the_decomposition_by_bins_is_the_golden_one_where_no_prediction_is_on_a_bound() {
    let mut compared = 0;
    for (name, predicted, labels, golden) in cases() {
        for count in [10, 15] {
            let (left, right) = (
                &golden[format!("equal_width_{count}_left_closed")],
                &golden[format!("equal_width_{count}_right_closed")],
            );
            if left["bins"] != right["bins"] {
                continue;
            }
            compared += 1;
            let golden = &golden[format!("murphy_equal_width_{count}_right_closed")];
            let ours = score(&predicted, &labels, count, Binning::EqualWidth).murphy;
            for (value, key) in [
                (ours.reliability, "reliability"),
                (ours.resolution, "resolution"),
                (ours.uncertainty, "uncertainty"),
                (ours.within_bin_variance, "within_bin_variance"),
                (ours.within_bin_covariance, "within_bin_covariance"),
                (ours.brier(), "with_within_bin_terms"),
            ] {
                assert!(close(value, &golden[key]), "{name} {count} {key}");
            }
        }
    }
    assert!(compared >= 8, "{compared}");
}

#[test]
fn intervals_hold_the_score_and_follow_the_seed() {
    let set = &sets()[1];
    let options = Options { resamples: 200, ..Options::default() };
    let scores = evaluate(&pairs(&set.test.prob, &set.test.label), &options).unwrap();
    let intervals = scores.intervals.unwrap();
    for (value, interval) in [(scores.brier, intervals.brier), (scores.log_loss, intervals.log_loss)] {
        assert!(interval.lo < value && value < interval.hi && interval.hi - interval.lo < 0.4 * value);
    }
    assert!(intervals.ece.lo < intervals.ece.hi && intervals.ece.hi > scores.ece);
    // the Brier score is a mean: its standard error is known
    let squares: Vec<f64> =
        set.test.prob.iter().zip(&set.test.label).map(|(p, y)| (p - y) * (p - y)).collect();
    let width = 2.0 * 1.96 * (variance(&squares) / squares.len() as f64).sqrt();
    assert!(((intervals.brier.hi - intervals.brier.lo) / width - 1.0).abs() < 0.2);
    assert_eq!(
        evaluate(&pairs(&set.test.prob, &set.test.label), &options).unwrap().intervals,
        Some(intervals)
    );
    let other = evaluate(&pairs(&set.test.prob, &set.test.label), &Options { seed: 2, ..options }).unwrap();
    assert_ne!(other.intervals, Some(intervals));
}

#[test]
fn fields_are_named_as_on_the_command_line() {
    let options = Options { threshold: Some(0.5), min_count: 2, ..Options::default() };
    let scores = evaluate(&pairs(&[0.1, 0.8, 0.9], &[0.0, 1.0, 0.0]), &options).unwrap();
    let json = serde_json::to_value(&scores).unwrap();
    for name in ["ece", "mce", "brier", "log_loss", "reliability", "resolution", "uncertainty", "n"] {
        assert!(json[name].is_number(), "{name}");
    }
    let bin = json["bins"][0].as_object().unwrap();
    assert_eq!(bin.keys().collect::<Vec<_>>().len(), 5);
    assert!(bin.contains_key("mean_predicted") && bin.contains_key("observed"));
    assert_eq!(json["decisions"]["precision"], 0.5);
    assert!(json["notes"][0].as_str().unwrap().contains("fewer than 2 pairs are merged"));
    assert!(json.get("intervals").is_none());
}

#[test]
fn what_cannot_be_scored_is_told() {
    let text =
        |p: &[f64], y: &[f64], options: Options| evaluate(&pairs(p, y), &options).unwrap_err().to_string();
    let usual = Options::default;
    assert!(
        text(&[0.1, 1.2], &[0.0, 1.0], usual())
            .starts_with("line 2, column `score`: expected a probability from 0 to 1")
    );
    assert!(text(&[0.1, 0.2], &[0.0, 2.0], usual()).starts_with("line 2, column `label`: expected a label"));
    assert!(text(&[0.1], &[0.0], Options { bins: 0, ..usual() }).contains("at least one bin"));
    assert!(text(&[0.1], &[0.0], Options { level: 1.0, resamples: 5, ..usual() }).contains("level"));
    assert!(text(&[0.1], &[0.0], Options { resamples: usize::MAX, ..usual() }).contains("too many"));
    let costs = Some(Costs { false_positive: 0.0, false_negative: 1.0 });
    assert!(text(&[0.1], &[0.0], Options { costs, ..usual() }).contains("above 0"));
    // one class is enough
    assert_eq!(evaluate(&pairs(&[0.0, 0.0], &[0.0, 0.0]), &usual()).unwrap().ece, 0.0);
}

proptest! {
    #[test]
    fn the_terms_add_up_and_the_order_does_not_matter(
        rows in proptest::collection::vec((0.0..=1.0f64, any::<bool>()), 1..60), bins in 1..20usize, least in 0..5usize,
    ) {
        let p: Vec<f64> = rows.iter().map(|row| (row.0 * 32.0).round() / 32.0).collect();
        let y: Vec<f64> = rows.iter().map(|row| f64::from(row.1)).collect();
        for binning in [Binning::EqualWidth, Binning::EqualMass] {
            let options = Options { bins, binning, min_count: least, ..Options::default() };
            let scores = evaluate(&pairs(&p, &y), &options).unwrap();
            prop_assert!((scores.murphy.brier() - scores.brier).abs() < 1e-12);
            prop_assert!((scores.murphy_by_values.brier() - scores.brier).abs() < 1e-12);
            let all = [scores.ece, scores.mce, scores.brier, scores.log_loss, scores.sharpness];
            prop_assert!(all.iter().all(|score| score.is_finite() && *score >= 0.0));
            prop_assert!(scores.ece <= scores.mce + 1e-15 && scores.mce <= 1.0);
            let turned: (Vec<f64>, Vec<f64>) = p.iter().zip(&y).rev().unzip();
            let again = evaluate(&pairs(&turned.0, &turned.1), &options).unwrap();
            prop_assert!((again.ece - scores.ece).abs() < 1e-12 && again.bins.len() == scores.bins.len());
        }
    }
}
