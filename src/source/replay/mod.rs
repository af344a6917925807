//! A recorded CSV file, replayed with its own times at a chosen speed.

pub mod config;
mod reader;
pub mod run;
