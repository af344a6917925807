//! Stage `temperature`: softmax(z / T), a probability from logits.

use serde::{Deserialize, Serialize};

use super::artifact::ContentError;
use super::check::{invalid, not_negative, positive};
use super::sigmoid::{logit, sigmoid};
use super::stage::{Around, Gradient, Local, Roles};

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
    pub(super) fn at(&self, x: f64, around: &Around<'_>) -> Local {
        let (t, other) = match self.places.is_empty() {
            true => (x * self.sharpness, 0.0),
            false => self.others(around).against(x, self.sharpness),
        };
        let (p, w) = sigmoid(t);
        let by_temperature = w * self.sharpness * (self.sharpness * (x - other));
        Local::inside(p, w * self.sharpness, by_temperature * by_temperature * self.variance)
    }

    /// dp/dz_j = -p (1 - p) q_j / T, q_j the share of class j in what the other classes have.
    pub(super) fn lean(&self, x: f64, around: &Around<'_>, gradient: &mut Gradient) {
        if self.places.is_empty() {
            return;
        }
        let others = self.others(around);
        let (_, w) = sigmoid(others.against(x, self.sharpness).0);
        for place in &self.places {
            let share = ((around.covariate(*place) - others.top) * self.sharpness).exp() / others.sum;
            gradient[*place] -= w * self.sharpness * share;
        }
    }

    /// x = T logit p, and with other classes, top + T (logit p + ln of the sum of e^((z_j - top) / T)).
    pub(super) fn invert(&self, p: f64, around: &Around<'_>) -> f64 {
        let t = logit(p) / self.sharpness;
        if self.places.is_empty() {
            return t;
        }
        let others = self.others(around);
        others.top + t + f64::ln(others.sum) / self.sharpness
    }

    fn others(&self, around: &Around<'_>) -> Others {
        let logits = || self.places.iter().map(|place| around.covariate(*place));
        // max() would pass over a missing one
        let top = logits().fold(f64::NEG_INFINITY, |top, z| if z <= top { top } else { z });
        let (mut sum, mut first) = (0.0, 0.0);
        for z in logits() {
            let e = ((z - top) * self.sharpness).exp();
            sum += e;
            first += e * (z - top);
        }
        Others { top, sum, mean: top + first / sum }
    }
}

/// The logits of the other classes together.
struct Others {
    top: f64,
    /// Of e^((z - top) / T).
    sum: f64,
    /// By probability.
    mean: f64,
}

impl Others {
    /// The logit of `x`'s class against all others, and their mean logit.
    fn against(&self, x: f64, sharpness: f64) -> (f64, f64) {
        ((x - self.top) * sharpness - f64::ln(self.sum), self.mean)
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
            return Err(invalid(path, &field, "a class has one logit"));
        }
        places.push(place);
    }
    Ok(Temperature {
        sharpness: 1.0 / spec.temperature,
        places: places.into(),
        variance: spec.variance.unwrap_or(0.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(temperature: f64, classes: usize, variance: Option<f64>) -> Temperature {
        let logits = (1..classes).map(|class| format!("z{class}")).collect();
        compile(&TemperatureSpec { temperature, logits, variance }, "", &mut Roles::default()).unwrap()
    }

    fn around(covariates: &[f64]) -> Around<'_> {
        Around { covariates, hold: false }
    }

    #[test]
    fn classes_share_the_probability_by_softmax() {
        let z = [0.3, -1.2, 2.0];
        let e = z.map(|z: f64| (z / 1.7).exp());
        let it = made(1.7, 3, None);
        let p = it.at(z[0], &around(&z[1..])).value;
        assert!((p - e[0] / e.iter().sum::<f64>()).abs() < 1e-15);
        // logits far from each other do not overflow, and a missing one is no number
        assert_eq!(it.at(-1e300, &around(&[1e300, 0.0])).value, 0.0);
        assert!(it.at(0.0, &around(&[1.0])).value.is_nan());
    }

    #[test]
    fn variance_is_that_of_the_temperature() {
        for others in [&[][..], &[-1.2, 2.0]] {
            let classes = if others.is_empty() { 1 } else { 3 };
            let value = |temperature: f64| made(temperature, classes, None).at(0.8, &around(others)).value;
            let slope = (value(1.7 + 1e-6) - value(1.7 - 1e-6)) / 2e-6;
            let variance = made(1.7, classes, Some(0.04)).at(0.8, &around(others)).variance;
            assert!((variance / (0.04 * slope * slope) - 1.0).abs() < 1e-7, "{variance}");
        }
    }

    #[test]
    fn what_is_no_temperature_is_refused() {
        for temperature in [0.0, -1.0, f64::INFINITY, f64::NAN, 1e-320] {
            let spec = TemperatureSpec { temperature, logits: Vec::new(), variance: None };
            assert!(compile(&spec, "", &mut Roles::default()).is_err(), "{temperature}");
        }
        let twice =
            TemperatureSpec { temperature: 1.0, logits: vec!["z".into(), "z".into()], variance: None };
        assert_eq!(compile(&twice, "", &mut Roles::default()).unwrap_err().path, "logits[1]");
    }
}
