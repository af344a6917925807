//! Fits that are linear in their parameters.

pub mod affine;
mod bootstrap;
mod covariance;
mod decile;
mod design;
mod hac;
mod inverted;
mod least_squares;
pub mod multilinear;
pub mod offset;
pub mod polynomial;
pub(in crate::domain::fit) mod posterior;
pub mod prediction;
mod qr;
mod real;
mod report;
mod scaling;
pub(in crate::domain) mod twofold;

#[cfg(test)]
mod tests;
