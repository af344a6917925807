//! From pairs of sensor and reference values to a transform.
//!
//! Every method is a function from [`Pairs`] to a [`Fit`], or to a [`FitError`] that names row,
//! column and remedy. A `Fit` carries the stages of a transform, so that what was fitted is
//! evaluated by the code that will run.

pub mod bayes;
pub mod deming;
mod distinct;
mod error;
pub mod few;
mod fitted;
pub mod guards;
pub mod huber;
pub mod kalman;
mod line;
pub mod linear;
pub mod method;
pub mod nonlinear;
mod pairs;
pub mod pchip;
pub mod piecewise;
pub mod population;
pub mod probability;
mod range;
mod rank;
pub mod select;
pub mod slopes;
pub mod statistics;
#[cfg(test)]
mod straight_lines;
mod sums;
pub mod theil_sen;
pub mod validation;
pub mod york;

pub use error::FitError;
pub use fitted::{Curve, Fit, Table};
pub use pairs::{Column, Pairs};
