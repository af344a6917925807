//! Method `huber`: a line on which outliers weigh less.

use super::deming::from_scaled;
use super::error::FitError;
use super::fitted::Fit;
use super::line::{Line, Scaled, beyond, check, median, note_unused_uncertainties, refuse_weights};
use super::pairs::Pairs;

/// Residuals beyond this many scales weigh less: 95 % efficient where errors are normal (Huber 1981).
const TUNING: f64 = 1.345;

/// The third quartile of the standard normal distribution: median absolute deviation of a normal
/// error in standard deviations.
const QUARTILE: f64 = 0.674_489_750_196_081_7;

/// Change of the line, relative to the spread of y, at which the iteration ends.
const TOLERANCE: f64 = 1e-15;

/// Most iterations.
const MAX_ITERATIONS: usize = 1000;

/// Change that rounding may keep up.
const STALLED: f64 = 1e-12;

/// A scale below this part of the spread of y is rounding: most pairs lie on one line.
const NEGLIGIBLE: f64 = 1e-14;

/// The line through centred and scaled values, with the scale of the residuals.
#[derive(Debug, Clone, Copy, PartialEq)]
struct State {
    offset: f64,
    gain: f64,
    scale: f64,
}

/// Fits y = a + b x by Huber's M-estimator with t = 1.345, by iteratively reweighted least squares.
///
/// The scale is re-estimated in each iteration as median |residual| / 0.6745, about zero. The
/// covariance is Huber's H1 (Huber 1981, section 7.6): k^2 s^2 sum psi^2/(n - 2) / mean(psi')^2
/// (X'X)^-1 with k = 1 + 2/n var(psi')/mean(psi')^2. Weights are refused. Needs 3 pairs, two
/// different x.
pub fn fit(pairs: &Pairs) -> Result<Fit, FitError> {
    check("huber", pairs, 3)?;
    refuse_weights("huber", pairs)?;
    let x = Scaled::new(pairs.x(), None);
    let y = Scaled::new(pairs.y(), None);
    let state = iterate(&x.values, &y.values)?;
    let mut notes = Vec::new();
    note_unused_uncertainties(pairs, &mut notes);
    let covariance = if state.scale > NEGLIGIBLE {
        notes.push(weighing(&x.values, &y.values, &state, y.scale));
        Some(from_scaled(covariance(&x.values, &y.values, &state), &x, &y))
    } else {
        notes.push("no covariance: at least half of the pairs lie exactly on the line".to_owned());
        None
    };
    let gain = state.gain * y.scale / x.scale;
    let offset = y.centre + state.offset * y.scale - gain * x.centre;
    Line { offset, gain, covariance }.into_fit("huber", pairs, None, notes)
}

/// How many pairs weigh less than the others.
fn weighing(x: &[f64], y: &[f64], state: &State, unit: f64) -> String {
    let far = residuals(x, y, state).filter(|r| r.abs() > TUNING * state.scale).count();
    let scale = state.scale * unit;
    format!(
        "robust scale of the residuals {scale:.6e}; {far} of {} pairs lie beyond 1.345 of it and weigh less",
        x.len()
    )
}

fn residuals<'a>(x: &'a [f64], y: &'a [f64], state: &State) -> impl Iterator<Item = f64> + 'a {
    let State { offset, gain, .. } = *state;
    x.iter().zip(y).map(move |(x, y)| y - (offset + gain * x))
}

fn scale(x: &[f64], y: &[f64], state: &State) -> f64 {
    median(&mut residuals(x, y, state).map(f64::abs).collect::<Vec<_>>()) / QUARTILE
}

fn weight(residual: f64, scale: f64) -> f64 {
    let limit = TUNING * scale;
    if residual.abs() <= limit { 1.0 } else { limit / residual.abs() }
}

/// Weighted least squares; `None` where the weighted x have no spread.
fn least_squares(x: &[f64], y: &[f64], weights: &[f64]) -> Option<(f64, f64)> {
    let (mut sum, mut sx, mut sy) = (0.0, 0.0, 0.0);
    for ((x, y), w) in x.iter().zip(y).zip(weights) {
        sum += w;
        sx += w * x;
        sy += w * y;
    }
    let (mx, my) = (sx / sum, sy / sum);
    let (mut xx, mut xy) = (0.0, 0.0);
    for ((x, y), w) in x.iter().zip(y).zip(weights) {
        xx += w * (x - mx) * (x - mx);
        xy += w * (x - mx) * (y - my);
    }
    let gain = xy / xx;
    gain.is_finite().then_some((my - gain * mx, gain))
}

fn iterate(x: &[f64], y: &[f64]) -> Result<State, FitError> {
    let mut weights = vec![1.0; x.len()];
    let mut state = State { offset: f64::INFINITY, gain: f64::INFINITY, scale: 0.0 };
    let mut last = f64::INFINITY;
    for _ in 0..MAX_ITERATIONS {
        let (offset, gain) = least_squares(x, y, &weights).ok_or_else(|| beyond("huber"))?;
        let change = (offset - state.offset).abs().max((gain - state.gain).abs());
        state = State { offset, gain, scale: 0.0 };
        state.scale = scale(x, y, &state);
        // rounding may keep the last digits going to and fro
        let settled = change <= TOLERANCE || change <= STALLED && change >= last;
        if settled || state.scale <= NEGLIGIBLE {
            return Ok(state);
        }
        last = change;
        for (weight_of, residual) in weights.iter_mut().zip(residuals(x, y, &state)) {
            *weight_of = weight(residual, state.scale);
        }
    }
    Err(FitError::NotConverged {
        method: "huber".to_owned(),
        iterations: MAX_ITERATIONS,
        remedy: "take theil-sen, which needs no iteration".to_owned(),
    })
}

/// H1 for the offset and gain of centred and scaled values.
fn covariance(x: &[f64], y: &[f64], state: &State) -> [[f64; 2]; 2] {
    let n = x.len() as f64;
    let limit = TUNING * state.scale;
    let within = residuals(x, y, state).filter(|r| r.abs() <= limit).count() as f64;
    // psi' is 1 within the limit and 0 beyond
    let share = within / n;
    let correction = 1.0 + 2.0 / n * (share * (1.0 - share)) / (share * share);
    let squares: f64 = residuals(x, y, state).map(|r| r.clamp(-limit, limit).powi(2)).sum();
    let unit = correction * correction * squares / (n - 2.0) / (share * share);
    let mean = x.iter().sum::<f64>() / n;
    let spread: f64 = x.iter().map(|x| (x - mean) * (x - mean)).sum();
    let gain = unit / spread;
    [[unit / n + mean * mean * gain, -mean * gain], [-mean * gain, gain]]
}
