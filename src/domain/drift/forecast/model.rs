//! How a bias may move, and what its past tells of it: one linear model with parts that are there or not.

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

/// Days of a year.
const YEAR: f64 = 365.2425;

/// Numbers of a state: level, change a year, and two of the season.
pub(super) const STATES: usize = 4;

/// The state's standard deviations before the first point, in standard deviations of the points; the change is one
/// over the whole past. A straight line changes by 3.5 of them.
const VAGUE: [f64; STATES] = [10.0, 1.5, 2.0, 2.0];

/// How a bias moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Model {
    /// A straight line: it changes by the same every day.
    Trend,
    /// A random walk: every day's step is as likely up as down.
    Walk,
    /// A random walk whose steps have a mean.
    DriftingWalk,
    /// A yearly cycle about a random walk whose steps have a mean.
    Seasonal,
}

impl Model {
    /// All of them, the simpler ones first.
    pub const ALL: [Model; 4] = [Model::Trend, Model::Walk, Model::DriftingWalk, Model::Seasonal];

    /// The name in words.
    pub fn name(self) -> &'static str {
        match self {
            Model::Trend => "trend",
            Model::Walk => "random walk",
            Model::DriftingWalk => "random walk with drift",
            Model::Seasonal => "yearly cycle",
        }
    }

    /// Whether `other` is this model without some of its parts.
    pub(super) fn contains(self, other: Model) -> bool {
        other < self && (self >= Model::DriftingWalk)
    }

    pub(super) fn walks(self) -> bool {
        self != Model::Trend
    }

    /// What each number of the state adds to the bias at `day`.
    pub(super) fn row(self, day: f64) -> [f64; STATES] {
        let years = day / YEAR;
        match self {
            Model::Walk => [1.0, 0.0, 0.0, 0.0],
            Model::Trend | Model::DriftingWalk => [1.0, years, 0.0, 0.0],
            Model::Seasonal => {
                let (sine, cosine) = (TAU * years).sin_cos();
                [1.0, years, cosine, sine]
            }
        }
    }
}

/// A point with its time in days and its bias in units of the MPE.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Seen {
    pub day: f64,
    pub bias: f64,
    pub u: f64,
}

/// Standard deviations of what is random.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Noise {
    /// Of the walk, per square root of a day.
    pub walk: f64,
    /// Of single points about the model, beyond their own uncertainty.
    pub scatter: f64,
}

/// What is known of the model after some points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct State {
    pub mean: [f64; STATES],
    pub covariance: [[f64; STATES]; STATES],
    /// The day of the last point: since then the level has walked on.
    pub day: f64,
}

/// Mean and standard deviation of some points; the deviation is never 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    pub mean: f64,
    pub deviation: f64,
}

impl Scale {
    pub(super) fn of(points: &[Seen]) -> Scale {
        let n = points.len() as f64;
        let mean = points.iter().map(|point| point.bias).sum::<f64>() / n;
        let squares: f64 = points.iter().map(|point| (point.bias - mean).powi(2)).sum();
        let u = points.iter().map(|point| point.u).sum::<f64>() / n;
        Scale { mean, deviation: (squares / n).sqrt().max(u).max(1e-9) }
    }
}

fn dot(a: &[f64; STATES], b: &[f64; STATES]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl State {
    fn vague(scale: &Scale, first: &Seen, span: f64) -> State {
        let mut covariance = [[0.0; STATES]; STATES];
        for (at, row) in covariance.iter_mut().enumerate() {
            let unit = if at == 1 { scale.deviation * YEAR / span } else { scale.deviation };
            row[at] = (VAGUE[at] * unit).powi(2);
        }
        State { mean: [scale.mean, 0.0, 0.0, 0.0], covariance, day: first.day }
    }

    /// Mean and variance of the true bias at `day`.
    pub(super) fn predict(&self, model: Model, noise: &Noise, day: f64) -> (f64, f64) {
        let row = model.row(day);
        let walked = noise.walk * noise.walk * (day - self.day).max(0.0);
        (dot(&row, &self.mean), dot(&row, &self.covariance.map(|line| dot(&line, &row))).max(0.0) + walked)
    }

    /// Takes a point in (Kalman 1960); returns the log-likelihood of it.
    fn update(&mut self, model: Model, noise: &Noise, point: &Seen) -> f64 {
        self.covariance[0][0] += noise.walk * noise.walk * (point.day - self.day).max(0.0);
        self.day = point.day;
        let row = model.row(point.day);
        let along = self.covariance.map(|line| dot(&line, &row));
        let variance = dot(&row, &along) + noise.scatter * noise.scatter + point.u * point.u;
        let off = point.bias - dot(&row, &self.mean);
        for at in 0..STATES {
            self.mean[at] += along[at] / variance * off;
            for to in 0..STATES {
                self.covariance[at][to] -= along[at] * along[to] / variance;
            }
        }
        -0.5 * (off * off / variance + (TAU * variance).ln())
    }
}

/// A run over points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Run {
    /// After the last point.
    pub state: State,
    /// Log-likelihood of all points.
    pub likelihood: f64,
    /// Log-likelihood of the first ones.
    pub first: f64,
}

/// Runs over all points (at least one), of which so many are the first ones.
pub(super) fn run(model: Model, noise: &Noise, scale: &Scale, points: &[Seen], first: usize) -> Run {
    let span = (points[points.len() - 1].day - points[0].day).max(1.0);
    let mut run = Run { state: State::vague(scale, &points[0], span), likelihood: 0.0, first: 0.0 };
    for (at, point) in points.iter().enumerate() {
        run.likelihood += run.state.update(model, noise, point);
        if at + 1 == first {
            run.first = run.likelihood;
        }
    }
    run
}

/// Whether enough of a year was seen for a yearly cycle: three quarters.
pub(super) fn sees_a_year(points: &[Seen]) -> bool {
    points.len() > 1 && points[points.len() - 1].day - points[0].day >= 0.75 * YEAR
}
