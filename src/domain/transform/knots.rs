//! Points that a curve goes through: what tables and monotone cubics check alike.

use super::artifact::ContentError;
use super::check::{all_finite, invalid};

/// Most points of a curve.
pub const MAX_POINTS: usize = 4096;

/// Checks the fields `x`, strictly increasing, and `y`, as many, of the stage at `path`.
pub(super) fn check(x: &[f64], y: &[f64], path: &str) -> Result<(), ContentError> {
    let count = x.len();
    if !(2..=MAX_POINTS).contains(&count) {
        return Err(invalid(path, "x", &format!("expected 2 to {MAX_POINTS} points, found {count}")));
    }
    if y.len() != count {
        let problem = format!("expected as many values as x has, {count}, found {}", y.len());
        return Err(invalid(path, "y", &problem));
    }
    all_finite(x, path, "x")?;
    all_finite(y, path, "y")?;
    match x.windows(2).position(|pair| pair[1] <= pair[0]) {
        Some(at) => Err(invalid(path, &format!("x[{}]", at + 1), "x must be strictly increasing")),
        None => Ok(()),
    }
}

/// Refuses a curve that gives one value everywhere.
pub(super) fn not_constant(y: &[f64], path: &str) -> Result<(), ContentError> {
    match y.windows(2).all(|pair| pair[0] == pair[1]) {
        true => Err(invalid(path, "y", "a constant makes every reading equal")),
        false => Ok(()),
    }
}

/// The variances of the points' values, from the field `u` of the stage at `path`; empty without it.
pub(super) fn variances(u: Option<&[f64]>, count: usize, path: &str) -> Result<Box<[f64]>, ContentError> {
    let Some(u) = u else { return Ok(Box::default()) };
    if u.len() != count {
        let problem = format!("expected as many uncertainties as x has points, {count}, found {}", u.len());
        return Err(invalid(path, "u", &problem));
    }
    match u.iter().position(|u| !(*u >= 0.0 && (u * u).is_finite())) {
        Some(at) => Err(invalid(path, &format!("u[{at}]"), "expected a finite number, at least 0")),
        None => Ok(u.iter().map(|u| u * u).collect()),
    }
}

/// The piece whose ends' values enclose `y`, of a curve that only rises or only falls; the outermost
/// one beyond the ends. `None` if the curve turns or is flat somewhere.
pub(super) fn piece_of(values: &[f64], y: f64) -> Option<usize> {
    let last = values.len().checked_sub(2)?;
    if y.is_nan() {
        return None;
    }
    let rises = values[1] > values[0];
    if !values.windows(2).all(|pair| if rises { pair[1] > pair[0] } else { pair[1] < pair[0] }) {
        return None;
    }
    let before = values.partition_point(|value| if rises { *value <= y } else { *value >= y });
    Some(before.saturating_sub(1).min(last))
}
