//! What several behaviours' tests share.

pub mod allocator;
pub mod broker;
pub mod commands;
pub mod control;
pub mod desk;
pub mod disk;
pub mod gateway;
pub mod history;
pub mod mqtt;
pub mod process;
pub mod python;
pub mod source;
pub mod terminal;
pub mod trust;
pub mod tty;
pub mod wait;
