//! How far values are from their references, and whether that changes: scores of measurements and of
//! probabilities, over all pairs or over sliding windows; how late and how complete the references are;
//! detectors of change; forecasts.

pub mod cohort;
pub mod detector;
pub mod forecast;
pub mod input;
pub mod judge;
pub mod latency;
pub mod measurement;
pub mod pair;
pub mod probability;
pub mod state;
pub mod traced;
pub mod window;
