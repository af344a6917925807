//! One integration binary: a module for each behaviour.
mod no_allocation;
