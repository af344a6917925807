//! Bytes and text from outside <-> values. Pure: no input or output of its own.

pub mod format;
pub mod reading_field;
pub mod topic;
