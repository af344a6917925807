//! Centres and scales of columns.

use std::ops::Range;

use super::real::Real;
use crate::domain::fit::{Column, FitError, sums};

/// Values beyond this, or ranges below its inverse, leave no room for powers of them.
const LARGEST: f64 = 1e150;

/// A column as (value - center) / scale.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scaled<'a> {
    pub values: &'a [f64],
    /// In the column's unit.
    pub center: f64,
    /// A power of two: dividing by it is exact.
    pub scale: f64,
}

impl Scaled<'_> {
    /// The values of these rows.
    pub fn of<R: Real>(&self, rows: Range<usize>) -> impl Iterator<Item = R> + use<'_, R> {
        let (center, inverse) = (self.center, R::from(1.0 / self.scale));
        self.values[rows].iter().map(move |value| R::difference(*value, center) * inverse)
    }
}

/// Least and greatest value of a column.
pub(super) fn range(column: &Column) -> Result<(f64, f64), FitError> {
    let (low, high) = sums::extent(column.values());
    if high.max(-low) > LARGEST {
        let problem = format!("values beyond {LARGEST:e} leave no room to calculate: take a larger unit");
        return Err(FitError::column(column.name(), problem));
    }
    Ok((low, high))
}

/// The weights over a power of two that makes the largest about 1.
pub(super) fn scaled_weights(weights: Option<&[f64]>) -> (Option<Vec<f64>>, f64) {
    let Some(weights) = weights else { return (None, 1.0) };
    let scale = power_of_two_above(sums::extent(weights).1);
    (Some(weights.iter().map(|weight| weight / scale).collect()), scale)
}

/// The least power of two above `value`, kept away from the ends of what a double can hold; 1 of 0.
pub(super) fn power_of_two_above(value: f64) -> f64 {
    const EXPONENT: u64 = 0x7ff0_0000_0000_0000;
    if value == 0.0 {
        return 1.0;
    }
    let limits = (2f64.powi(-1000), 2f64.powi(1000));
    2.0 * f64::from_bits(value.clamp(limits.0, limits.1).to_bits() & EXPONENT)
}

/// How many different values there are, counted up to `enough`. What differs by rounding only is the same.
pub(super) fn different(values: &[f64], enough: usize) -> usize {
    let mut seen: Vec<f64> = Vec::with_capacity(enough);
    for value in values {
        let same = |other: &f64| (value - other).abs() <= 4.0 * f64::EPSILON * value.abs();
        if !seen.iter().any(same) {
            seen.push(*value);
        }
        if seen.len() == enough {
            break;
        }
    }
    seen.len()
}

pub(super) fn too_alike(value: f64, found: usize, wanted: usize) -> String {
    match found {
        1 => format!(
            "all values are equal ({value}), so nothing can be told of its effect: add readings at another level, or take the method `offset`"
        ),
        _ => format!(
            "{found} different values carry no polynomial of degree {}: add readings at other levels, or take a degree of at most {}",
            wanted - 1,
            found - 1
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_powers_of_two() {
        for (value, expected) in [
            (0.0, 1.0),
            (1.0, 2.0),
            (0.9, 1.0),
            (1000.0, 1024.0),
            (3e-5, 2f64.powi(-15)),
            (f64::MAX, 2f64.powi(1001)),
        ] {
            assert_eq!(power_of_two_above(value), expected, "{value}");
        }
    }

    #[test]
    fn what_differs_by_rounding_is_the_same() {
        assert_eq!(different(&[0.1 + 0.2, 0.3, 0.3, 0.4], 5), 2);
        assert_eq!(different(&[1.0, 2.0, 3.0], 2), 2);
        assert_eq!(different(&[0.0, 0.0], 2), 1);
    }
}
