//! How far values are from their references, and whether that changes: scores of measurements and of
//! probabilities, detectors of change.

pub mod detector;
pub mod measurement;
pub mod probability;
