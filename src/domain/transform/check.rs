//! Checks that the stages and the compiler share; every fault names its field.

use std::ops::RangeInclusive;

use super::artifact::{ContentError, ContentErrorKind};
use crate::domain::strict_json::join;
use crate::domain::uncertainty::covariance::Factor;
use crate::domain::units::Unit;

/// A fault in the field `field` of the object at `path`.
pub(super) fn invalid(path: &str, field: &str, problem: &str) -> ContentError {
    ContentError {
        kind: ContentErrorKind::InvalidContent,
        path: join(path, field),
        message: problem.to_owned(),
    }
}

/// Refuses NaN and infinities, which JSON has not but a program that builds a transform may.
pub(super) fn finite(value: f64, path: &str, field: &str) -> Result<(), ContentError> {
    if value.is_finite() { Ok(()) } else { Err(invalid(path, field, "expected a finite number")) }
}

/// [`finite`] for each element of a list.
pub(super) fn all_finite(values: &[f64], path: &str, field: &str) -> Result<(), ContentError> {
    let mut places = values.iter().enumerate();
    places.try_for_each(|(at, value)| finite(*value, path, &format!("{field}[{at}]")))
}

/// Refuses the element `at` of `parameters` where it is 0, which would make a constant of the stage.
pub(super) fn not_zero(parameters: &[f64], at: usize, path: &str) -> Result<(), ContentError> {
    match parameters.get(at) {
        Some(value) if *value == 0.0 => {
            Err(invalid(path, &format!("parameters[{at}]"), "a 0 here makes every reading equal"))
        }
        _ => Ok(()),
    }
}

/// Refuses a number outside a range.
pub(super) fn within(
    value: f64,
    range: RangeInclusive<f64>,
    path: &str,
    field: &str,
) -> Result<(), ContentError> {
    if range.contains(&value) {
        return Ok(());
    }
    let (low, high) = range.into_inner();
    Err(invalid(path, field, &format!("expected a number between {low} and {high}")))
}

/// Refuses a number that is stated and negative or not finite.
pub(super) fn not_negative(value: Option<f64>, path: &str, field: &str) -> Result<(), ContentError> {
    match value {
        Some(value) if !(value >= 0.0 && value.is_finite()) => {
            Err(invalid(path, field, "expected a finite number, at least 0"))
        }
        _ => Ok(()),
    }
}

/// Refuses a number that is stated and not above 0.
pub(super) fn positive(value: Option<f64>, path: &str, field: &str) -> Result<(), ContentError> {
    match value {
        Some(value) if !(value > 0.0 && value.is_finite()) => {
            Err(invalid(path, field, "expected a finite number above 0"))
        }
        _ => Ok(()),
    }
}

/// Refuses a range whose bounds are not finite or not in order.
pub(super) fn range(range: [f64; 2], path: &str, field: &str) -> Result<(), ContentError> {
    let width = range[1] - range[0];
    if width > 0.0 && width.is_finite() {
        return Ok(());
    }
    Err(invalid(path, field, "expected [low, high] with low below high, both finite"))
}

/// Checks and factors the covariance of `size` parameters, if it is stated.
pub(super) fn covariance(
    matrix: Option<&[Vec<f64>]>,
    size: usize,
    path: &str,
) -> Result<Factor, ContentError> {
    match matrix {
        Some(matrix) => {
            Factor::new(matrix, size).map_err(|error| invalid(path, "covariance", &error.to_string()))
        }
        None => Ok(Factor::default()),
    }
}

/// Reads a unit's code.
pub(super) fn unit(code: &str, path: &str, field: &str) -> Result<Unit, ContentError> {
    Unit::parse(code).map_err(|error| invalid(path, field, &error.to_string()))
}
