//! Calibration transforms: the signed artifact, its stages, and the compiled form that runs.

pub mod affine;
pub mod artifact;
mod bounds;
pub mod chain;
mod check;
mod compiled;
mod content;
mod domain;
pub mod limits;
pub mod multilinear;
pub mod offset;
pub mod polynomial;
pub mod stage;
pub mod table;
#[cfg(test)]
mod testing;
pub mod unit;

pub use compiled::{Compiled, Covariate, Input, Output, compile};
pub use stage::MAX_COVARIATES;
