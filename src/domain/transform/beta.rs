//! Stage `beta`: logit p = a ln s - b ln(1 - s) + c, a probability from a probability.

use serde::{Deserialize, Serialize};

use super::artifact::ContentError;
use super::check::{covariance, finite, invalid};
use super::root;
use super::sigmoid::{logit, sigmoid};
use super::stage::Local;
use crate::domain::uncertainty::covariance::Factor;

/// The stage as written in an artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BetaSpec {
    /// a, at least 0.
    pub a: f64,
    /// b, at least 0; a and b are not both 0.
    pub b: f64,
    /// c.
    pub c: f64,
    /// The covariance of (a, b, c).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covariance: Option<Vec<Vec<f64>>>,
}

/// Probabilities closer than this to 0 or 1 are taken to be this far away: their logarithms are
/// not finite, or say more about rounding than about the event.
pub const CLIP: f64 = f64::EPSILON;

/// The stage as it runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Beta {
    a: f64,
    b: f64,
    c: f64,
    factor: Factor,
}

impl Beta {
    /// dp/ds = p (1 - p) (a / s + b / (1 - s)), 0 where s is clipped; dp/d(a, b, c) =
    /// p (1 - p) (ln s, -ln(1 - s), 1). There is no value outside [0, 1].
    #[inline(always)]
    pub(super) fn at(&self, x: f64) -> Local {
        if !(0.0..=1.0).contains(&x) {
            return Local::inside(f64::NAN, f64::NAN, f64::NAN);
        }
        let s = x.clamp(CLIP, 1.0 - CLIP);
        let (ln_s, ln_rest) = logarithms(s);
        let (p, w) = sigmoid(self.a * ln_s - self.b * ln_rest + self.c);
        let slope = if s == x { w * (self.a / s + self.b / (1.0 - s)) } else { 0.0 };
        let gradient = [w * ln_s, -w * ln_rest, w];
        Local::inside(p, slope, self.factor.variance_along(gradient.into_iter()))
    }

    /// s, found by Newton's method: the logit rises with it.
    pub(super) fn invert(&self, p: f64) -> Option<f64> {
        let wanted = logit(p);
        root::solve(CLIP, 1.0 - CLIP, |s| {
            let (ln_s, ln_rest) = logarithms(s);
            (self.a * ln_s - self.b * ln_rest + self.c - wanted, self.a / s + self.b / (1.0 - s))
        })
    }
}

/// ln s and ln(1 - s).
#[inline(always)]
pub(crate) fn logarithms(s: f64) -> (f64, f64) {
    // from a half on the difference is exact, and its logarithm takes half as long
    let rest = if s >= 0.5 { (1.0 - s).ln() } else { (-s).ln_1p() };
    (s.ln(), rest)
}

/// Checks the stage that stands at `path`.
pub(super) fn compile(spec: &BetaSpec, path: &str) -> Result<Beta, ContentError> {
    for (value, field) in [(spec.a, "a"), (spec.b, "b")] {
        finite(value, path, field)?;
        if value < 0.0 {
            return Err(invalid(path, field, "expected at least 0: p would fall where s rises"));
        }
    }
    finite(spec.c, path, "c")?;
    if spec.a == 0.0 && spec.b == 0.0 {
        return Err(invalid(path, "a", "a and b of 0 make every reading equal"));
    }
    let factor = covariance(spec.covariance.as_deref(), 3, path)?;
    Ok(Beta { a: spec.a, b: spec.b, c: spec.c, factor })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(a: f64, b: f64, c: f64, covariance: Option<Vec<Vec<f64>>>) -> Beta {
        compile(&BetaSpec { a, b, c, covariance }, "").unwrap()
    }

    #[test]
    fn variance_is_that_of_the_parameters() {
        let covariance = vec![vec![0.04, -0.01, 0.0], vec![-0.01, 0.09, 0.02], vec![0.0, 0.02, 0.05]];
        let (x, h) = (0.2, 1e-6);
        let at = |step: [f64; 3]| made(0.6 + step[0], 1.1 + step[1], 0.3 + step[2], None).at(x).value;
        let gradient: [f64; 3] = std::array::from_fn(|k| {
            let step = |h: f64| std::array::from_fn(|i| if i == k { h } else { 0.0 });
            (at(step(h)) - at(step(-h))) / (2.0 * h)
        });
        let terms = (0..9).map(|it| covariance[it / 3][it % 3] * gradient[it / 3] * gradient[it % 3]);
        let expected: f64 = terms.sum();
        let variance = made(0.6, 1.1, 0.3, Some(covariance)).at(x).variance;
        assert!((variance / expected - 1.0).abs() < 1e-8, "{variance} {expected}");
    }

    #[test]
    fn the_ends_are_clipped_and_nothing_is_beyond_them() {
        let it = made(1.0, 1.0, 0.0, None);
        assert_eq!((it.at(0.0).value, it.at(0.0).slope), (it.at(CLIP).value, 0.0));
        assert!((it.at(1.0).value - 1.0).abs() < 1e-15);
        // with these parameters it changes nothing
        assert!((it.at(0.3).value - 0.3).abs() < 1e-15 && (it.at(0.3).slope - 1.0).abs() < 1e-14);
        for x in [-1e-300, 1.0f64.next_up(), f64::NAN] {
            assert!(it.at(x).value.is_nan());
        }
        for (a, b) in [(-0.1, 1.0), (1.0, -0.1), (0.0, 0.0), (f64::NAN, 1.0)] {
            assert!(compile(&BetaSpec { a, b, c: 0.0, covariance: None }, "").is_err());
        }
    }
}
