//! An artifact's way from its topic to its effect: verified, put into the ledger, in force, answered.

pub mod desk;
pub mod reports;
pub mod roots;
