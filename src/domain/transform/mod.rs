//! Calibration transforms: the signed artifact, its stages, and the compiled form that runs.

pub mod affine;
pub mod artifact;
pub mod chain;
mod check;
mod compiled;
mod content;
#[cfg(test)]
mod curves;
mod domain;
pub mod exponential;
pub mod limits;
pub mod logistic;
pub mod multilinear;
pub mod offset;
pub mod polynomial;
pub mod power;
pub mod rational;
pub mod saturation;
pub mod stage;
pub mod table;
#[cfg(test)]
mod testing;
pub mod unit;

pub use compiled::{Compiled, Covariate, Input, Output, compile};
pub use stage::MAX_COVARIATES;
