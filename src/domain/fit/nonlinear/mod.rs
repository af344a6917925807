//! Fits of curves that are not linear in their parameters.

mod damping;
pub mod levenberg_marquardt;
#[cfg(test)]
mod nist;
mod triangle;
