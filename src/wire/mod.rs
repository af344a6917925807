//! Bytes to values and back: what travels on serial lines and over MQTT.

pub mod message;
pub mod reading;
