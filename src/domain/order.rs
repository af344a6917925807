//! One way to sort for all types: the standard library's makes some 5 kB of the program for each type and order.

use std::cmp::Ordering;

/// Sorts by `compare`; equal items keep their order. For lists that nobody waits for: each item is moved twice.
pub fn sort_by<T>(items: &mut Vec<T>, compare: impl Fn(&T, &T) -> Ordering) {
    let places = sorted(items.len(), &|one, other| compare(&items[one], &items[other]));
    let mut taken: Vec<Option<T>> = std::mem::take(items).into_iter().map(Some).collect();
    items.extend(places.into_iter().filter_map(|place| taken[place].take()));
}

/// Sorts by the items' own order.
pub fn sort<T: Ord>(items: &mut Vec<T>) {
    sort_by(items, T::cmp);
}

/// The numbers below `count` in the order that `compare` says.
fn sorted(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).collect();
    places.sort_by(|one, other| compare(*one, *other));
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    proptest! {
        #[test]
        fn it_is_the_order_of_the_standard_library(items: Vec<(u8, u32)>, reversed in any::<bool>()) {
            let compare = |one: &(u8, u32), other: &(u8, u32)| {
                if reversed { other.0.cmp(&one.0) } else { one.0.cmp(&other.0) }
            };
            let (mut ours, mut theirs) = (items.clone(), items.clone());
            sort_by(&mut ours, compare);
            theirs.sort_by(compare);
            assert_eq!(ours, theirs);
            sort(&mut ours);
            theirs.sort();
            assert_eq!(ours, theirs);
        }
    }
}
