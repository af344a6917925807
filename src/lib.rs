//! calibd: keeps field sensors truthful.
//!
//! The modules are layers: a pure core decides, a shell does the input and output. The table of
//! who may import whom stands in `docs/architecture.md` and is held by `tests/it/layers.rs`.

#![forbid(unsafe_code)]

pub mod activation;
pub mod alerting;
pub mod config;
pub mod control;
pub mod ctl;
pub mod daemon;
#[cfg(feature = "demo")]
pub mod demo;
pub mod document;
pub mod domain;
pub mod picture;
pub mod pipeline;
pub mod recalibration;
pub mod runtime;
pub mod source;
pub mod store;
pub mod sync;
pub mod telemetry;
pub mod tracking;
pub mod wire;
