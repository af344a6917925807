//! The two probabilities behind a value by Venn-Abers.

use super::{Compiled, Input, Output, Pipeline};
use crate::domain::transform::domain::Excess;
use crate::domain::transform::stage::{Around, Point, Stage};

impl Compiled {
    /// Adds p0 and p1 of the last stage to an output that has a value.
    ///
    /// The stages before it run once more, so that no other pipeline carries two values along.
    #[inline(never)]
    pub(super) fn with_both(&self, pipeline: &Pipeline, out: Output, input: &Input<'_>) -> Output {
        let Some((Stage::VennAbers(last), before)) = pipeline.stages.split_last() else { return out };
        let Some(around) = self.surroundings(pipeline, input.covariates) else { return out };
        let entered = self.domain.enter(input.raw, &mut Excess::default());
        let around = Around { covariates: &around.values, hold: self.domain.holds() };
        let start = Point::start(entered, 0.0);
        let score = before.iter().fold(start, |point, stage| stage.apply(point, &around)).value;
        Output { p0_p1: out.value.map(|_| last.both(score)), ..out }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::transform::compiled::Covariate;
    use crate::domain::transform::testing::compiled;

    fn steps() -> Value {
        json!({"kind": "venn_abers", "x": [-2, 1, 3], "p0": [0, 0.25, 0.5], "p1": [0.2, 0.5, 1]})
    }

    fn input<'a>(raw: f64, covariates: &'a [Option<Covariate>]) -> Input<'a> {
        Input { raw, u_raw: None, covariates, age_days: 0.0 }
    }

    #[test]
    fn both_probabilities_come_with_the_value_that_they_merge() {
        let it = compiled(json!({"pipeline": [{"kind": "affine", "offset": 1, "gain": 2}, steps()]}));
        for (raw, both) in [
            (-9.0, [0.0, 0.2]),
            (-1.5, [0.0, 0.2]),
            (-1.0, [0.0, 0.5]),
            (0.0, [0.25, 0.5]),
            (0.5, [0.25, 1.0]),
            (1.0, [0.5, 1.0]),
            (9.0, [0.5, 1.0]),
        ] {
            let out = it.apply(&input(raw, &[]));
            assert_eq!(out.p0_p1, Some(both), "{raw}");
            assert_eq!(out.value, Some(both[1] / (1.0 - both[0] + both[1])), "{raw}");
        }
        assert_eq!(it.apply(&input(f64::NAN, &[])).p0_p1, None);
    }

    #[test]
    fn covariates_and_the_domain_move_them_too() {
        let sum =
            json!({"kind": "multilinear", "offset": 0, "gain": 1, "terms": [{"covariate": "t", "gain": 1}]});
        let domain = json!({"input": [-1, 1], "outside": "clamp"});
        let it = compiled(json!({"pipeline": [sum, steps()], "domain": domain}));
        let t = |value| [Some(Covariate { value, u: None })];
        assert_eq!(it.apply(&input(0.0, &t(1.0))).p0_p1, Some([0.25, 0.5]));
        assert_eq!(it.apply(&input(50.0, &t(0.5))).p0_p1, Some([0.25, 1.0]));
        assert_eq!(it.apply(&input(0.0, &[None])).p0_p1, None);
        let rejects =
            compiled(json!({"pipeline": [steps()], "domain": {"input": [-1, 1], "outside": "reject"}}));
        assert_eq!(rejects.apply(&input(2.0, &[])).p0_p1, None);
    }

    #[test]
    fn only_the_last_stage_hands_them_out() {
        let it = compiled(json!({"pipeline": [steps(), {"kind": "affine", "offset": 0, "gain": 100}]}));
        assert_eq!(it.apply(&input(0.0, &[])).p0_p1, None);
    }
}
