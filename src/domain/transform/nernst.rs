//! Stage `nernst`: an electrode's potential to the activity of an ion, or to its pH.

use serde::{Deserialize, Serialize};

use super::artifact::ContentError;
use super::check::{covariance, finite, invalid, within};
use super::stage::{Around, Gradient, Local, Roles};
use crate::domain::uncertainty::covariance::Factor;
use crate::domain::units::{MOLAR_GAS_CONSTANT, ZERO_CELSIUS};

/// The stage as written in an artifact, from mV: p = at - z (E - e0) / (efficiency S(T)), with
/// p = -log10 of the activity, z the charge, and S(T) = R T ln 10 / F, 59.16 mV at 25 Cel.
///
/// Exactly one of `temperature` and `covariate` is stated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NernstSpec {
    /// e0, in mV: the potential where p is `at`.
    pub potential: f64,
    /// Where the potential does not change with the temperature; 0 for a standard potential, 7 for
    /// most pH electrodes.
    #[serde(default)]
    pub at: f64,
    /// z, with its sign: 1 for hydrogen, -1 for fluoride.
    pub charge: i8,
    /// The electrode's slope over that of theory; 1 if absent.
    #[serde(default = "one")]
    pub efficiency: f64,
    /// The temperature, in Cel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// The role of the covariate that gives the temperature, in Cel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covariate: Option<String>,
    /// What the stage gives.
    pub output: Ion,
    /// The covariance of (e0, efficiency).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covariance: Option<Vec<Vec<f64>>>,
}

/// In what an ion's activity is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ion {
    /// Itself, relative to 1 mol/L.
    Activity,
    /// -log10 of it: pH, pF, ...
    NegativeLog10,
}

fn one() -> f64 {
    1.0
}

/// The Faraday constant in C/mol, exact since the SI of 2019 (CODATA 2018).
const FARADAY: f64 = 96_485.332_123_310_02;

/// S(T) / T, in mV/K.
const PER_KELVIN: f64 = 1000.0 * MOLAR_GAS_CONSTANT * std::f64::consts::LN_10 / FARADAY;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Temperature {
    Fixed(f64),
    Covariate(usize),
}

/// The stage as it runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Nernst {
    potential: f64,
    at: f64,
    /// z / efficiency.
    gain: f64,
    efficiency: f64,
    temperature: Temperature,
    output: Ion,
    factor: Factor,
}

impl Nernst {
    /// dp/dE = -z / (efficiency S); dp/d(e0, efficiency) = (-dp/dE, (at - p) / efficiency);
    /// da/dp = -ln 10 a. No value at or below absolute zero.
    #[inline(never)]
    pub(super) fn at(&self, x: f64, around: &Around<'_>) -> Local {
        let kelvin = self.kelvin(around);
        if kelvin <= 0.0 {
            return Local::none();
        }
        let slope = -self.gain / (PER_KELVIN * kelvin);
        let moved = slope * (x - self.potential);
        let variance = self.factor.variance_along([-slope, -moved / self.efficiency].into_iter());
        let (value, inner) = self.told(self.at + moved);
        Local::inside(value, inner * slope, inner * inner * variance)
    }

    /// dp/dT = (at - p) / T.
    pub(super) fn lean(&self, x: f64, around: &Around<'_>, gradient: &mut Gradient) {
        let Temperature::Covariate(place) = self.temperature else { return };
        let kelvin = self.kelvin(around);
        let moved = -self.gain * (x - self.potential) / (PER_KELVIN * kelvin);
        gradient[place] -= self.told(self.at + moved).1 * moved / kelvin;
    }

    pub(super) fn invert(&self, y: f64, around: &Around<'_>) -> f64 {
        let p = match self.output {
            Ion::NegativeLog10 => y,
            Ion::Activity => -y.log10(),
        };
        self.potential - (p - self.at) * PER_KELVIN * self.kelvin(around) / self.gain
    }

    /// The output for p, and its derivative with respect to p.
    fn told(&self, p: f64) -> (f64, f64) {
        match self.output {
            Ion::NegativeLog10 => (p, 1.0),
            Ion::Activity => {
                let activity = (-p * std::f64::consts::LN_10).exp();
                (activity, -std::f64::consts::LN_10 * activity)
            }
        }
    }

    fn kelvin(&self, around: &Around<'_>) -> f64 {
        let celsius = match self.temperature {
            Temperature::Fixed(celsius) => celsius,
            Temperature::Covariate(place) => around.covariate(place),
        };
        celsius + ZERO_CELSIUS
    }
}

/// Checks the stage that stands at `path`.
pub(super) fn compile(spec: &NernstSpec, path: &str, roles: &mut Roles) -> Result<Nernst, ContentError> {
    finite(spec.potential, path, "potential")?;
    finite(spec.at, path, "at")?;
    if !(1..=8).contains(&spec.charge.unsigned_abs()) {
        return Err(invalid(path, "charge", "expected the ion's charge: -8 to 8, and not 0"));
    }
    within(spec.efficiency, 0.01..=10.0, path, "efficiency")?;
    let temperature = match (spec.temperature, &spec.covariate) {
        (Some(fixed), None) => {
            within(fixed, -100.0..=1000.0, path, "temperature")?;
            Temperature::Fixed(fixed)
        }
        (None, Some(role)) => Temperature::Covariate(roles.place(role, path, "covariate")?),
        _ => return Err(invalid(path, "temperature", "state either temperature or covariate")),
    };
    let factor = covariance(spec.covariance.as_deref(), 2, path)?;
    let gain = f64::from(spec.charge) / spec.efficiency;
    Ok(Nernst {
        potential: spec.potential,
        at: spec.at,
        gain,
        efficiency: spec.efficiency,
        temperature,
        output: spec.output,
        factor,
    })
}

#[cfg(test)]
mod tests;
