//! A serial line: an instrument that talks of its own accord, in lines or frames.

pub mod config;
pub mod port;
pub mod run;
