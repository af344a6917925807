//! How far values are from their references: scores of measurements and of probabilities, over all
//! pairs or over sliding windows, and how late and how complete the references are.

pub mod cohort;
pub mod latency;
pub mod measurement;
pub mod pair;
pub mod probability;
pub mod window;
