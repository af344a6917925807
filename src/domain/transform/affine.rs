//! Stage `affine`: y = a + b x.

use serde::{Deserialize, Serialize};

use super::artifact::ContentError;
use super::check::{covariance, finite, invalid};
use super::stage::Local;
use crate::domain::uncertainty::covariance::Factor;
use crate::domain::units::Conversion;

/// The stage as written in an artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AffineSpec {
    /// a, in the unit of the stage's output.
    pub offset: f64,
    /// b, in output units per input unit.
    pub gain: f64,
    /// The covariance of (a, b).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covariance: Option<Vec<Vec<f64>>>,
}

/// The stage as it runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Affine {
    offset: f64,
    gain: f64,
    factor: Factor,
}

impl Affine {
    /// A conversion without uncertainty.
    pub(super) fn exact(conversion: Conversion) -> Affine {
        Affine { offset: conversion.offset, gain: conversion.scale, factor: Factor::default() }
    }

    /// dy/dx = b; dy/d(a, b) = (1, x).
    #[inline(always)]
    pub(super) fn at(&self, x: f64) -> Local {
        Local::inside(self.offset + self.gain * x, self.gain, self.factor.variance_of_polynomial(x))
    }

    pub(super) fn invert(&self, y: f64) -> f64 {
        (y - self.offset) / self.gain
    }
}

/// Checks the stage that stands at `path`.
pub(super) fn compile(spec: &AffineSpec, path: &str) -> Result<Affine, ContentError> {
    finite(spec.offset, path, "offset")?;
    finite(spec.gain, path, "gain")?;
    if spec.gain == 0.0 {
        return Err(invalid(path, "gain", "a gain of 0 makes every reading equal"));
    }
    let factor = covariance(spec.covariance.as_deref(), 2, path)?;
    Ok(Affine { offset: spec.offset, gain: spec.gain, factor })
}
