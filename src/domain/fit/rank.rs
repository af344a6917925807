//! Places in the order of their values.

/// The places of `values` in increasing order, each with the rank of its value; equal values, and -0
/// and 0, have one rank and come in any order.
pub(super) fn ranked(values: &[f64]) -> Vec<(u64, usize)> {
    let mut order: Vec<(u64, usize)> = values.iter().map(|value| rank(*value)).zip(0..).collect();
    order.sort_unstable_by_key(|(rank, _)| *rank);
    order
}

/// A whole number that orders as `x` does, one for -0 and 0: quicker to sort by.
fn rank(x: f64) -> u64 {
    let bits = (x + 0.0).to_bits();
    // negative numbers have larger bits the further they are from 0
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_numbers_come_first_and_zeros_are_one() {
        let order = ranked(&[1.0, -0.0, -1e-310, f64::MAX, -f64::MAX, -7.0, 0.0]);
        let places: Vec<usize> = order.iter().map(|(_, at)| *at).collect();
        assert_eq!(places[..3], [4, 5, 2]);
        assert_eq!((order[3].0, places[3] + places[4]), (order[4].0, 7));
        assert_eq!(places[5..], [0, 3]);
    }
}
