//! How far values are from their references: scores of measurements and of probabilities.

pub mod measurement;
pub mod probability;
