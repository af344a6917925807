//! What tables of pairs share: the order of x, its distinct values, and the fit.

use super::error::FitError;
use super::fitted::{Fit, Table};
use super::line::beyond;
use super::pairs::Pairs;
use super::rank::ranked;
use super::statistics::describe;
use crate::domain::transform::stage::StageSpec;

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
pub(super) fn distinct(pairs: &Pairs, sorted: &[usize]) -> Vec<f64> {
    let x = pairs.x();
    sorted.chunk_by(|a, b| x[*a] == x[*b]).map(|tie| x[tie[0]]).collect()
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
    let fitted = fit.curve(pairs).map_err(|_| beyond(&fit.method))?.values(pairs);
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
