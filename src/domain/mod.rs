//! The pure core: what a reading is, what a transform does to it, whom to believe.
//!
//! Nothing here reads a clock, a file, a socket or a random number; all of these are arguments.

pub mod alert;
pub mod audit;
pub mod calibration;
pub mod certificate;
pub mod comparison;
pub mod digest;
pub mod drift;
pub mod event;
pub mod fit;
pub mod id;
pub mod monitor;
pub mod order;
pub mod pairing;
pub mod quality;
pub mod reference;
pub mod resample;
pub mod rollout;
pub mod sample;
pub mod sensor;
pub mod sequence;
pub mod session;
pub mod slo;
pub mod stats;
pub mod strict_json;
pub mod synthetic;
pub mod time;
pub mod transform;
pub mod trust;
pub mod uncertainty;
pub mod units;
