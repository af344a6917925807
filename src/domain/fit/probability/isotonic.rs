//! Fit `isotonic`: the best values that only rise, or only fall.

use super::super::error::FitError;
use super::super::fitted::{Fit, Table};
use super::super::line::beyond;
use super::super::pairs::Pairs;
use super::super::statistics;
use super::labels::Labels;
use super::ties::{Tie, ties};
use crate::domain::transform::isotonic::IsotonicSpec;
use crate::domain::transform::stage::StageSpec;
use crate::domain::transform::steps::MAX_STEPS;

/// Which way the values go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trend {
    /// Higher values at higher readings.
    #[default]
    Rising,
    /// Lower values at higher readings.
    Falling,
}

/// Readings from `first` to `last` that share one value.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Block {
    first: f64,
    last: f64,
    weight: f64,
    sum: f64,
    mean: f64,
}

/// Fits the monotone values with the least weighted sum of squares.
///
/// Pool adjacent violators (Ayer et al. 1955), linear in the pairs once they are sorted; pairs with
/// exactly one reading are taken together first. The table keeps both ends of each block: straight
/// lines between them, and the end values beyond. y may be labels, 0 and 1, which makes the values
/// probabilities with binomial uncertainties, or any values, which makes residual statistics. Weights
/// as in other fits of values. Fails for labels of one class only, and for too many thresholds.
pub fn fit(pairs: &Pairs, trend: Trend) -> Result<Fit, FitError> {
    let labels = pairs.y().iter().all(|y| *y == 0.0 || *y == 1.0);
    if labels {
        Labels::read(pairs)?;
    }
    let weights = pairs.weights();
    let sorted = ties(pairs, weights.as_deref())?;
    let blocks = pool(&sorted.ties, trend);
    let spec = thresholds(&blocks, labels);
    if spec.x.len() > MAX_STEPS {
        let problem = format!(
            "isotonic gives {} thresholds, more than the {MAX_STEPS} of a table: take piecewise:N or polynomial:N",
            spec.x.len()
        );
        return Err(FitError::Unsupported(problem));
    }
    let notes = (blocks.len() == 1).then(|| match trend {
        Trend::Rising => "one value for all readings: nowhere does the reference rise with them; where it falls, ask for a falling trend".to_owned(),
        Trend::Falling => "one value for all readings: nowhere does the reference fall with them".to_owned(),
    });
    let fit = Fit {
        method: "isotonic".to_owned(),
        table: Some(Table { x: spec.x.clone(), y: spec.y.clone() }),
        n: pairs.len(),
        stages: vec![StageSpec::Isotonic(spec)],
        notes: notes.into_iter().collect(),
        ..Fit::default()
    };
    if labels {
        return Ok(fit);
    }
    fit.curve(pairs).map_err(|_| beyond(&fit.method))?;
    let residuals = residuals(pairs, &sorted.places, &blocks);
    Ok(statistics::describe(fit, pairs, &residuals, weights.as_deref(), blocks.len()))
}

fn pool(ties: &[Tie], trend: Trend) -> Vec<Block> {
    let sign = if trend == Trend::Rising { 1.0 } else { -1.0 };
    let mut blocks: Vec<Block> = Vec::new();
    for tie in ties {
        let mean = tie.sum / tie.weight;
        let mut block = Block { first: tie.x, last: tie.x, weight: tie.weight, sum: tie.sum, mean };
        while let Some(before) = blocks.last().filter(|before| sign * before.mean >= sign * block.mean) {
            let (weight, sum) = (before.weight + block.weight, before.sum + block.sum);
            block = Block { first: before.first, last: block.last, weight, sum, mean: sum / weight };
            blocks.pop();
        }
        blocks.push(block);
    }
    blocks
}

/// y - fitted: on a block the stage gives its mean exactly, so that no pair has to look for its own.
fn residuals(pairs: &Pairs, sorted: &[usize], blocks: &[Block]) -> Vec<f64> {
    let (x, y) = (pairs.x(), pairs.y());
    let mut residuals = vec![0.0; y.len()];
    let mut block = 0;
    for at in sorted {
        while block + 1 < blocks.len() && x[*at] > blocks[block].last {
            block += 1;
        }
        residuals[*at] = y[*at] - blocks[block].mean;
    }
    residuals
}

fn thresholds(blocks: &[Block], labels: bool) -> IsotonicSpec {
    let (mut x, mut y, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    for block in blocks {
        for end in
            [Some(block.first), (block.last != block.first).then_some(block.last)].into_iter().flatten()
        {
            x.push(end);
            y.push(block.mean);
            counts.push(block.weight);
        }
    }
    IsotonicSpec { x, y, counts: labels.then_some(counts) }
}

#[cfg(test)]
mod tests;
