//! What the stages share that look values up in a fitted table and stay inside it.

use super::artifact::ContentError;
use super::check::{all_finite, invalid};

/// Most points of a fitted table. The size of an envelope allows fewer, about 4,000 of two columns.
pub const MAX_STEPS: usize = 16_384;

/// Checks inputs: finite, strictly increasing, not too many, and not too far apart to subtract.
pub(super) fn inputs(x: &[f64], least: usize, path: &str, field: &str) -> Result<(), ContentError> {
    let count = x.len();
    if !(least..=MAX_STEPS).contains(&count) {
        let problem = format!("expected {least} to {MAX_STEPS} points, found {count}");
        return Err(invalid(path, field, &problem));
    }
    all_finite(x, path, field)?;
    if let Some(at) = x.windows(2).position(|pair| pair[1] <= pair[0]) {
        let problem = format!("{field} must be strictly increasing");
        return Err(invalid(path, &format!("{field}[{}]", at + 1), &problem));
    }
    match (x[count - 1] - x[0]).is_finite() {
        true => Ok(()),
        false => Err(invalid(path, field, "the first and the last are too far apart")),
    }
}

/// Checks that a column has `count` elements, each of which `fits`.
pub(super) fn column(
    values: &[f64],
    count: usize,
    fits: impl Fn(f64) -> bool,
    wanted: &str,
    path: &str,
    field: &str,
) -> Result<(), ContentError> {
    if values.len() != count {
        return Err(invalid(path, field, &format!("expected {count} elements, found {}", values.len())));
    }
    match values.iter().position(|value| !fits(*value)) {
        Some(at) => Err(invalid(path, &format!("{field}[{at}]"), wanted)),
        None => Ok(()),
    }
}

/// Whether it may be a probability.
pub(super) fn probability(value: f64) -> bool {
    (0.0..=1.0).contains(&value)
}

/// Whether it may be a number of pairs, or the sum of their weights.
pub(super) fn weight(value: f64) -> bool {
    value > 0.0 && value.is_finite()
}

/// The standard uncertainty of a share v that was seen in n pairs: binomial, v~ (1 - v~) / n with
/// v~ = (n v + 1) / (n + 2) by Laplace's rule of succession, since a bin without a single event does
/// not show that there is none.
pub(super) fn binomial(v: f64, n: f64) -> f64 {
    let share = (n * v + 1.0) / (n + 2.0);
    (share * (1.0 - share) / n).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_nothing_is_not_certain() {
        assert!(binomial(0.0, 8.0) > 0.1 && (binomial(1.0, 8.0) - binomial(0.0, 8.0)).abs() < 1e-12);
        assert!((binomial(0.3, 1e6) / (0.21f64 / 1e6).sqrt() - 1.0).abs() < 1e-5);
    }
}
