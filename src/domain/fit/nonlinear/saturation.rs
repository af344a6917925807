//! Fit of y = a (1 - e^(-b x)).

use super::exponential::{rise, steepest, straight};
use super::family::{Family, check_all, fit as fit_family};
use super::frame::{Frame, Inner, largest};
use super::start::{LOOKS, Start, both_signs, eliminate, valleys};
use crate::domain::fit::method::{Method, Options};
use crate::domain::fit::{Fit, FitError, Pairs};
use crate::domain::transform::saturation::SaturationSpec;
use crate::domain::transform::stage::StageSpec;

/// Fits a (1 - e^(-b x)) by least squares, weighted if there are weights.
///
/// Fails where there are fewer than two different x beside 0, and where the pairs show no curvature.
pub fn fit(pairs: &Pairs, options: &Options) -> Result<Fit, FitError> {
    check_all(pairs, options, Method::Saturation, 2, |x| x != 0.0)?;
    let family = Saturation { frame: Frame::new(pairs, 0.0, largest(pairs.x())) };
    fit_family(&family, &family.frame, pairs, options)
}

/// Inner form: s (1 - e^(-b t)) / b, which is a line at b = 0.
struct Saturation {
    frame: Frame,
}

impl Family for Saturation {
    fn method(&self) -> Method {
        Method::Saturation
    }

    fn names(&self) -> Vec<String> {
        ["a", "b"].map(str::to_owned).into()
    }

    fn t(&self, x: f64) -> f64 {
        self.frame.t(x)
    }

    #[inline(always)]
    fn inner(&self, parameters: &[f64], t: f64, gradient: &mut [f64]) -> f64 {
        let [s, b] = [parameters[0], parameters[1]];
        let (value, bend) = rise(-b, t);
        gradient[0] = value;
        gradient[1] = -s * bend;
        s * value
    }

    fn starts(&self, pairs: &Inner) -> Vec<Start> {
        let few = pairs.thinned(LOOKS);
        let starts = both_signs(0.03125, steepest(&few.t)).filter_map(|b| {
            let (mut parameters, rss) = eliminate(&few, 1, |_, t, v, row| {
                row[0] = rise(-b, t).0;
                v
            })?;
            parameters.push(b);
            Some(Start { parameters, rss })
        });
        valleys(&starts.collect::<Vec<_>>())
    }

    fn inward(&self, reported: &[f64]) -> Vec<f64> {
        let b = reported[1] * self.frame.x_scale;
        vec![reported[0] / self.frame.y_scale * b, b]
    }

    fn outward(&self, inner: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
        let Frame { x_scale, y_scale, .. } = self.frame;
        let [s, b] = [inner[0], inner[1]];
        let a = y_scale * s / b;
        (vec![a, b / x_scale], vec![vec![y_scale / b, -a / b], vec![0.0, 1.0 / x_scale]])
    }

    #[inline(always)]
    fn value(&self, reported: &[f64], x: f64) -> f64 {
        -reported[0] * (-reported[1] * x).exp_m1()
    }

    fn stage(&self, reported: &[f64], covariance: Option<Vec<Vec<f64>>>) -> StageSpec {
        StageSpec::Saturation(SaturationSpec { parameters: [reported[0], reported[1]], covariance })
    }

    fn fault(&self, inner: &[f64], _pairs: &Inner) -> Option<String> {
        straight(inner[1])
    }

    fn remedy(&self) -> &'static str {
        "they show no curvature, or only the plateau: take affine, or add readings where the curve bends"
    }
}
