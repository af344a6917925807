//! Bytes and text from outside <-> values. Pure: no input or output of its own.

pub mod message;
pub mod reading;
pub mod reading_field;
pub mod topic;
