//! How far values are from their references: scores of measurements and of probabilities,
//! and when they will be too far.

pub mod forecast;
pub mod measurement;
pub mod probability;
