//! Counters, gauges, alarms and the log lines that go with them.

pub mod alarm;
pub mod alerts;
pub mod clock;
pub mod drift;
pub mod found;
pub mod http;
pub mod link;
pub mod metrics;
pub mod reasons;
pub mod sensors;
pub mod source;
pub mod store;
pub mod tap;
pub mod tracking;
pub mod trust;
