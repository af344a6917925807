//! Fits of curves that are not linear in their parameters.

mod damping;
pub mod exponential;
mod family;
mod frame;
pub mod levenberg_marquardt;
pub mod logistic;
#[cfg(test)]
mod nist;
pub mod power;
pub mod rational;
pub mod saturation;
mod start;
#[cfg(test)]
mod tests;
mod triangle;
