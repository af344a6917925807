//! Stage `multilinear`: y = a + b1 x + b2 c2 + b3 c3 + ..., the c covariates.

use serde::{Deserialize, Serialize};

use super::artifact::ContentError;
use super::check::{covariance, finite, invalid};
use super::stage::{Around, Gradient, Local, Roles};
use crate::domain::uncertainty::covariance::Factor;

/// The stage as written in an artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultilinearSpec {
    /// a, in the unit of the stage's output.
    pub offset: f64,
    /// b1, in output units per input unit.
    pub gain: f64,
    /// One term for each covariate.
    pub terms: Vec<Term>,
    /// The covariance of (a, b1, b2, ...).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covariance: Option<Vec<Vec<f64>>>,
}

/// What a covariate adds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// The covariate's role.
    pub covariate: String,
    /// b, in output units per the covariate's unit.
    pub gain: f64,
}

/// The stage as it runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Multilinear {
    offset: f64,
    gain: f64,
    /// Place of the covariate, and its gain.
    terms: Box<[(usize, f64)]>,
    factor: Factor,
}

impl Multilinear {
    /// dy/dx = b1; dy/d(a, b1, b2, ...) = (1, x, c2, ...).
    pub(super) fn at(&self, x: f64, around: &Around<'_>) -> Local {
        let mut value = self.offset + self.gain * x;
        for (place, gain) in &self.terms {
            value += gain * around.covariate(*place);
        }
        let covariates = self.terms.iter().map(|(place, _)| around.covariate(*place));
        let gradient = [1.0, x].into_iter().chain(covariates);
        Local::inside(value, self.gain, self.factor.variance_along(gradient))
    }

    pub(super) fn invert(&self, y: f64, around: &Around<'_>) -> f64 {
        let shares = self.terms.iter().map(|(place, gain)| gain * around.covariate(*place));
        (y - self.offset - shares.sum::<f64>()) / self.gain
    }

    /// dy/dc = b.
    pub(super) fn lean(&self, gradient: &mut Gradient) {
        for (place, gain) in &self.terms {
            gradient[*place] += gain;
        }
    }
}

/// Checks the stage that stands at `path`.
pub(super) fn compile(
    spec: &MultilinearSpec,
    path: &str,
    roles: &mut Roles,
) -> Result<Multilinear, ContentError> {
    finite(spec.offset, path, "offset")?;
    finite(spec.gain, path, "gain")?;
    let mut terms = Vec::with_capacity(spec.terms.len());
    for (at, term) in spec.terms.iter().enumerate() {
        finite(term.gain, path, &format!("terms[{at}].gain"))?;
        let place = roles.place(&term.covariate, path, &format!("terms[{at}].covariate"))?;
        if terms.iter().any(|(other, _)| *other == place) {
            return Err(invalid(path, &format!("terms[{at}].covariate"), "a covariate has one term"));
        }
        terms.push((place, term.gain));
    }
    if spec.gain == 0.0 {
        return Err(invalid(path, "gain", "a gain of 0 ignores the sensor"));
    }
    let factor = covariance(spec.covariance.as_deref(), 2 + terms.len(), path)?;
    Ok(Multilinear { offset: spec.offset, gain: spec.gain, terms: terms.into(), factor })
}
