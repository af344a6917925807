//! From pairs of sensor and reference values to a transform.
//!
//! Every method is a function from [`Pairs`] to a [`Fit`], or to a [`FitError`] that names row,
//! column and remedy. A `Fit` carries the stages of a transform, so that what was fitted is
//! evaluated by the code that will run.

pub mod bayes;
mod error;
mod fitted;
pub mod linear;
pub mod method;
mod pairs;
pub mod select;
pub mod statistics;
mod sums;
pub mod validation;

pub use error::FitError;
pub use fitted::{Curve, Fit, Table};
pub use pairs::{Column, Pairs};
