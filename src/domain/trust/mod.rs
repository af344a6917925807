//! Whom to believe: envelopes, keys, the trust root, and the checks of an artifact in their order.
//!
//! Everything is pure: the time, the floors and what runs on the sensors are arguments, and what the caller
//! gets is a [`verify::Verified`] to put into force, or a [`reason::Refusal`] that changes nothing.

pub mod branch;
pub mod certificate;
pub mod command;
pub mod enrolment;
pub mod envelope;
pub mod key;
pub mod manifest;
pub mod order;
pub(super) mod payload;
pub mod prior;
pub mod reason;
pub mod rollback;
pub mod root;
pub mod rotation;
pub mod scope;
pub mod signers;
pub mod slot;
pub mod target;
pub mod time;
pub mod verify;

mod content;
#[cfg(test)]
mod fixtures;
