//! Stage `saturation`: y = a (1 - e^(-b x)).

use serde::{Deserialize, Serialize};

use super::artifact::ContentError;
use super::check::{all_finite, covariance, not_zero};
use super::exponential::finite;
use super::stage::Local;
use crate::domain::uncertainty::covariance::Factor;

/// The stage as written in an artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SaturationSpec {
    /// [a, b]: a in the unit of the stage's output, b per input unit.
    pub parameters: [f64; 2],
    /// The covariance of (a, b).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covariance: Option<Vec<Vec<f64>>>,
}

/// The stage as it runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Saturation {
    parameters: [f64; 2],
    factor: Factor,
}

impl Saturation {
    /// dy/dx = a b e^(-b x); dy/d(a, b) = (1 - e^(-b x), a x e^(-b x)).
    ///
    /// The rise is taken as -expm1(-b x), which keeps all digits where b x is small.
    #[inline(always)]
    pub(super) fn at(&self, x: f64) -> Local {
        let [a, b] = self.parameters;
        let fall = (-b * x).exp_m1();
        let rest = a * (1.0 + fall);
        let gradient = [-fall, x * rest];
        Local::inside(-a * fall, b * rest, self.factor.variance_along(gradient.into_iter()))
    }

    /// x = -ln(1 - y / a) / b; `None` from the asymptote a on.
    pub(super) fn invert(&self, y: f64) -> Option<f64> {
        let [a, b] = self.parameters;
        finite(-(-y / a).ln_1p() / b)
    }
}

/// Checks the stage that stands at `path`.
pub(super) fn compile(spec: &SaturationSpec, path: &str) -> Result<Saturation, ContentError> {
    all_finite(&spec.parameters, path, "parameters")?;
    not_zero(&spec.parameters, 0, path)?;
    not_zero(&spec.parameters, 1, path)?;
    let factor = covariance(spec.covariance.as_deref(), 2, path)?;
    Ok(Saturation { parameters: spec.parameters, factor })
}
