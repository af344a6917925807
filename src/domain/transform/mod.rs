//! Calibration transforms: the signed artifact, its stages, and the compiled form that runs.

pub mod affine;
pub mod artifact;
pub mod beta;
pub mod chain;
mod check;
mod compiled;
mod content;
mod domain;
pub mod histogram;
pub mod isotonic;
pub mod limits;
pub mod multilinear;
pub mod offset;
pub mod platt;
pub mod polynomial;
mod sigmoid;
pub mod stage;
pub mod steps;
pub mod table;
pub mod temperature;
#[cfg(test)]
mod testing;
pub mod unit;
pub mod venn_abers;

pub use compiled::{Compiled, Covariate, Input, Output, compile};
pub use stage::MAX_COVARIATES;
