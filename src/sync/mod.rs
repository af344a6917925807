//! The MQTT link: what goes up, what comes down, what was acknowledged.
//!
//! [`stream`], [`control`], [`acks`] and [`parting`] decide; [`link`] holds them together; [`driver`] and
//! [`feed`] do the input and output.

pub mod acks;
pub mod connect;
pub mod control;
pub mod downlink;
pub mod driver;
pub mod feed;
pub mod link;
pub mod parting;
pub mod references;
pub mod sink;
pub mod stream;
