//! The three largest of many values.

use serde::{Deserialize, Serialize};

/// The three largest values, from the largest on; 0 where there are fewer. Values are at least 0.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Top([f64; 3]);

impl Top {
    /// Adds a value; gives back what is not among the three largest.
    pub(super) fn push(&mut self, value: f64) -> f64 {
        let mut out = value;
        for held in &mut self.0 {
            if out > *held {
                std::mem::swap(&mut out, held);
            }
        }
        out
    }

    /// The third largest.
    pub(super) fn third(&self) -> f64 {
        self.0[2]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_not_held_is_given_back(mut values in prop::collection::vec(0.0..100.0f64, 3..40)) {
            let mut top = Top::default();
            let rest: f64 = values.iter().map(|value| top.push(*value)).sum();
            values.sort_by(|one, other| other.total_cmp(one));
            prop_assert_eq!(&top.0[..], &values[..3]);
            prop_assert!((rest - values[3..].iter().sum::<f64>()).abs() < 1e-9);
        }
    }
}
