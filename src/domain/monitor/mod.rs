//! In-service monitors: what readings say against their sensor without any reference.
//!
//! What is usual is learnt at first, from so many readings and so much time, and then stays; a finding is what lies
//! far beyond it. Nothing here allocates per reading, and all state is small, bounded and survives a restart exactly.

mod advice;
pub mod check;
pub mod finding;
mod noise;
mod pace;
pub mod peers;
pub mod scheduled;
mod sensor;
mod silence;
mod spike;
mod stuck;
mod tally;
mod top;

pub use finding::{Evidence, Finding, Kind, Kinds};
pub use sensor::{Limit, Limits, Monitors, Observed, Seen};
pub use silence::Silence;
