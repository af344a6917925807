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
    let mut order: Vec<(u64, usize)> = pairs.x().iter().map(|x| rank(*x)).zip(0..).collect();
    order.sort_unstable_by_key(|(rank, _)| *rank);
    let mut ties: Vec<Tie> = Vec::new();
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
    Ok(ties)
}

/// A whole number that orders as `x` does, one for -0 and 0: quicker to sort by.
fn rank(x: f64) -> u64 {
    let bits = (x + 0.0).to_bits();
    // negative numbers have larger bits the further they are from 0
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

#[cfg(test)]
mod tests {
    use super::super::testing::pairs;
    use super::*;

    #[test]
    fn ties_come_in_order_and_zeros_are_one() {
        let x = [1.0, -0.0, -1e-310, f64::MAX, 0.0, -7.0, 1.0];
        let found = ties(&pairs(&x, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]), None).unwrap();
        let rows: Vec<_> = found.iter().map(|tie| (tie.x, tie.weight, tie.sum)).collect();
        let expected =
            [(-7.0, 1.0, 6.0), (-1e-310, 1.0, 3.0), (0.0, 2.0, 7.0), (1.0, 2.0, 8.0), (f64::MAX, 1.0, 4.0)];
        assert_eq!(rows, expected);
    }
}
