//! Stage `covariate_polynomial`: a polynomial of a covariate corrects the value.

use serde::{Deserialize, Serialize};

use super::artifact::ContentError;
use super::check::{all_finite, covariance, finite, invalid};
use super::operation::Operation;
use super::polynomial::MAX_COEFFICIENTS;
use super::stage::{Around, Gradient, Local, Roles};
use crate::domain::uncertainty::covariance::Factor;

/// The stage as written in an artifact: y = x + p or y = x (1 + p), with
/// p = c1 (T - Tref) + c2 (T - Tref)^2 + ..., T the covariate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CovariatePolynomialSpec {
    /// The covariate's role.
    pub covariate: String,
    /// Tref, in the covariate's unit: where nothing is corrected.
    pub reference: f64,
    /// c1 first; 1 to [`MAX_COEFFICIENTS`] of them.
    pub coefficients: Vec<f64>,
    /// Whether p is added, or 1 + p multiplies.
    #[serde(default)]
    pub operation: Operation,
    /// The covariance of the coefficients, in the same order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covariance: Option<Vec<Vec<f64>>>,
}

/// The stage as it runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CovariatePolynomial {
    place: usize,
    reference: f64,
    operation: Operation,
    /// The highest power first, as Horner's scheme takes them, down to c0 = 0.
    coefficients: Box<[f64]>,
    factor: Factor,
}

impl CovariatePolynomial {
    /// dy/dx = 1 or 1 + p; dp/dc = (d, d^2, ...) with d = T - Tref.
    #[inline(never)]
    pub(super) fn at(&self, x: f64, around: &Around<'_>) -> Local {
        let (value, _) = self.correction(around);
        let d = around.covariate(self.place) - self.reference;
        self.operation.join(x, value, d * d * self.factor.variance_of_polynomial(d))
    }

    /// dy/dT = p' or x p'.
    pub(super) fn lean(&self, x: f64, around: &Around<'_>, gradient: &mut Gradient) {
        let (_, slope) = self.correction(around);
        gradient[self.place] += self.operation.weight(x) * slope;
    }

    pub(super) fn invert(&self, y: f64, around: &Around<'_>) -> f64 {
        self.operation.invert(y, self.correction(around).0)
    }

    /// What is added, or what multiplies; and its derivative with respect to the covariate.
    fn correction(&self, around: &Around<'_>) -> (f64, f64) {
        let d = around.covariate(self.place) - self.reference;
        let (mut value, mut slope) = (0.0, 0.0);
        for coefficient in &self.coefficients {
            slope = slope * d + value;
            value = value * d + coefficient;
        }
        match self.operation {
            Operation::Add => (value, slope),
            Operation::Multiply => (1.0 + value, slope),
        }
    }
}

/// Checks the stage that stands at `path`.
pub(super) fn compile(
    spec: &CovariatePolynomialSpec,
    path: &str,
    roles: &mut Roles,
) -> Result<CovariatePolynomial, ContentError> {
    let place = roles.place(&spec.covariate, path, "covariate")?;
    finite(spec.reference, path, "reference")?;
    let count = spec.coefficients.len();
    if !(1..=MAX_COEFFICIENTS).contains(&count) {
        let problem = format!("expected 1 to {MAX_COEFFICIENTS} coefficients, found {count}");
        return Err(invalid(path, "coefficients", &problem));
    }
    all_finite(&spec.coefficients, path, "coefficients")?;
    let factor = covariance(spec.covariance.as_deref(), count, path)?;
    let coefficients = spec.coefficients.iter().rev().copied().chain([0.0]).collect();
    Ok(CovariatePolynomial {
        place,
        reference: spec.reference,
        operation: spec.operation,
        coefficients,
        factor,
    })
}
