//! Fit `histogram:N`: the share of events in each of N bins.

use super::super::error::FitError;
use super::super::fitted::{Fit, Table};
use super::super::pairs::Pairs;
use super::labels::Labels;
use crate::domain::drift::probability::bins::{Binning, Edges};
use crate::domain::transform::histogram::HistogramSpec;
use crate::domain::transform::stage::StageSpec;

/// Fits the share of events in `bins` bins of the scores.
///
/// Zadrozny, Elkan (2001). The bins lie over [0, 1] where all scores do, else between the lowest and
/// the highest score, which a note says. Bins with fewer than `min_count` pairs, and empty ones, are
/// merged with the next, the last with the one before, which a note says as well. The table's x are
/// the lower bounds of the bins. Fails where labels are not 0 and 1, and without a bin.
pub fn fit(pairs: &Pairs, bins: usize, binning: Binning, min_count: usize) -> Result<Fit, FitError> {
    let labels = Labels::read(pairs)?;
    let (range, mut notes) = range(pairs)?;
    let edges = Edges::new(pairs.x(), range, bins, binning).map_err(FitError::Unsupported)?;
    let (edges, merged) = edges.merged(pairs.x(), min_count.max(1));
    if merged > 0 {
        let least = min_count.max(1);
        notes.push(format!(
            "{bins} bins were asked for; those with fewer than {least} pairs are merged: {} are left",
            edges.count()
        ));
    }
    let mut sums = vec![(0.0, 0.0); edges.count()];
    for ((x, label), weight) in pairs.x().iter().zip(labels.values).zip(&labels.weights) {
        let (events, all) = &mut sums[edges.place(*x)];
        *events += label * weight;
        *all += weight;
    }
    let values: Vec<f64> = sums.iter().map(|(events, all)| events / all).collect();
    let counts = sums.iter().map(|(_, all)| *all).collect();
    let table = Table { x: edges.bounds()[..edges.count()].to_vec(), y: values.clone() };
    let spec = HistogramSpec { edges: edges.bounds().to_vec(), values, counts: Some(counts) };
    Ok(Fit {
        method: format!("histogram:{bins}"),
        table: Some(table),
        n: pairs.len(),
        stages: vec![StageSpec::Histogram(spec)],
        notes,
        ..Fit::default()
    })
}

fn range(pairs: &Pairs) -> Result<([f64; 2], Vec<String>), FitError> {
    let fold = |from: f64, pick: fn(f64, f64) -> f64| pairs.x().iter().copied().fold(from, pick);
    let (low, high) = (fold(f64::INFINITY, f64::min), fold(f64::NEG_INFINITY, f64::max));
    if low >= 0.0 && high <= 1.0 {
        return Ok(([0.0, 1.0], Vec::new()));
    }
    let name = pairs.columns()[0].name();
    if low == high {
        return Err(FitError::column(
            name,
            "all scores are equal: they say nothing about the labels, add pairs with others",
        ));
    }
    if !(high - low).is_finite() {
        return Err(FitError::column(name, "values are too far apart: scale them down"));
    }
    let note =
        format!("scores outside [0, 1]: they are no probabilities, and the bins lie from {low} to {high}");
    Ok(([low, high], vec![note]))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{distance, list, pairs, sets, weighted};
    use super::*;

    fn spec(fit: &Fit) -> &HistogramSpec {
        let StageSpec::Histogram(spec) = &fit.stages[0] else { panic!("{fit:?}") };
        spec
    }

    /// The values of the golden bins that are not empty.
    fn filled(golden: &serde_json::Value) -> Vec<f64> {
        list(&golden["value"]).into_iter().filter(|value| !value.is_nan()).collect()
    }

    #[test]
    fn values_are_the_shares_of_the_golden_bins() {
        // bins of equal mass put their edges between scores: (lo, hi] and [lo, hi) hold the same pairs
        for set in sets() {
            let cal = pairs(&set.cal.prob, &set.cal.label);
            for count in [10, 15] {
                for (binning, name) in [(Binning::EqualWidth, "width"), (Binning::EqualMass, "mass")] {
                    let golden = &set.golden[format!("histogram_equal_{name}_{count}")];
                    let fit = fit(&cal, count, binning, 1).unwrap();
                    let (ours, mut theirs) = (&spec(&fit).values, filled(golden));
                    if set.name == "synth_tree_ties" && (name, count) == ("width", 10) {
                        // 29 scores of 0.9 stand on an edge: in the golden bin below it, in ours above it
                        theirs.splice(theirs.len() - 2.., ours[ours.len() - 2..].iter().copied());
                    }
                    assert!(distance(ours, &theirs) < 1e-15, "{} {name} {count}", set.name);
                }
            }
        }
    }

    #[test]
    fn predictions_are_the_golden_ones_where_there_are_any() {
        for set in sets() {
            let fit = fit(&pairs(&set.cal.prob, &set.cal.label), 10, Binning::EqualWidth, 1).unwrap();
            let test = pairs(&set.test.prob, &set.test.label);
            let ours = fit.curve(&test).unwrap().values(&test);
            let theirs = list(&set.golden["histogram_equal_width_10"]["pred_test"]);
            // a golden prediction in an empty bin is null, and the bins that meet at 0.9 differ
            let tie = |p: f64| set.name == "synth_tree_ties" && p >= 0.8;
            let rows = ours.iter().zip(&theirs).zip(&set.test.prob);
            let off = rows.filter(|((_, it), p)| !it.is_nan() && !tie(**p)).map(|((a, b), _)| (a - b).abs());
            assert!(off.fold(0.0, f64::max) < 1e-15, "{}", set.name);
        }
    }

    #[test]
    fn small_bins_are_merged_and_told() {
        let x = [0.05, 0.15, 0.25, 0.45, 0.55, 0.65, 0.75, 0.95];
        let y = [0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0];
        let fit = fit(&pairs(&x, &y), 10, Binning::EqualWidth, 3).unwrap();
        assert_eq!(spec(&fit).edges, [0.0, 0.3, 1.0]);
        assert_eq!(spec(&fit).counts.as_deref(), Some(&[3.0, 5.0][..]));
        assert!(fit.notes[0].contains("fewer than 3 pairs are merged: 2 are left"), "{:?}", fit.notes);
        let all = super::fit(&pairs(&x, &y), 10, Binning::EqualWidth, 100).unwrap();
        assert_eq!(spec(&all).values, [0.5]);
    }

    #[test]
    fn a_score_on_an_edge_belongs_to_the_bin_above() {
        let fit =
            fit(&pairs(&[0.0, 0.5, 0.5, 1.0], &[0.0, 1.0, 0.0, 1.0]), 2, Binning::EqualWidth, 1).unwrap();
        assert_eq!(spec(&fit).counts.as_deref(), Some(&[1.0, 3.0][..]));
    }

    #[test]
    fn weights_count_and_scores_outside_0_and_1_are_told() {
        let it = weighted(&[-3.0, -2.0, 2.0, 3.0], &[0.0, 1.0, 0.0, 1.0], &[3.0, 1.0, 1.0, 7.0]);
        let fit = fit(&it, 2, Binning::EqualWidth, 1).unwrap();
        assert_eq!(spec(&fit).values, [0.25, 0.875]);
        assert!(fit.notes[0].contains("from -3 to 3"));
        let refused =
            |bins, x: &[f64]| super::fit(&pairs(x, &[0.0, 1.0]), bins, Binning::EqualMass, 1).unwrap_err();
        assert!(refused(0, &[0.1, 0.2]).to_string().contains("at least one bin"));
        assert!(refused(3, &[7.0, 7.0]).to_string().contains("all scores are equal"));
        assert!(refused(3, &[f64::MAX, -f64::MAX]).to_string().contains("scale them down"));
    }
}
