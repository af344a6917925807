//! Stage `temperature`: softmax(z / T), a probability from logits.

use serde::{Deserialize, Serialize};

use super::artifact::ContentError;
use super::check::{not_negative, positive};
use super::sigmoid::sigmoid;
use super::stage::{Local, Roles};

/// The stage as written in an artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemperatureSpec {
    /// T, above 0; above 1 it makes predictions less certain.
    pub temperature: f64,
    /// The covariates that carry the logits of the other classes. Empty for two classes: x is then
    /// the logit of one against the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logits: Vec<String>,
    /// The variance of T.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variance: Option<f64>,
}

/// The stage as it runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Temperature {
    /// 1 / T.
    sharpness: f64,
    /// Places of the other classes' logits.
    places: Box<[usize]>,
    variance: f64,
}

impl Temperature {
    /// The probability of x's class: p = sigmoid(t), where t = -ln of the sum of e^((z_j - x) / T)
    /// over the other classes.
    ///
    /// dp/dx = p (1 - p) / T; dp/dT = -p (1 - p) (x - z) / T^2, z the mean of the other logits by
    /// their probabilities.
    #[inline(always)]
    pub(super) fn at(&self, x: f64, covariates: &[f64]) -> Local {
        let (t, other) =
            if self.places.is_empty() { (x * self.sharpness, 0.0) } else { self.odds(x, covariates) };
        let (p, w) = sigmoid(t);
        let by_temperature = w * self.sharpness * (self.sharpness * (x - other));
        Local::inside(p, w * self.sharpness, by_temperature * by_temperature * self.variance)
    }

    /// The logit of x's class against all others, and the mean of their logits by probability.
    fn odds(&self, x: f64, covariates: &[f64]) -> (f64, f64) {
        let logits = || self.places.iter().map(|place| covariates[*place]);
        // max() would pass over a missing one
        let top = logits().fold(f64::NEG_INFINITY, |top, z| if z <= top { top } else { z });
        let (mut sum, mut first) = (0.0, 0.0);
        for z in logits() {
            let e = ((z - top) * self.sharpness).exp();
            sum += e;
            first += e * (z - top);
        }
        ((x - top) * self.sharpness - f64::ln(sum), top + first / sum)
    }
}

/// Checks the stage that stands at `path`.
pub(super) fn compile(
    spec: &TemperatureSpec,
    path: &str,
    roles: &mut Roles,
) -> Result<Temperature, ContentError> {
    positive(Some(spec.temperature), path, "temperature")?;
    positive(Some(1.0 / spec.temperature), path, "temperature")?;
    not_negative(spec.variance, path, "variance")?;
    let mut places = Vec::with_capacity(spec.logits.len());
    for (at, role) in spec.logits.iter().enumerate() {
        let field = format!("logits[{at}]");
        let place = roles.place(role, path, &field)?;
        if places.contains(&place) {
            return Err(super::check::invalid(path, &field, "a class has one logit"));
        }
        places.push(place);
    }
    Ok(Temperature {
        sharpness: 1.0 / spec.temperature,
        places: places.into(),
        variance: spec.variance.unwrap_or(0.0),
    })
}
