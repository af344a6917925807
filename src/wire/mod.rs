//! Bytes to values and back: what comes over a serial line, in a message, in a file.
//!
//! Pure: no input or output, no clock. Every decoder takes any bytes whatever without a panic, with
//! bounded memory, and gives the same records however the bytes are cut into pieces.

mod cells;
pub mod checksum;
pub mod control;
pub mod csv;
pub mod decoder;
pub mod fault;
pub mod format;
pub mod frame;
pub mod json;
pub mod line;
pub mod message;
pub mod number;
pub mod preset;
pub mod reading;
pub mod reading_field;
pub mod reference;
pub mod regex;
pub mod senml;
pub mod table;
pub mod time;
pub mod topic;

#[cfg(test)]
mod tests;
