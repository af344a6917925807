//! Stage `platt`: p = 1 / (1 + e^(a x + b)), a probability from a score.

use serde::{Deserialize, Serialize};

use super::artifact::ContentError;
use super::check::{covariance, finite, invalid};
use super::sigmoid::{logit, sigmoid};
use super::stage::Local;
use crate::domain::uncertainty::covariance::Factor;

/// The stage as written in an artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlattSpec {
    /// a, per input unit; negative where a high score speaks for the event.
    pub a: f64,
    /// b.
    pub b: f64,
    /// The covariance of (a, b).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covariance: Option<Vec<Vec<f64>>>,
}

/// The stage as it runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Platt {
    a: f64,
    b: f64,
    factor: Factor,
}

impl Platt {
    /// dp/dx = -a p (1 - p); dp/d(a, b) = -p (1 - p) (x, 1).
    #[inline(always)]
    pub(super) fn at(&self, x: f64) -> Local {
        let (p, w) = sigmoid(-(self.a * x + self.b));
        // multiplied first: w is 0 where x squared would overflow
        Local::inside(p, -self.a * w, self.factor.variance_along([w * x, w].into_iter()))
    }

    /// x = -(logit p + b) / a; not finite for 0 and 1.
    pub(super) fn invert(&self, p: f64) -> f64 {
        -(logit(p) + self.b) / self.a
    }
}

/// Checks the stage that stands at `path`.
pub(super) fn compile(spec: &PlattSpec, path: &str) -> Result<Platt, ContentError> {
    finite(spec.a, path, "a")?;
    finite(spec.b, path, "b")?;
    if spec.a == 0.0 {
        return Err(invalid(path, "a", "0 makes every reading equal"));
    }
    let factor = covariance(spec.covariance.as_deref(), 2, path)?;
    Ok(Platt { a: spec.a, b: spec.b, factor })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(a: f64, b: f64, covariance: Option<Vec<Vec<f64>>>) -> Platt {
        compile(&PlattSpec { a, b, covariance }, "").unwrap()
    }

    #[test]
    fn variance_is_that_of_the_parameters() {
        let covariance = vec![vec![0.04, -0.01], vec![-0.01, 0.09]];
        let (a, b, x, h) = (-1.3, 0.4, 0.7, 1e-6);
        let change = |to: Platt, from: Platt| (to.at(x).value - from.at(x).value) / (2.0 * h);
        let by_a = change(made(a + h, b, None), made(a - h, b, None));
        let by_b = change(made(a, b + h, None), made(a, b - h, None));
        let expected = 0.04 * by_a * by_a - 0.02 * by_a * by_b + 0.09 * by_b * by_b;
        assert!((made(a, b, Some(covariance)).at(x).variance / expected - 1.0).abs() < 1e-8);
    }

    #[test]
    fn is_certain_far_out_and_has_no_value_beyond_all_numbers() {
        let it = made(-1.0, 0.0, Some(vec![vec![1.0, 0.0], vec![0.0, 1.0]]));
        let far = it.at(1e300);
        assert_eq!((far.value, far.slope, far.variance), (1.0, 0.0, 0.0));
        assert_eq!(it.at(-1e300).value, 0.0);
        assert!(it.at(f64::INFINITY).value.is_nan() && it.at(f64::NAN).value.is_nan());
        assert!(compile(&PlattSpec { a: 0.0, b: 1.0, covariance: None }, "").is_err());
    }
}
