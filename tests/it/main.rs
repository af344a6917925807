//! One integration binary: a module for each behaviour.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on has failed; clippy sees no test in its helpers"
)]

mod alerts;
mod apply;
mod attacks;
mod bad_input;
mod broker_restart;
mod certificates;
mod checkpoint;
mod clock;
mod command_lines;
mod commands;
mod completions;
mod config;
mod control;
mod crash;
mod databases;
mod deliver;
mod demo;
mod demo_data;
mod detect;
mod drift_memory;
mod evaluate;
mod failing_disk;
mod fit;
mod fleet_broker;
mod fleet_ctl;
mod fleet_keys;
mod fleet_tutorial;
mod game_day;
mod health;
mod hostile;
mod house;
mod journal;
mod labels;
mod layers;
mod long_run;
mod manual;
mod monitors;
mod mqtt_end_to_end;
mod no_allocation;
mod package;
mod plot;
mod prometheus;
mod recalibration;
mod reference;
mod reload;
mod replay;
mod rollout;
mod rotation;
mod runbooks;
mod serial;
mod serial_end_to_end;
mod service;
mod start;
mod store;
mod support;
mod synthetic;
mod tls;
mod tracking;
mod trust;
