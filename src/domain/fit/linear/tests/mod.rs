//! Whole fits against certified values, goldens and invariances.

mod golden;
mod nist;
mod property;
mod real_data;

use crate::domain::fit::{Column, Pairs};

/// One column of sensor values.
fn pairs(x: &[f64], y: &[f64]) -> Pairs {
    Pairs::new(vec![Column::new("x", x.to_vec())], Column::new("y", y.to_vec())).unwrap()
}

/// Correct digits: -log10 of the relative error, of the error itself where 0 is right.
fn digits(found: f64, right: f64) -> f64 {
    let error = if right == 0.0 { found.abs() } else { ((found - right) / right).abs() };
    if error == 0.0 { 16.0 } else { -error.log10() }
}

fn close(found: f64, right: f64, what: &str) {
    assert!(digits(found, right) >= 9.0, "{what}: {found} instead of {right}");
}

fn all_close(found: &[f64], right: &[f64], what: &str) {
    assert_eq!(found.len(), right.len(), "{what}");
    found.iter().zip(right).for_each(|(found, right)| close(*found, *right, what));
}
