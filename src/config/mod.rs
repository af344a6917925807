//! Configuration: TOML files -> validated types. Every fault names file, line, key, what is wrong
//! and what would be right, and all of them are reported at once.

pub mod fault;
pub mod reader;
pub mod scalar;
pub mod tree;
pub mod value;
