//! Topics of a broker as a source.

pub mod config;
pub mod intake;
