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
    (s.ln(), (-s).ln_1p())
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
