//! The control interface: HTTP/1.1 and JSON on Unix sockets.
//!
//! Invariants: only sockets are ever unlinked; who may connect is the file system's decision; clients,
//! bytes and time are bounded; a client that is slow or silent holds up nobody else.

pub mod gateway;
pub mod routes;
pub mod serve;
pub mod sockets;

mod answer;
mod attention;
mod audit;
mod given;
mod health;
mod peer;
mod readings;
mod reload;
mod rollups;
mod sensors;
mod sources;
mod status;
mod stream;
mod transforms;
mod watch;
