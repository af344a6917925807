//! From samples to readings: apply what is in force, number, hand to the store and to the sinks.

pub mod active;
pub mod beside;
pub mod blocks;
pub mod calibrate;
pub mod keep;
pub mod live;
pub mod maintenance;
pub mod run;
mod side_by_side;
pub mod time;
mod watch;
