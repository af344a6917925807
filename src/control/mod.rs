//! The control interface: HTTP/1.1 and JSON on Unix sockets.
//!
//! Invariants: only sockets are ever unlinked; who may connect is the file system's decision; clients,
//! bytes and time are bounded; a client that is slow or silent holds up nobody else.

pub mod gateway;
pub mod openapi;
pub mod routes;
pub mod serve;
pub mod sockets;

mod alerts;
mod answer;
mod attention;
mod audit;
mod backup;
mod certificates;
mod drift;
mod erased;
mod given;
mod health;
mod instruments;
mod maintenance;
mod metrics;
mod peer;
mod pieces;
mod priors;
mod readings;
mod references;
mod reload;
mod restore;
mod rollups;
mod sensors;
mod sessions;
mod sources;
mod standards;
mod status;
mod stream;
mod transforms;
mod verify;
mod watch;
