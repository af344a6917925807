//! Stage `polynomial`: y = c0 + c1 z + ... + cN z^N, z = (x - center) / scale.

use serde::{Deserialize, Serialize};

use super::artifact::ContentError;
use super::check::{all_finite, covariance, finite, invalid, positive};
use super::stage::Local;
use crate::domain::uncertainty::covariance::Factor;

/// The stage as written in an artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolynomialSpec {
    /// c0 first, those of z; 1 to [`MAX_COEFFICIENTS`] of them.
    pub coefficients: Vec<f64>,
    /// What is taken from x, in its unit: powers of what is far from 0 lose digits.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub center: f64,
    /// What it is divided by then: a power of two costs no digit.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub scale: f64,
    /// The covariance of the coefficients, in the same order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covariance: Option<Vec<Vec<f64>>>,
}

fn one() -> f64 {
    1.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_one(value: &f64) -> bool {
    *value == 1.0
}

/// Most coefficients: beyond degree 15 doubles lose the fit that the raw variable could carry.
pub const MAX_COEFFICIENTS: usize = 16;

/// The stage as it runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Polynomial {
    /// The highest power first, as Horner's scheme takes them.
    coefficients: Box<[f64]>,
    center: f64,
    /// 1 / scale.
    per_scale: f64,
    factor: Factor,
}

impl Polynomial {
    /// Value and derivative by one pass of Horner's scheme; dy/dc = (1, z, z^2, ...).
    #[inline(always)]
    pub(super) fn at(&self, x: f64) -> Local {
        let z = (x - self.center) * self.per_scale;
        let (mut value, mut slope) = (0.0, 0.0);
        for coefficient in &self.coefficients {
            slope = slope * z + value;
            value = value * z + coefficient;
        }
        Local::inside(value, slope * self.per_scale, self.factor.variance_of_polynomial(z))
    }
}

/// Checks the stage that stands at `path`.
pub(super) fn compile(spec: &PolynomialSpec, path: &str) -> Result<Polynomial, ContentError> {
    let count = spec.coefficients.len();
    if !(1..=MAX_COEFFICIENTS).contains(&count) {
        let problem = format!("expected 1 to {MAX_COEFFICIENTS} coefficients, found {count}");
        return Err(invalid(path, "coefficients", &problem));
    }
    all_finite(&spec.coefficients, path, "coefficients")?;
    finite(spec.center, path, "center")?;
    positive(Some(spec.scale), path, "scale")?;
    let per_scale = 1.0 / spec.scale;
    finite(per_scale, path, "scale")?;
    if spec.coefficients[1..].iter().all(|c| *c == 0.0) {
        return Err(invalid(path, "coefficients", "a constant makes every reading equal"));
    }
    let factor = covariance(spec.covariance.as_deref(), count, path)?;
    let coefficients = spec.coefficients.iter().rev().copied().collect();
    Ok(Polynomial { coefficients, center: spec.center, per_scale, factor })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> PolynomialSpec {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_raw_variable_needs_no_center() {
        let spec = parse(r#"{"coefficients":[1.0,2.0,0.5]}"#);
        assert_eq!((spec.center, spec.scale), (0.0, 1.0));
        assert_eq!(serde_json::to_string(&spec).unwrap(), r#"{"coefficients":[1.0,2.0,0.5]}"#);
        let at = compile(&spec, "").unwrap().at(3.0);
        assert_eq!((at.value, at.slope), (11.5, 5.0));
    }

    #[test]
    fn powers_are_of_the_centred_and_scaled_variable() {
        let text = r#"{"coefficients":[1.0,2.0,0.5],"center":1000.0,"scale":4.0,"covariance":[[0.0,0.0,0.0],[0.0,0.25,0.0],[0.0,0.0,0.0]]}"#;
        let spec = parse(text);
        assert_eq!(parse(&serde_json::to_string(&spec).unwrap()), spec);
        // z = 3
        let at = compile(&spec, "").unwrap().at(1012.0);
        assert_eq!((at.value, at.slope, at.variance), (11.5, 1.25, 0.25 * 9.0));
    }

    #[test]
    fn a_scale_has_to_scale() {
        for (scale, center) in [(0.0, 0.0), (-1.0, 0.0), (f64::NAN, 0.0), (1e-310, 0.0), (1.0, f64::INFINITY)]
        {
            let spec = PolynomialSpec { coefficients: vec![0.0, 1.0], center, scale, covariance: None };
            let error = compile(&spec, "pipeline[0]").unwrap_err();
            assert_eq!(error.path, if scale == 1.0 { "pipeline[0].center" } else { "pipeline[0].scale" });
        }
    }
}
