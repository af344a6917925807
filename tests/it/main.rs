//! One integration binary: a module for each behaviour.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on has failed; clippy sees no test in its helpers"
)]

mod config;
mod demo_data;
mod house;
mod layers;
mod no_allocation;
mod replay;
mod serial;
mod support;
mod trust;
