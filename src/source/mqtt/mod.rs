//! Topics of a broker as a source.

pub mod intake;
