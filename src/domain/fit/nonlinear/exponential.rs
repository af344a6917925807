//! Fit of y = a + b e^(c x).

use super::family::{Family, check_all, fit as fit_family};
use super::frame::{Frame, Inner, extremes};
use super::start::{LOOKS, Start, both_signs, eliminate, valleys};
use crate::domain::fit::method::{Method, Options};
use crate::domain::fit::{Fit, FitError, Pairs};
use crate::domain::transform::exponential::ExponentialSpec;
use crate::domain::transform::stage::StageSpec;

/// Fits a + b e^(c x) by least squares, weighted if there are weights.
///
/// Fails where there are fewer than three pairs or different x, and where the pairs show no curvature.
pub fn fit(pairs: &Pairs, options: &Options) -> Result<Fit, FitError> {
    check_all(pairs, options, Method::Exponential, 3, |_| true)?;
    let (low, high) = extremes(pairs.x());
    let at_low = Exponential { frame: Frame::new(pairs, low, (high - low).min(f64::MAX)) };
    let falls = |start: &[f64]| start.get(2).is_some_and(|c| *c < 0.0);
    let rather_low = match &options.start {
        Some(start) => falls(start),
        None => {
            let inner = Inner::new(pairs, &at_low.frame, |x| at_low.t(x));
            at_low.starts(&inner).first().is_none_or(|start| falls(&start.parameters))
        }
    };
    // from the end where the curve bends most, so that the exponential never overflows
    let origin = if rather_low { low } else { high };
    let family = Exponential { frame: Frame { origin, ..at_low.frame } };
    fit_family(&family, &family.frame, pairs, options)
}

/// Inner form: a + s (e^(c t) - 1) / c, which is a line at c = 0.
struct Exponential {
    frame: Frame,
}

/// (e^(c t) - 1) / c, and its derivative by c.
#[inline(always)]
pub(super) fn rise(c: f64, t: f64) -> (f64, f64) {
    let z = c * t;
    if z.abs() < 0.06 {
        // sum of z^k / (k + 1)! and of z^k (k + 1) / (k + 2)!
        let value =
            horner(z, [1.0, 1.0 / 2.0, 1.0 / 6.0, 1.0 / 24.0, 1.0 / 120.0, 1.0 / 720.0, 1.0 / 5040.0]);
        let bend = [1.0 / 2.0, 1.0 / 3.0, 1.0 / 8.0, 1.0 / 30.0, 1.0 / 144.0, 1.0 / 840.0, 1.0 / 5760.0];
        return (t * value, t * t * horner(z, bend));
    }
    // here e^z - 1 loses no more than expm1 would save: the derivative cancels likewise
    let (growth, unit) = (z.exp(), 1.0 / c);
    let grown = growth - 1.0;
    (grown * unit, (z * growth - grown) * unit * unit)
}

#[inline(always)]
fn horner(z: f64, coefficients: [f64; 7]) -> f64 {
    coefficients.iter().rev().fold(0.0, |value, c| value * z + c)
}

/// The fault of a curve that is a line, to rounding.
pub(super) fn straight(bend: f64) -> Option<String> {
    (bend.abs() < 1e-9).then(|| "the pairs show no curvature: take affine".to_owned())
}

/// The largest exponent worth a look: the curve ends before the second pair then.
pub(super) fn steepest(t: &[f64]) -> f64 {
    let nearest = t.iter().map(|t| t.abs()).filter(|t| *t > 0.0).fold(1.0, f64::min);
    (16.0 / nearest).min(1e15)
}

impl Family for Exponential {
    fn method(&self) -> Method {
        Method::Exponential
    }

    fn names(&self) -> Vec<String> {
        ["a", "b", "c"].map(str::to_owned).into()
    }

    fn t(&self, x: f64) -> f64 {
        self.frame.t(x)
    }

    #[inline(always)]
    fn inner(&self, parameters: &[f64], t: f64, gradient: &mut [f64]) -> f64 {
        let [a, s, c] = [parameters[0], parameters[1], parameters[2]];
        let (value, bend) = rise(c, t);
        gradient[0] = 1.0;
        gradient[1] = value;
        gradient[2] = s * bend;
        a + s * value
    }

    fn starts(&self, pairs: &Inner) -> Vec<Start> {
        let few = pairs.thinned(LOOKS);
        let width = extremes(&few.t);
        let starts = both_signs(0.03125, steepest(&few.t)).filter_map(|c| {
            // e^(c t) counted from the end where it is largest
            let end = if c > 0.0 { width.1 } else { width.0 };
            let (solved, rss) = eliminate(&few, 2, |_, t, v, row| {
                row[0] = 1.0;
                row[1] = (c * (t - end)).exp();
                v
            })?;
            let at_origin = solved[1] * (-c * end).exp();
            let parameters = vec![solved[0] + at_origin, c * at_origin, c];
            parameters.iter().all(|p| p.is_finite()).then_some(Start { parameters, rss })
        });
        valleys(&starts.collect::<Vec<_>>())
    }

    fn inward(&self, reported: &[f64]) -> Vec<f64> {
        let [a, b, c] = [reported[0], reported[1], reported[2]];
        let part = b * (c * self.frame.origin).exp() / self.frame.y_scale;
        let c = c * self.frame.x_scale;
        vec![a / self.frame.y_scale + part, c * part, c]
    }

    fn outward(&self, inner: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
        let Frame { origin, x_scale, y_scale } = self.frame;
        let [a, s, c] = [inner[0], inner[1], inner[2]];
        let rate = c / x_scale;
        let part = s / c;
        let factor = y_scale * (-rate * origin).exp();
        let b = factor * part;
        let derivatives = vec![
            vec![y_scale, -y_scale / c, y_scale * part / c],
            vec![0.0, factor / c, -b / c - b * origin / x_scale],
            vec![0.0, 0.0, 1.0 / x_scale],
        ];
        (vec![y_scale * (a - part), b, rate], derivatives)
    }

    #[inline(always)]
    fn value(&self, reported: &[f64], x: f64) -> f64 {
        reported[0] + reported[1] * (reported[2] * x).exp()
    }

    fn stage(&self, reported: &[f64], covariance: Option<Vec<Vec<f64>>>) -> StageSpec {
        let parameters = [reported[0], reported[1], reported[2]];
        StageSpec::Exponential(ExponentialSpec { parameters, covariance })
    }

    fn fault(&self, inner: &[f64], _pairs: &Inner) -> Option<String> {
        straight(inner[2])
    }

    fn remedy(&self) -> &'static str {
        "they show no curvature, or x is far from 0: take affine or polynomial:2, or count x from nearby"
    }
}
