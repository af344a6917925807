//! Stage `histogram`: the share of events in the bin that the input falls into.

use serde::{Deserialize, Serialize};

use super::artifact::ContentError;
use super::stage::Local;
use super::steps;

/// The stage as written in an artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistogramSpec {
    /// Bounds of the bins, strictly increasing, one more than there are bins. A bin holds its lower
    /// bound and not its upper one; the last one holds both. What is below or above all bins falls
    /// into the nearest.
    pub edges: Vec<f64>,
    /// The value of each bin, from 0 to 1.
    pub values: Vec<f64>,
    /// The pairs behind each value: they give the uncertainty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Vec<f64>>,
}

/// The stage as it runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Histogram {
    /// The bounds between bins.
    inner: Box<[f64]>,
    /// Value and variance of each bin.
    bins: Box<[(f64, f64)]>,
}

impl Histogram {
    /// dy/dx = 0: within a bin the input does not matter.
    #[inline(always)]
    pub(super) fn at(&self, x: f64) -> Local {
        if !x.is_finite() {
            return Local::inside(f64::NAN, f64::NAN, f64::NAN);
        }
        let (value, variance) = self.bins[self.inner.partition_point(|edge| *edge <= x)];
        Local::inside(value, 0.0, variance)
    }

    /// Inputs on both sides of each jump.
    pub(super) fn knots(&self) -> impl Iterator<Item = f64> {
        self.inner.iter().flat_map(|edge| [edge.next_down(), *edge])
    }
}

/// Checks the stage that stands at `path`.
pub(super) fn compile(spec: &HistogramSpec, path: &str) -> Result<Histogram, ContentError> {
    steps::inputs(&spec.edges, 2, path, "edges")?;
    let count = spec.edges.len() - 1;
    let wanted = "expected a share of events from 0 to 1";
    steps::column(&spec.values, count, steps::probability, wanted, path, "values")?;
    if let Some(counts) = &spec.counts {
        let wanted = "expected a number of pairs above 0";
        steps::column(counts, count, steps::weight, wanted, path, "counts")?;
    }
    let variance = |bin: usize| {
        let u = spec.counts.as_ref().map_or(0.0, |counts| steps::binomial(spec.values[bin], counts[bin]));
        u * u
    };
    let bins = spec.values.iter().enumerate().map(|(bin, value)| (*value, variance(bin))).collect();
    Ok(Histogram { inner: spec.edges[1..count].into(), bins })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(edges: &[f64], values: &[f64]) -> HistogramSpec {
        HistogramSpec { edges: edges.to_vec(), values: values.to_vec(), counts: None }
    }

    #[test]
    fn a_bin_holds_its_lower_bound_and_the_ends_hold_what_is_beyond() {
        let it = compile(&spec(&[0.0, 0.25, 0.5, 1.0], &[0.1, 0.7, 0.4]), "").unwrap();
        let values = [-1.0, 0.0, 0.25f64.next_down(), 0.25, 0.5, 1.0, 7.0].map(|x| it.at(x).value);
        assert_eq!(values, [0.1, 0.1, 0.1, 0.7, 0.4, 0.4, 0.4]);
        assert!(it.at(f64::NAN).value.is_nan() && it.at(f64::INFINITY).value.is_nan());
        let one = HistogramSpec { counts: Some(vec![25.0]), ..spec(&[0.0, 1.0], &[0.4]) };
        let variance = compile(&one, "").unwrap().at(0.3).variance;
        assert!((variance.sqrt() - steps::binomial(0.4, 25.0)).abs() < 1e-15);
    }

    #[test]
    fn faults_name_their_field() {
        for (edges, values, path) in [
            (&[0.0][..], &[][..], "edges"),
            (&[0.0, 0.0], &[0.5], "edges[1]"),
            (&[0.0, 1.0], &[0.5, 0.5], "values"),
            (&[0.0, 1.0], &[1.5], "values[0]"),
        ] {
            assert_eq!(compile(&spec(edges, values), "").unwrap_err().path, path);
        }
        let counted = HistogramSpec { counts: Some(vec![0.0]), ..spec(&[0.0, 1.0], &[0.4]) };
        assert_eq!(compile(&counted, "").unwrap_err().path, "counts[0]");
    }
}
