//! Stage `callendar_van_dusen`: a platinum resistor's resistance to its temperature.

use serde::{Deserialize, Serialize};

use super::artifact::ContentError;
use super::check::{all_finite, covariance, invalid};
use super::root;
use super::stage::Local;
use crate::domain::uncertainty::covariance::Factor;

/// The stage as written in an artifact, from Ohm to Cel: R = r0 (1 + a t + b t^2 + c (t - 100) t^3)
/// below 0 Cel, without the last term above (IEC 60751:2008, 4.2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallendarVanDusenSpec {
    /// Resistance at 0 Cel, in Ohm.
    pub r0: f64,
    /// In 1/Cel; 3.9083e-3 in the standard.
    pub a: f64,
    /// In 1/Cel^2; -5.775e-7 in the standard.
    pub b: f64,
    /// In 1/Cel^4; -4.183e-12 in the standard.
    pub c: f64,
    /// The covariance of (r0, a, b, c).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covariance: Option<Vec<Vec<f64>>>,
}

/// The range of the standard, in Cel.
const RANGE: [f64; 2] = [-200.0, 850.0];

/// No temperature is lower.
const ABSOLUTE_ZERO: f64 = -273.15;

/// A step that leaves less than rounding: steps shrink quadratically.
const SMALL_STEP: f64 = 1e-9;

/// The stage as it runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CallendarVanDusen {
    r0: f64,
    /// a, b, c.
    coefficients: [f64; 3],
    /// The resistances at the ends of [`RANGE`].
    ends: [f64; 2],
    factor: Factor,
}

impl CallendarVanDusen {
    /// dt/dR = 1 / (dR/dt); dt/dp = -(dR/dp) / (dR/dt) for each parameter p. Beyond the range of the
    /// standard the formula goes on, or, where the domain clamps, the end's temperature is held.
    #[inline(never)]
    pub(super) fn at(&self, x: f64, hold: bool) -> Local {
        let Some(t) = self.temperature(x) else { return Local::none() };
        let beyond = (self.ends[0] - x).max(x - self.ends[1]);
        let kept = if hold { t.clamp(RANGE[0], RANGE[1]) } else { t };
        let mut out = self.local(kept);
        if beyond > 0.0 {
            let distance = beyond / (self.ends[1] - self.ends[0]);
            out.excess = distance * distance;
            out.variance += (t - kept) * (t - kept);
        }
        out
    }

    fn local(&self, t: f64) -> Local {
        let slope = 1.0 / self.rate(t);
        let bend = if t < 0.0 { (t - 100.0) * t * t * t } else { 0.0 };
        let gradient = [self.resistance(t) / self.r0, self.r0 * t, self.r0 * t * t, self.r0 * bend];
        Local::inside(t, slope, slope * slope * self.factor.variance_along(gradient.into_iter()))
    }

    fn temperature(&self, r: f64) -> Option<f64> {
        let [a, b, c] = self.coefficients;
        let rise = r / self.r0 - 1.0;
        // the root of b t^2 + a t - rise that goes through 0, without cancellation
        let above = 2.0 * rise / (a + (a * a + 4.0 * b * rise).sqrt());
        if rise >= 0.0 || c == 0.0 {
            return above.is_finite().then_some(above);
        }
        self.newton(r, above).or_else(|| {
            root::solve_from(above, ABSOLUTE_ZERO, 0.0, |t| (self.resistance(t) - r, self.rate(t)))
        })
    }

    /// A few of Newton's steps from `start`, which take half as long as a search between bounds; `None`
    /// where they do not settle between absolute zero and 0 Cel.
    fn newton(&self, r: f64, start: f64) -> Option<f64> {
        let mut t = start;
        for _ in 0..5 {
            let step = (self.resistance(t) - r) / self.rate(t);
            t -= step;
            if step.abs() <= SMALL_STEP * t.abs() {
                return (ABSOLUTE_ZERO..0.0).contains(&t).then_some(t);
            }
        }
        None
    }

    /// R at `t`; `None` where `t` is not a temperature, or not one that the stage gives.
    pub(super) fn invert(&self, t: f64, hold: bool) -> Option<f64> {
        let low = if hold { RANGE[0] } else { ABSOLUTE_ZERO };
        let high = if hold { RANGE[1] } else { f64::INFINITY };
        (t >= low && t <= high && self.rate(t) > 0.0).then(|| self.resistance(t))
    }

    /// R at `t`.
    fn resistance(&self, t: f64) -> f64 {
        let [a, b, c] = self.coefficients;
        let bend = if t < 0.0 { c * (t - 100.0) * t } else { 0.0 };
        self.r0 * (1.0 + t * (a + t * (b + bend)))
    }

    /// dR/dt.
    fn rate(&self, t: f64) -> f64 {
        let [a, b, c] = self.coefficients;
        let bend = if t < 0.0 { c * t * (4.0 * t - 300.0) } else { 0.0 };
        self.r0 * (a + t * (2.0 * b + bend))
    }
}

/// Checks the stage that stands at `path`.
pub(super) fn compile(spec: &CallendarVanDusenSpec, path: &str) -> Result<CallendarVanDusen, ContentError> {
    let CallendarVanDusenSpec { r0, a, b, c, .. } = *spec;
    if !(r0 > 0.0 && r0.is_finite()) {
        return Err(invalid(path, "r0", "expected a finite number above 0"));
    }
    for (value, field) in [(a, "a"), (b, "b"), (c, "c")] {
        all_finite(&[value], path, field)?;
    }
    let factor = covariance(spec.covariance.as_deref(), 4, path)?;
    let mut out = CallendarVanDusen { r0, coefficients: [a, b, c], ends: [0.0; 2], factor };
    let mut degrees = (0..=1124).map(|step| ABSOLUTE_ZERO + f64::from(step));
    if !degrees.all(|t| out.rate(t) > 0.0) {
        let problem = "the resistance has to rise from -273.15 to 850 Cel; 3.9083e-3 in the standard";
        return Err(invalid(path, "a", problem));
    }
    out.ends = RANGE.map(|t| out.resistance(t));
    Ok(out)
}

#[cfg(test)]
mod tests;
