//! Calibration transforms: the signed artifact, its stages, and the compiled form that runs.

pub mod affine;
pub mod artifact;
pub mod beta;
mod bounds;
pub mod callendar_van_dusen;
pub mod chain;
mod check;
mod compiled;
mod content;
pub mod covariate_polynomial;
pub mod covariate_table;
#[cfg(test)]
mod curves;
mod domain;
pub mod exponential;
pub mod histogram;
pub mod isotonic;
mod knots;
pub mod limits;
pub mod logarithm;
pub mod logistic;
pub mod multilinear;
pub mod nernst;
pub mod offset;
pub mod operation;
pub mod pchip;
pub mod platt;
pub mod polynomial;
pub mod power;
pub mod rational;
mod root;
pub mod saturation;
mod sigmoid;
pub mod stage;
pub mod steinhart_hart;
pub mod steps;
pub mod table;
pub mod temperature;
#[cfg(test)]
mod testing;
pub mod unit;
pub mod venn_abers;

pub use compiled::{Compiled, Components, Covariate, Expanded, Input, Output, compile};
pub use stage::MAX_COVARIATES;
