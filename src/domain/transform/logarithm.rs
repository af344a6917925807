//! Stage `logarithm`: y = a + b ln x.

use serde::{Deserialize, Serialize};

use super::artifact::ContentError;
use super::check::{covariance, finite, invalid};
use super::stage::Local;
use crate::domain::uncertainty::covariance::Factor;

/// The stage as written in an artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogarithmSpec {
    /// [a, b].
    pub parameters: [f64; 2],
    /// Their covariance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covariance: Option<Vec<Vec<f64>>>,
}

/// The stage as it runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Logarithm {
    a: f64,
    b: f64,
    factor: Factor,
}

impl Logarithm {
    /// dy/dx = b / x; dy/d(a, b) = (1, ln x). No value at x <= 0.
    #[inline(never)]
    pub(super) fn at(&self, x: f64) -> Local {
        if x <= 0.0 {
            return Local::none();
        }
        let log = x.ln();
        Local::inside(self.a + self.b * log, self.b / x, self.factor.variance_of_polynomial(log))
    }

    pub(super) fn invert(&self, y: f64) -> f64 {
        ((y - self.a) / self.b).exp()
    }
}

/// Checks the stage that stands at `path`.
pub(super) fn compile(spec: &LogarithmSpec, path: &str) -> Result<Logarithm, ContentError> {
    let [a, b] = spec.parameters;
    finite(a, path, "parameters[0]")?;
    finite(b, path, "parameters[1]")?;
    if b == 0.0 {
        return Err(invalid(path, "parameters[1]", "a factor of 0 makes every reading equal"));
    }
    let factor = covariance(spec.covariance.as_deref(), 2, path)?;
    Ok(Logarithm { a, b, factor })
}
