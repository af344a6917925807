//! Attacks on a running gateway, through a broker: each is answered with its reason, counted and audited, and nothing
//! else changes. docs/reference/attacks.md lists them.

mod burst;
mod clocks;
mod fleet;
mod listed;
mod priors;
mod roots;
mod scene;
mod slots;
mod stores;
mod transforms;
