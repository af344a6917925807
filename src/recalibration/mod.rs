//! Recalibration sessions: one task has them all, writes each step down before it is in effect, shows them readings,
//! and does what they want done.

mod ask;
mod certify;
mod effects;
mod flags;
mod held;
mod opening;
mod order;
pub mod run;

pub use ask::{Answer, Ask, Desire, Recalibration, Refused};
