//! Uncertainty of calibrated values, by the propagation of the GUM (JCGM 100:2008, 5.1 and 5.2), and
//! intervals that rest on references alone.

pub mod budget;
pub mod conformal;
pub mod covariance;
pub mod coverage;
pub mod decision;
pub mod distribution;
pub mod point;
pub mod verification;

#[cfg(test)]
mod study;
