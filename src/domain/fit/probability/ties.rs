//! Pairs by their score: sorted, and pairs with exactly one score taken together.

use super::super::error::FitError;
use super::super::pairs::Pairs;

/// The pairs of one score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tie {
    /// The score.
    pub x: f64,
    /// Sum of the weights.
    pub weight: f64,
    /// Sum of the weights times the reference values.
    pub sum: f64,
}

/// Sorts the pairs and takes together those whose x is exactly equal, x strictly increasing.
///
/// The order of the pairs does not matter to the last digit. Fails where sums overflow.
pub(super) fn ties(pairs: &Pairs, weights: Option<&[f64]>) -> Result<Vec<Tie>, FitError> {
    let weight = |at: usize| weights.map_or(1.0, |weights| weights[at]);
    let rows = pairs.x().iter().zip(pairs.y()).enumerate();
    // -0 and 0 are one score
    let mut rows: Vec<(f64, f64, f64)> = rows.map(|(at, (x, y))| (x + 0.0, *y, weight(at))).collect();
    rows.sort_unstable_by(|a, b| {
        a.0.total_cmp(&b.0).then_with(|| a.1.total_cmp(&b.1)).then_with(|| a.2.total_cmp(&b.2))
    });
    let mut ties: Vec<Tie> = Vec::with_capacity(rows.len());
    for (x, y, weight) in rows {
        match ties.last_mut() {
            Some(tie) if tie.x == x => {
                tie.weight += weight;
                tie.sum += weight * y;
            }
            _ => ties.push(Tie { x, weight, sum: weight * y }),
        }
    }
    let total = ties.iter().fold((0.0, 0.0), |(weight, sum), tie| (weight + tie.weight, sum + tie.sum.abs()));
    if !(total.0.is_finite() && total.1.is_finite()) {
        let problem = "the values or weights are too large to be summed up: scale them down";
        return Err(FitError::column(pairs.reference().name(), problem));
    }
    Ok(ties)
}
