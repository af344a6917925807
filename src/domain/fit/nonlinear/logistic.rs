//! Fit of y = a / (1 + e^(b - c x)).

use super::exponential::steepest;
use super::family::{Family, check_all, fit as fit_family};
use super::frame::{Frame, Inner, extremes};
use super::start::{LOOKS, Start, best, both_signs, eliminate};
use crate::domain::fit::method::{Method, Options};
use crate::domain::fit::{Fit, FitError, Pairs};
use crate::domain::transform::logistic::{LogisticSpec, share};
use crate::domain::transform::stage::StageSpec;

/// Fits a / (1 + e^(b - c x)) by least squares, weighted if there are weights.
///
/// Fails where there are fewer than three pairs or different x, and where the pairs don't show both
/// the rise and where it ends.
pub fn fit(pairs: &Pairs, options: &Options) -> Result<Fit, FitError> {
    check_all(pairs, options, Method::Logistic, 3, |_| true)?;
    let family = Logistic { frame: Frame::centred(pairs) };
    fit_family(&family, &family.frame, pairs, options)
}

/// Inner form: the same of t.
struct Logistic {
    frame: Frame,
}

/// Where between the ends, and beyond them, a scan looks for the middle of the rise.
const MIDDLES: [f64; 13] = [-2.0, -1.0, -0.5, -0.2, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.3, 2.0, 3.0];

impl Family for Logistic {
    fn method(&self) -> Method {
        Method::Logistic
    }

    fn names(&self) -> Vec<String> {
        ["a", "b", "c"].map(str::to_owned).into()
    }

    fn t(&self, x: f64) -> f64 {
        self.frame.t(x)
    }

    #[inline(always)]
    fn inner(&self, parameters: &[f64], t: f64, gradient: &mut [f64]) -> f64 {
        let [a, b, c] = [parameters[0], parameters[1], parameters[2]];
        let (share, bend) = share(c * t - b);
        gradient[0] = share;
        gradient[1] = -a * bend;
        gradient[2] = a * bend * t;
        a * share
    }

    fn starts(&self, pairs: &Inner) -> Vec<Start> {
        let few = pairs.thinned(LOOKS);
        let (low, high) = extremes(&few.t);
        let slopes = both_signs(0.5, steepest(&few.t).min(1e4)).step_by(2);
        let places = slopes.flat_map(|c| MIDDLES.map(|middle| (c, c * (low + middle * (high - low)))));
        let starts = places.filter_map(|(c, b)| {
            let (mut parameters, rss) = eliminate(&few, 1, |_, t, v, row| {
                row[0] = share(c * t - b).0;
                v
            })?;
            parameters.extend([b, c]);
            Some(Start { parameters, rss })
        });
        best(starts.collect(), 3)
    }

    fn inward(&self, reported: &[f64]) -> Vec<f64> {
        let [a, b, c] = [reported[0], reported[1], reported[2]];
        vec![a / self.frame.y_scale, b - c * self.frame.origin, c * self.frame.x_scale]
    }

    fn outward(&self, inner: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
        let Frame { origin, x_scale, y_scale } = self.frame;
        let c = inner[2] / x_scale;
        let derivatives =
            vec![vec![y_scale, 0.0, 0.0], vec![0.0, 1.0, origin / x_scale], vec![0.0, 0.0, 1.0 / x_scale]];
        (vec![y_scale * inner[0], inner[1] + c * origin, c], derivatives)
    }

    #[inline(always)]
    fn value(&self, reported: &[f64], x: f64) -> f64 {
        reported[0] * share(reported[2] * x - reported[1]).0
    }

    fn stage(&self, reported: &[f64], covariance: Option<Vec<Vec<f64>>>) -> StageSpec {
        let parameters = [reported[0], reported[1], reported[2]];
        StageSpec::Logistic(LogisticSpec { parameters, covariance })
    }

    fn remedy(&self) -> &'static str {
        "they show only a part of the rise: take exponential or saturation, or add readings at both ends"
    }
}
