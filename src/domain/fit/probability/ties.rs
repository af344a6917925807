//! Pairs by their score: sorted, and pairs with exactly one score taken together.

use super::super::error::FitError;
use super::super::pairs::Pairs;
use super::super::rank::ranked;

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

/// Pairs in the order of their scores.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sorted {
    /// One for each score, x strictly increasing.
    pub ties: Vec<Tie>,
    /// The places of all pairs, in the same order.
    pub places: Vec<usize>,
}

/// Sorts the pairs and takes together those whose x is exactly equal.
///
/// The order of the pairs does not matter to the last digit. Fails where sums overflow.
pub(super) fn ties(pairs: &Pairs, weights: Option<&[f64]>) -> Result<Sorted, FitError> {
    let weight = |at: usize| weights.map_or(1.0, |weights| weights[at]);
    let mut order = ranked(pairs.x());
    let mut ties: Vec<Tie> = Vec::with_capacity(order.len());
    for tie in order.chunk_by_mut(|a, b| a.0 == b.0) {
        // sums of numbers depend on their order in the last digits, and that of the rows must not matter
        if tie.len() > 1 {
            let of = |(_, at): &(u64, usize)| (pairs.y()[*at], weight(*at));
            tie.sort_unstable_by(|a, b| {
                let (a, b) = (of(a), of(b));
                a.0.total_cmp(&b.0).then_with(|| a.1.total_cmp(&b.1))
            });
        }
        let x = pairs.x()[tie[0].1] + 0.0;
        let (sum, whole) = tie.iter().fold((0.0, 0.0), |(sum, whole), (_, at)| {
            (sum + weight(*at) * pairs.y()[*at], whole + weight(*at))
        });
        ties.push(Tie { x, weight: whole, sum });
    }
    let total = ties.iter().fold((0.0, 0.0), |(weight, sum), tie| (weight + tie.weight, sum + tie.sum.abs()));
    if !(total.0.is_finite() && total.1.is_finite()) {
        let problem = "the values or weights are too large to be summed up: scale them down";
        return Err(FitError::column(pairs.reference().name(), problem));
    }
    Ok(Sorted { ties, places: order.into_iter().map(|(_, at)| at).collect() })
}

#[cfg(test)]
mod tests {
    use super::super::testing::pairs;
    use super::*;

    #[test]
    fn ties_come_in_order_and_zeros_are_one() {
        let x = [1.0, -0.0, -1e-310, f64::MAX, 0.0, -7.0, 1.0];
        let found = ties(&pairs(&x, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]), None).unwrap();
        assert_eq!(found.places[..2], [5, 2]);
        let rows: Vec<_> = found.ties.iter().map(|tie| (tie.x, tie.weight, tie.sum)).collect();
        let expected =
            [(-7.0, 1.0, 6.0), (-1e-310, 1.0, 3.0), (0.0, 2.0, 7.0), (1.0, 2.0, 8.0), (f64::MAX, 1.0, 4.0)];
        assert_eq!(rows, expected);
    }
}
