//! Counters, gauges and the log lines that go with them.

pub mod http;
pub mod metrics;
pub mod source;
pub mod tap;
