//! When a sensor's bias will cross its maximum permissible error (MPE), from the past of that bias.
//!
//! A model of the drift is chosen by how well it would have predicted the past; first-passage times come from
//! futures simulated with a seed, in which the model's parameters are as uncertain as the past leaves them.

mod model;
mod noise;
mod passage;
mod series;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::domain::time::Timestamp;
use model::Seen;
use noise::{Node, Posterior};
use passage::Passage;

pub use model::Model;
pub use series::{MOST_POINTS, Point, PointError, Series};

/// Fewest points of a forecast.
pub const FEWEST_POINTS: usize = 8;

/// A model is left out where one that it contains predicted better by this logarithm (Madigan, Raftery 1994).
const PARSIMONY: f64 = 0.5;

const DAY: f64 = 86_400e6;

/// In units of the MPE: beyond this, squares would leave the numbers.
const BEYOND: f64 = 1e60;

/// What a forecast is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The MPE in the unit of the bias, above 0. A relative one is taken at the value of interest.
    pub mpe: f64,
    /// How far ahead is looked, in days.
    pub horizon_days: f64,
    /// When the fixed interval of calibration ends, if there is one.
    pub fixed: Option<Timestamp>,
    /// Of the simulated futures.
    pub seed: u64,
}

impl Question {
    /// Two years ahead, without a fixed interval.
    pub fn new(mpe: f64) -> Question {
        Question { mpe, horizon_days: 730.0, fixed: None, seed: 1 }
    }
}

/// Why there is no forecast.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum ForecastError {
    /// The past is too short.
    #[error("a forecast needs the bias of at least {FEWEST_POINTS} days, there are {0}")]
    TooFew(usize),
    /// The MPE is none.
    #[error("the maximum permissible error is {0}, expected a number above 0")]
    Mpe(f64),
    /// The horizon is none.
    #[error("the horizon is {0} days, expected a number above 0")]
    Horizon(f64),
}

/// What decides the date of the next calibration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decides {
    /// The fixed interval ends.
    Interval,
    /// From then on the bias is beyond the MPE with more than 5 %.
    Forecast,
}

/// How well a model would have predicted the past.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Which one.
    pub model: Model,
    /// The mean logarithm of the probability density that it gave each point from those before it, the bias in
    /// units of the MPE: the higher the better.
    pub log_score: f64,
    /// Its share in the forecast.
    pub weight: f64,
}

/// When the bias will cross the MPE.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// The model that predicted the past best.
    pub model: Model,
    /// The bias now, as the model has it.
    pub bias: f64,
    /// Its standard uncertainty; what the references may be off by together included.
    pub u_bias: f64,
    /// The MPE it was compared with.
    pub mpe: f64,
    /// Days until |bias| crosses the MPE for the first time: the 5, 50 and 95 % quantiles. `None` is later than the
    /// horizon; 0 is now.
    pub days_to_mpe: [Option<f64>; 3],
    /// The probability that it crosses before the horizon.
    pub within_horizon: f64,
    /// How far ahead was looked, in days.
    pub horizon_days: f64,
    /// The earlier of the fixed interval's end and the 5 % quantile (ILAC-G24 / OIML D 10).
    pub next_calibration: Option<Timestamp>,
    /// Which of them it is.
    pub decided_by: Option<Decides>,
    /// How all models did.
    pub scores: Vec<Score>,
    /// All of this in a sentence.
    pub message: String,
}

/// Forecasts from the past of a bias, as of `now`.
pub fn forecast(series: &Series, question: &Question, now: Timestamp) -> Result<Forecast, ForecastError> {
    let seen = checked(series, question)?;
    let past = compare(&seen);
    let model = past.best;
    let nodes = past.nodes;
    let now_day = now.micros_since(series.points()[0].time) as f64 / DAY;
    // points from the future are as of now
    let now_day = now_day.max(seen[seen.len() - 1].day);
    let (mut bias, mut square) = (0.0, 0.0);
    for node in &nodes {
        let (mean, variance) = node.state.predict(node.model, &node.noise, now_day);
        bias += node.weight * mean;
        square += node.weight * (mean * mean + variance);
    }
    // What the points have in common is in none of them alone, and stays however many they are (GUM 5.2.2, note 1).
    let shared = (series.shared() / question.mpe).min(BEYOND);
    let passage = Passage::simulated(&nodes, shared, now_day, question.horizon_days, question.seed);
    let outside = bias.abs() >= 1.0;
    let quantile = |share| if outside { Some(0.0) } else { passage.quantile(share) };
    let days_to_mpe = [0.05, 0.5, 0.95].map(quantile);
    let (next_calibration, decided_by) = proposed(days_to_mpe[0], question.fixed, now);
    Ok(Forecast {
        model,
        bias: bias * question.mpe,
        u_bias: (square - bias * bias).max(0.0).sqrt().hypot(shared) * question.mpe,
        mpe: question.mpe,
        days_to_mpe,
        within_horizon: if outside { 1.0 } else { passage.within_horizon() },
        horizon_days: question.horizon_days,
        next_calibration,
        decided_by,
        scores: past.scores,
        message: sentence(model, outside, days_to_mpe, question.horizon_days),
    })
}

/// The points in days since the first and in units of the MPE.
fn checked(series: &Series, question: &Question) -> Result<Vec<Seen>, ForecastError> {
    let (mpe, horizon) = (question.mpe, question.horizon_days);
    if !(mpe > 0.0 && mpe.is_finite()) {
        return Err(ForecastError::Mpe(mpe));
    }
    if !(horizon > 0.0 && horizon.is_finite()) {
        return Err(ForecastError::Horizon(horizon));
    }
    let points = series.points();
    if points.len() < FEWEST_POINTS {
        return Err(ForecastError::TooFew(points.len()));
    }
    let bounded = |value: f64| (value / mpe).clamp(-BEYOND, BEYOND);
    let seen = |point: &Point| Seen {
        day: point.time.micros_since(points[0].time) as f64 / DAY,
        bias: bounded(point.bias),
        u: bounded(point.u),
    };
    Ok(points.iter().map(seen).collect())
}

/// What the models make of the past.
struct Compared {
    best: Model,
    nodes: Vec<Node>,
    scores: Vec<Score>,
}

fn compare(seen: &[Seen]) -> Compared {
    let models = Model::ALL.into_iter().filter(|model| *model != Model::Seasonal || model::sees_a_year(seen));
    let fits: Vec<(Model, Posterior)> = models.map(|model| (model, noise::posterior(model, seen))).collect();
    let score = |(model, fit): &(Model, Posterior)| {
        let simpler = fits.iter().filter(|(other, _)| model.contains(*other));
        let stays = simpler.map(|(_, other)| other.score).all(|other| other < fit.score + PARSIMONY);
        if stays { fit.score } else { f64::NEG_INFINITY }
    };
    let kept: Vec<f64> = fits.iter().map(score).collect();
    let all = noise::log_sum(kept.iter().copied());
    let predictions = (seen.len() - noise::first(seen.len())) as f64;
    let mut compared = Compared { best: Model::Walk, nodes: Vec::new(), scores: Vec::new() };
    let mut most = 0.0;
    for ((model, fit), kept) in fits.into_iter().zip(kept) {
        let weight = (kept - all).exp();
        compared.scores.push(Score { model, log_score: fit.score / predictions, weight });
        compared
            .nodes
            .extend(fit.nodes.into_iter().map(|node| Node { weight: node.weight * weight, ..node }));
        if weight > most {
            (most, compared.best) = (weight, model);
        }
    }
    compared
}

fn proposed(
    days: Option<f64>,
    fixed: Option<Timestamp>,
    now: Timestamp,
) -> (Option<Timestamp>, Option<Decides>) {
    let forecast = days.map(|days| now.saturating_add_micros((days * DAY) as i64));
    match (forecast, fixed) {
        (Some(forecast), fixed) if fixed.is_none_or(|fixed| forecast < fixed) => {
            (Some(forecast), Some(Decides::Forecast))
        }
        (_, fixed) => (fixed, fixed.map(|_| Decides::Interval)),
    }
}

fn sentence(model: Model, outside: bool, days: [Option<f64>; 3], horizon: f64) -> String {
    let by = format!("({})", model.name());
    if outside {
        return format!("the bias is beyond the maximum permissible error now {by}");
    }
    let text = |days: f64| format!("{days:.0}");
    let [Some(early), median, late] = days else {
        return format!(
            "the bias stays within the maximum permissible error for {horizon:.0} days with at least 95 % {by}"
        );
    };
    let of = |days: Option<f64>| days.map_or_else(|| format!("more than {horizon:.0}"), text);
    format!(
        "the bias crosses the maximum permissible error in {} to {} days with 90 %, as likely as not in {} {by}",
        text(early),
        of(late),
        of(median)
    )
}
