//! The errors of a day as one point of the past of a bias.

use serde::{Deserialize, Serialize};

use crate::domain::drift::forecast::Point;
use crate::domain::drift::pair::Pair;
use crate::domain::stats::{Moments, n_effective};
use crate::domain::time::Timestamp;

const DAY: i64 = 86_400_000_000;

/// A point of the past, and what its references may be off by together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Told {
    /// With what is random in it only.
    pub point: Point,
    /// The mean uncertainty of the references, less what the values share.
    pub u_reference: f64,
}

/// The pairs of the day that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Day {
    /// Which one, counted from 1970.
    at: i64,
    n: u64,
    mean: f64,
    m2: f64,
    /// Squares of the differences between neighbouring errors, together.
    steps: f64,
    last: f64,
    /// Of the times, from the beginning of the day, together.
    times: f64,
    /// Of the references' uncertainties, together.
    u_reference: f64,
    /// Standard deviation of single errors within a day, as the last day with enough of them had it.
    scatter: Option<f64>,
}

impl Day {
    /// Takes a pair of this day or a later one. A later one ends this day: then its point is given. A pair of
    /// an earlier day, whose point was given, counts as a point of its own once the scatter of one is known. A day
    /// that has not begun at `now` is of a clock that was ahead, and is left out.
    pub fn take(&mut self, pair: &Pair, now: Timestamp) -> Option<Told> {
        let at = pair.time.as_micros().div_euclid(DAY);
        if self.n > 0 && self.at > now.as_micros().div_euclid(DAY).max(at) {
            *self = Day { scatter: self.scatter, ..Day::default() };
        }
        if self.n > 0 && at < self.at {
            let point = Point { time: pair.time, bias: pair.error(), u: self.scatter? };
            return Some(Told { point, u_reference: pair.u_reference_alone().unwrap_or(0.0) });
        }
        let ended = (self.n > 0 && at > self.at).then(|| self.point());
        if let Some((_, scatter)) = ended {
            *self = Day { scatter, ..Day::default() };
        }
        self.push(at, pair);
        ended.map(|(told, _)| told)
    }

    fn push(&mut self, at: i64, pair: &Pair) {
        let mut moments = Moments { n: self.n, mean: self.mean, m2: self.m2 };
        let error = pair.error();
        moments.push(error);
        if self.n > 0 {
            self.steps += (error - self.last).powi(2);
        }
        (self.at, self.n, self.mean, self.m2, self.last) = (at, moments.n, moments.mean, moments.m2, error);
        self.times += (pair.time.as_micros() - at * DAY) as f64;
        self.u_reference += pair.u_reference_alone().unwrap_or(0.0);
    }

    /// The day's point, and the scatter that is known with it. Where none is, as of one pair a day, the uncertainty of the
    /// references stands for it: what is random in them is no more than that.
    fn point(&self) -> (Told, Option<f64>) {
        let n = self.n as f64;
        let std = Moments { n: self.n, mean: self.mean, m2: self.m2 }.std();
        let scatter = std.filter(|std| *std > 0.0).or(self.scatter);
        // With von Neumann's ratio: lag-1 autocorrelation from the mean square of successive differences.
        let lag1 = if self.m2 > 0.0 { (1.0 - self.steps / (2.0 * self.m2)).clamp(0.0, 0.98) } else { 0.0 };
        let u_reference = self.u_reference / n;
        let u = scatter.map_or(u_reference, |scatter| scatter / n_effective(n, lag1).max(1.0).sqrt());
        let micros = self.at.saturating_mul(DAY).saturating_add((self.times / n) as i64);
        let time = Timestamp::EPOCH.saturating_add_micros(micros);
        (Told { point: Point { time, bias: self.mean, u }, u_reference }, scatter)
    }
}
