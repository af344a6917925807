//! Stage `venn_abers`: the two probabilities of inductive Venn-Abers prediction, and their merger.

use serde::{Deserialize, Serialize};

use super::artifact::ContentError;
use super::check::invalid;
use super::stage::Local;
use super::steps;

/// The stage as written in an artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VennAbersSpec {
    /// Scores, strictly increasing; 1 to [`steps::MAX_STEPS`] of them.
    pub x: Vec<f64>,
    /// The probability if the event's label were 0: `p0[i]` from `x[i]` on until before the next
    /// score, and 0 before the first. Does not fall.
    pub p0: Vec<f64>,
    /// The probability if the event's label were 1: `p1[i]` after the score before until `x[i]`, and
    /// 1 after the last. Does not fall, and is at least `p0`.
    pub p1: Vec<f64>,
}

/// The stage as it runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct VennAbers {
    x: Box<[f64]>,
    p0: Box<[f64]>,
    p1: Box<[f64]>,
}

impl VennAbers {
    /// p = p1 / (1 - p0 + p1), which minimises the regret of log loss (Vovk, Petej, Fedorova 2015).
    /// dp/dx = 0 between the scores. p0 and p1 say how sure it is, no variance does.
    #[inline(always)]
    pub(super) fn at(&self, x: f64) -> Local {
        let [p0, p1] = self.both(x);
        Local::inside(p1 / (1.0 - p0 + p1), 0.0, 0.0)
    }

    /// p0 and p1 at `x`; NaN where it is not finite.
    #[inline(always)]
    pub(super) fn both(&self, x: f64) -> [f64; 2] {
        if !x.is_finite() {
            return [f64::NAN; 2];
        }
        let reached = self.x.partition_point(|score| *score <= x);
        let at_score = reached > 0 && self.x[reached - 1] == x;
        let p0 = if reached == 0 { 0.0 } else { self.p0[reached - 1] };
        let p1 = self.p1.get(reached - usize::from(at_score)).copied().unwrap_or(1.0);
        [p0, p1]
    }

    /// Inputs on, before and behind each jump.
    pub(super) fn knots(&self) -> impl Iterator<Item = f64> {
        self.x.iter().flat_map(|x| [x.next_down(), *x, x.next_up()])
    }
}

/// Checks the stage that stands at `path`.
pub(super) fn compile(spec: &VennAbersSpec, path: &str) -> Result<VennAbers, ContentError> {
    steps::inputs(&spec.x, 1, path, "x")?;
    for (values, field) in [(&spec.p0, "p0"), (&spec.p1, "p1")] {
        let wanted = "expected a probability from 0 to 1";
        steps::column(values, spec.x.len(), steps::probability, wanted, path, field)?;
        if let Some(at) = values.windows(2).position(|pair| pair[1] < pair[0]) {
            return Err(invalid(path, &format!("{field}[{}]", at + 1), "expected values that do not fall"));
        }
    }
    if let Some(at) = spec.p0.iter().zip(&spec.p1).position(|(p0, p1)| p0 > p1) {
        return Err(invalid(path, &format!("p0[{at}]"), "expected at most p1"));
    }
    let copy = |values: &Vec<f64>| values.as_slice().into();
    Ok(VennAbers { x: copy(&spec.x), p0: copy(&spec.p0), p1: copy(&spec.p1) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_name_their_field() {
        for (x, p0, p1, path) in [
            (&[][..], &[][..], &[][..], "x"),
            (&[2.0, 1.0], &[0.0, 0.1], &[0.5, 0.6], "x[1]"),
            (&[1.0, 2.0], &[0.0], &[0.5, 0.6], "p0"),
            (&[1.0, 2.0], &[0.0, 0.1], &[0.5, 1.6], "p1[1]"),
            (&[1.0, 2.0], &[0.2, 0.1], &[0.5, 0.6], "p0[1]"),
            (&[1.0, 2.0], &[0.0, 0.1], &[0.5, 0.4], "p1[1]"),
            (&[1.0, 2.0], &[0.0, 0.7], &[0.5, 0.6], "p0[1]"),
        ] {
            let spec = VennAbersSpec { x: x.to_vec(), p0: p0.to_vec(), p1: p1.to_vec() };
            assert_eq!(compile(&spec, "").unwrap_err().path, path, "{spec:?}");
        }
    }

    #[test]
    fn never_divides_by_nothing() {
        // the only way to a denominator of 0 is p0 = 1 and p1 = 0, which the checks exclude
        let spec = VennAbersSpec { x: vec![1.0], p0: vec![1.0], p1: vec![1.0] };
        assert_eq!(compile(&spec, "").unwrap().at(1.0).value, 1.0);
        let spec = VennAbersSpec { x: vec![1.0], p0: vec![0.0], p1: vec![0.0] };
        assert_eq!(compile(&spec, "").unwrap().at(1.0).value, 0.0);
    }
}
