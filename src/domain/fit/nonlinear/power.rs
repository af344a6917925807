//! Fit of y = a x^b.

use super::family::{Family, check_all, fit as fit_family};
use super::frame::{Frame, Inner, extremes};
use super::start::{LOOKS, Start, both_signs, eliminate, valleys};
use crate::domain::fit::method::{Method, Options};
use crate::domain::fit::{Fit, FitError, Pairs};
use crate::domain::transform::power::PowerSpec;
use crate::domain::transform::stage::StageSpec;

/// Fits a x^b by least squares of y itself, not of its logarithm; weighted if there are weights.
///
/// Fails where an x is negative, and where there are fewer than two different x above 0.
pub fn fit(pairs: &Pairs, options: &Options) -> Result<Fit, FitError> {
    if let Some(at) = pairs.x().iter().position(|x| *x < 0.0) {
        let problem = "a power needs values of at least 0: take rational or polynomial, or count x from its least value";
        return Err(pairs.fault(at, pairs.columns()[0].name(), problem));
    }
    check_all(pairs, options, Method::Power, 2, |x| x > 0.0)?;
    let above: Vec<f64> = pairs.x().iter().filter(|x| **x > 0.0).map(|x| x.ln()).collect();
    let (low, high) = extremes(&above);
    let family = Power { frame: Frame { x_scale: 1.0, ..Frame::new(pairs, low + 0.5 * (high - low), 1.0) } };
    fit_family(&family, &family.frame, pairs, options)
}

/// Inner form: a e^(b t), t = ln x - origin.
struct Power {
    frame: Frame,
}

/// e^(b t), and 0 at x = 0 for b above 0.
#[inline(always)]
fn grown(b: f64, t: f64) -> f64 {
    if t > f64::NEG_INFINITY {
        (b * t).exp()
    } else if b > 0.0 {
        0.0
    } else {
        f64::NAN
    }
}

impl Family for Power {
    fn method(&self) -> Method {
        Method::Power
    }

    fn names(&self) -> Vec<String> {
        ["a", "b"].map(str::to_owned).into()
    }

    fn t(&self, x: f64) -> f64 {
        x.ln() - self.frame.origin
    }

    #[inline(always)]
    fn inner(&self, parameters: &[f64], t: f64, gradient: &mut [f64]) -> f64 {
        let [a, b] = [parameters[0], parameters[1]];
        let power = grown(b, t);
        let value = a * power;
        gradient[0] = power;
        gradient[1] = if t > f64::NEG_INFINITY { value * t } else { 0.0 };
        value
    }

    fn starts(&self, pairs: &Inner) -> Vec<Start> {
        let few = pairs.thinned(LOOKS);
        let reach = few.t.iter().filter(|t| t.is_finite()).fold(1e-300, |reach, t| t.abs().max(reach));
        let starts = both_signs(0.03125 / reach, 512.0 / reach).filter_map(|b| {
            let (mut parameters, rss) = eliminate(&few, 1, |_, t, v, row| {
                row[0] = grown(b, t);
                v
            })?;
            parameters.push(b);
            Some(Start { parameters, rss })
        });
        valleys(&starts.collect::<Vec<_>>())
    }

    fn inward(&self, reported: &[f64]) -> Vec<f64> {
        let [a, b] = [reported[0], reported[1]];
        vec![a / self.frame.y_scale * (b * self.frame.origin).exp(), b]
    }

    fn outward(&self, inner: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
        let Frame { origin, y_scale, .. } = self.frame;
        let factor = y_scale * (-inner[1] * origin).exp();
        let a = factor * inner[0];
        (vec![a, inner[1]], vec![vec![factor, -a * origin], vec![0.0, 1.0]])
    }

    #[inline(always)]
    fn value(&self, reported: &[f64], x: f64) -> f64 {
        reported[0] * x.powf(reported[1])
    }

    fn stage(&self, reported: &[f64], covariance: Option<Vec<Vec<f64>>>) -> StageSpec {
        StageSpec::Power(PowerSpec { parameters: [reported[0], reported[1]], covariance })
    }

    fn remedy(&self) -> &'static str {
        "they follow no power of x: take polynomial:2, or add readings over a wider range of x"
    }
}
