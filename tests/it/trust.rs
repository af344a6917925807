//! Trust: what gets in, what does not, and that other implementations agree.

mod accepted;
mod ceremony;
mod command_line;
mod fixtures;
mod interop;
mod mutations;
mod passphrases;
mod refused;
mod states;
mod transform_attacks;
pub mod world;
