//! Invented signals with faults, for exercises and documentation: nothing is connected.

pub mod config;
pub mod run;
