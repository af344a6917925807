//! Scores of measurements: how far values are from their references.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::fit::{FitError, Pairs};
use crate::domain::resample::Seeded;
use crate::domain::stats::quantile;

/// The scores of values against references. Errors are value - reference (VIM 2.16).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Scores {
    /// Pairs.
    pub n: usize,
    /// Mean error (VIM 2.18), in the unit of the values.
    pub bias: f64,
    /// Root of the mean squared error.
    pub rmse: f64,
    /// Mean absolute error.
    pub mae: f64,
    /// Standard deviation of the errors, over n - 1; `None` for one pair.
    pub std: Option<f64>,
    /// Squared correlation of values and references; `None` if one of them is constant. Blind to
    /// offset and gain, unlike `rmse`.
    pub r_squared: Option<f64>,
    /// Of the regression of values on references: 1 for a true gain.
    pub slope: Option<f64>,
    /// Of the same regression: 0 for a true zero.
    pub intercept: Option<f64>,
    /// Mean of E_n, signed; `None` without uncertainties of both.
    pub en_mean: Option<f64>,
    /// Share of pairs with |E_n| <= 1: those that agree within their uncertainties.
    pub en_fraction_within_1: Option<f64>,
}

/// k of U = k u, unless another one is asked for: about 95 % of a normal distribution.
pub const COVERAGE_FACTOR: f64 = 2.0;

/// What E_n needs beside the standard uncertainties of the pairs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement<'a> {
    /// Makes expanded uncertainties of standard ones, U = k u.
    pub coverage_factor: f64,
    /// The standard uncertainty that value and reference of each pair have in common because one
    /// standard stands behind both, in the unit of the values.
    pub shared: Option<&'a [f64]>,
}

impl Default for Agreement<'_> {
    fn default() -> Agreement<'static> {
        Agreement { coverage_factor: COVERAGE_FACTOR, shared: None }
    }
}

/// Scores `x`, the values, against `y`, the references.
///
/// E_n = (x - y) / sqrt(U_x^2 + U_y^2 - 2 U_shared^2) if the pairs have both standard uncertainties
/// (ISO/IEC 17043; ISO 13528, 9.7). E_n says nothing about pairs that made the calibration.
pub fn evaluate(pairs: &Pairs, agreement: &Agreement<'_>) -> Result<Scores, FitError> {
    let errors = errors(pairs)?;
    let moments = Moments::of(&errors);
    let line = line(pairs.x(), pairs.y());
    let en = en(pairs, &errors, agreement)?;
    let within = |en: &Vec<f64>| en.iter().filter(|en| en.abs() <= 1.0).count() as f64 / en.len() as f64;
    let scores = Scores {
        n: errors.len(),
        bias: moments.bias,
        rmse: moments.rmse,
        mae: moments.mae,
        std: deviation(&errors, moments.bias),
        r_squared: line.and_then(|line| line.r_squared),
        slope: line.map(|line| line.slope),
        intercept: line.map(|line| line.intercept),
        en_mean: en.as_ref().map(|en| mean(en)),
        en_fraction_within_1: en.as_ref().map(within),
    };
    let optional = [scores.std, scores.slope, scores.intercept, scores.en_mean];
    let numbers = [scores.bias, scores.rmse, scores.mae];
    match numbers.into_iter().chain(optional.into_iter().flatten()).all(f64::is_finite) {
        true => Ok(scores),
        false => Err(too_large()),
    }
}

/// The scores of each cohort, by its name. Fails if the names are not as many as the pairs.
pub fn evaluate_by(
    pairs: &Pairs,
    cohorts: &[String],
    agreement: &Agreement<'_>,
) -> Result<BTreeMap<String, Scores>, FitError> {
    let mut places: BTreeMap<&String, Vec<usize>> = BTreeMap::new();
    for (at, name) in cohorts.iter().enumerate() {
        places.entry(name).or_default().push(at);
    }
    if cohorts.len() != pairs.len() {
        let problem = format!("has {} values, expected {}", cohorts.len(), pairs.len());
        return Err(FitError::column("cohort", problem));
    }
    let scored = |(name, places): (&String, Vec<usize>)| {
        let shared: Option<Vec<f64>> =
            agreement.shared.map(|u| places.iter().filter_map(|at| u.get(*at)).copied().collect());
        let agreement = Agreement { shared: shared.as_deref(), ..*agreement };
        Ok((name.clone(), evaluate(&pairs.select(&places)?, &agreement)?))
    };
    places.into_iter().map(scored).collect()
}

/// value - reference, for each pair.
pub fn errors(pairs: &Pairs) -> Result<Vec<f64>, FitError> {
    let errors: Vec<f64> =
        pairs.x().iter().zip(pairs.y()).map(|(value, reference)| value - reference).collect();
    if errors.iter().all(|error| error.is_finite()) { Ok(errors) } else { Err(too_large()) }
}

fn too_large() -> FitError {
    FitError::Unsupported("the values are too large to compute with: choose other units".to_owned())
}

fn mean(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    // what the first pass lost by rounding
    mean + values.iter().map(|value| value - mean).sum::<f64>() / n
}

/// What is resampled.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Moments {
    bias: f64,
    rmse: f64,
    mae: f64,
}

impl Moments {
    fn of(errors: &[f64]) -> Moments {
        let n = errors.len() as f64;
        let squares: f64 = errors.iter().map(|error| error * error).sum();
        let sizes: f64 = errors.iter().map(|error| error.abs()).sum();
        Moments { bias: mean(errors), rmse: (squares / n).sqrt(), mae: sizes / n }
    }
}

fn deviation(errors: &[f64], mean: f64) -> Option<f64> {
    let squares: f64 = errors.iter().map(|error| (error - mean) * (error - mean)).sum();
    (errors.len() > 1).then(|| (squares / (errors.len() as f64 - 1.0)).sqrt())
}

/// The regression of values on references.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Regression {
    slope: f64,
    intercept: f64,
    r_squared: Option<f64>,
}

fn line(values: &[f64], references: &[f64]) -> Option<Regression> {
    let (value, reference) = (mean(values), mean(references));
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in references.iter().zip(values) {
        let (x, y) = (x - reference, y - value);
        xx += x * x;
        yy += y * y;
        xy += x * y;
    }
    let slope = xy / xx;
    let r_squared = (yy > 0.0).then(|| (xy / xx.sqrt() / yy.sqrt()).powi(2).min(1.0));
    (xx > 0.0).then_some(Regression { slope, intercept: value - slope * reference, r_squared })
}

fn en(pairs: &Pairs, errors: &[f64], agreement: &Agreement<'_>) -> Result<Option<Vec<f64>>, FitError> {
    let (Some(ux), Some(uy)) = (pairs.ux(), pairs.uy()) else { return Ok(None) };
    let k = agreement.coverage_factor;
    if !(k > 0.0 && k.is_finite()) {
        return Err(FitError::Unsupported(format!("the coverage factor is {k}, expected a number above 0")));
    }
    if let Some(shared) = agreement.shared.filter(|shared| shared.len() != errors.len()) {
        let problem = format!("has {} values, expected {}", shared.len(), errors.len());
        return Err(FitError::column("shared uncertainty", problem));
    }
    let score = |at: usize| {
        let shared = agreement.shared.map_or(0.0, |shared| shared[at]);
        let variance = ux[at] * ux[at] + uy[at] * uy[at] - 2.0 * shared * shared;
        if variance > 0.0 && shared <= ux[at] && shared <= uy[at] {
            return Ok(errors[at] / (k * variance.sqrt()));
        }
        let problem =
            format!("{shared} is shared, which has to be less than the uncertainties of value and reference");
        Err(pairs.fault(at, "shared uncertainty", problem))
    };
    (0..errors.len()).map(score).collect::<Result<Vec<_>, _>>().map(Some)
}

/// How to resample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    /// Resamples drawn.
    pub replicates: usize,
    /// Neighbouring pairs that are drawn together: 1 if pairs are independent, else about as many as
    /// are correlated (Politis, Romano 1992).
    pub block: usize,
    /// Share of the resamples inside the interval.
    pub confidence: f64,
    /// Of the draws.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Bootstrap {
        Bootstrap { replicates: 2000, block: 1, confidence: 0.95, seed: 1 }
    }
}

/// Lower and upper ends, by resampling.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Intervals {
    /// Of the mean error.
    pub bias: [f64; 2],
    /// Of the root of the mean squared error.
    pub rmse: [f64; 2],
    /// Of the mean absolute error.
    pub mae: [f64; 2],
}

/// Percentile intervals of the scores of these errors (Efron 1979), by drawing blocks that go on
/// from the last pair to the first; `None` for fewer than two errors or no replicates.
pub fn intervals(errors: &[f64], how: &Bootstrap) -> Option<Intervals> {
    let sound = how.confidence > 0.0 && how.confidence < 1.0 && errors.iter().all(|error| error.is_finite());
    if errors.len() < 2 || how.replicates == 0 || !sound {
        return None;
    }
    let mut draws = Seeded::new(how.seed);
    let mut drawn = Vec::with_capacity(errors.len());
    let scores: Vec<Moments> = (0..how.replicates)
        .map(|_| {
            resample(errors, how.block.clamp(1, errors.len()), &mut draws, &mut drawn);
            Moments::of(&drawn)
        })
        .collect();
    let interval =
        |score: fn(&Moments) -> f64| percentiles(scores.iter().map(score).collect(), how.confidence);
    Some(Intervals { bias: interval(|it| it.bias), rmse: interval(|it| it.rmse), mae: interval(|it| it.mae) })
}

fn resample(errors: &[f64], block: usize, draws: &mut Seeded, drawn: &mut Vec<f64>) {
    drawn.clear();
    while drawn.len() < errors.len() {
        let start = draws.below(errors.len());
        let more = block.min(errors.len() - drawn.len());
        let end = errors.len().min(start + more);
        drawn.extend_from_slice(&errors[start..end]);
        drawn.extend_from_slice(&errors[..more - (end - start)]);
    }
}

/// The values with equally many beyond them on either side, interpolated between ranks.
fn percentiles(mut values: Vec<f64>, confidence: f64) -> [f64; 2] {
    values.sort_unstable_by(f64::total_cmp);
    [(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0].map(|share| quantile(&values, share))
}

#[cfg(test)]
mod tests;
