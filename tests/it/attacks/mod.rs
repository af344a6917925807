//! Attacks on a running gateway, through a broker: each is answered with its reason, counted and audited, and nothing
//! else changes. docs/reference/attacks.md lists them.

mod burst;
mod clocks;
pub mod fleet;
mod listed;
mod manifests;
mod priors;
mod roots;
pub mod scene;
mod slots;
mod stores;
mod transforms;
