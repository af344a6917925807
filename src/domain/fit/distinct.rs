//! Pairs of equal x taken together, for tables.

use super::error::FitError;
use super::fitted::{Fit, Table};
use super::line::beyond;
use super::pairs::Pairs;
use super::rank::ranked;
use super::statistics::describe;
use crate::domain::transform::stage::StageSpec;

/// What the pairs of one x say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Distinct {
    pub x: f64,
    /// The weighted mean of their y.
    pub y: f64,
    /// The sum of their weights.
    pub weight: f64,
    /// How many they are.
    pub count: usize,
}

/// The places of the pairs, in the order of x; pairs of equal x in the order of y, so that sums do
/// not depend on the order of the pairs.
pub(super) fn sorted(pairs: &Pairs) -> Vec<usize> {
    let (x, y) = (pairs.x(), pairs.y());
    let mut order = ranked(x);
    for tie in order.chunk_by_mut(|a, b| a.0 == b.0).filter(|tie| tie.len() > 1) {
        // the places last, as a stable sort leaves them
        tie.sort_unstable_by(|(_, a), (_, b)| y[*a].total_cmp(&y[*b]).then(a.cmp(b)));
    }
    order.into_iter().map(|(_, at)| at).collect()
}

/// The distinct x, strictly increasing, from places that are in the order of x.
pub(super) fn distinct(pairs: &Pairs, weights: Option<&[f64]>, sorted: &[usize]) -> Vec<Distinct> {
    let (x, y) = (pairs.x(), pairs.y());
    let weight = |at: usize| weights.map_or(1.0, |weights| weights[at]);
    let of = |tie: &[usize]| {
        let first = y[tie[0]];
        let total: f64 = tie.iter().map(|at| weight(*at)).sum();
        let rest: f64 = tie.iter().map(|at| weight(*at) / total * (y[*at] - first)).sum();
        Distinct { x: x[tie[0]], y: first + rest, weight: total, count: tie.len() }
    };
    sorted.chunk_by(|a, b| x[*a] == x[*b]).map(of).collect()
}

/// The fit that has this table as its stage; its residuals come from the stage that will run.
pub(super) fn table_fit(
    method: String,
    pairs: &Pairs,
    weights: Option<&[f64]>,
    stage: StageSpec,
    table: Table,
    mut notes: Vec<String>,
) -> Result<Fit, FitError> {
    let numbers = table.x.iter().chain(&table.y);
    let steps = table.x.windows(2).chain(table.y.windows(2)).map(|pair| pair[1] - pair[0]);
    if numbers.copied().chain(steps).any(|number| !number.is_finite()) {
        return Err(beyond(&method));
    }
    if table.y.iter().all(|y| *y == table.y[0]) {
        return Err(FitError::Unsupported(format!(
            "{method}: the curve is level, so that the sensor says nothing about the reference: check which columns are x and y"
        )));
    }
    if let Some(at) = turn(&table) {
        notes.push(format!("not monotone: the curve turns at x = {}", table.x[at]));
    }
    let parameters = table.x.len();
    let fit =
        Fit { method, n: pairs.len(), table: Some(table), stages: vec![stage], notes, ..Fit::default() };
    let fitted = fit.curve(pairs)?.values(pairs);
    let residuals: Vec<f64> = pairs.y().iter().zip(fitted).map(|(y, fitted)| y - fitted).collect();
    if residuals.iter().any(|residual| !residual.is_finite()) {
        return Err(beyond(&fit.method));
    }
    Ok(describe(fit, pairs, &residuals, weights, parameters))
}

/// The first point at which a table that rises falls, or the other way round.
fn turn(table: &Table) -> Option<usize> {
    let mut direction = 0.0;
    for (at, pair) in table.y.windows(2).enumerate() {
        let step = pair[1] - pair[0];
        if step * direction < 0.0 {
            return Some(at);
        }
        if step != 0.0 {
            direction = step.signum();
        }
    }
    None
}
