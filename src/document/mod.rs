//! Certificates as documents: a page that prints, and a digital calibration certificate.
//!
//! Pure: a certificate in, text out. Only calibctl writes documents; nothing of this is in calibd.

pub mod dcc;
mod markup;
pub mod number;
pub mod page;
mod units;
pub mod words;

#[cfg(test)]
mod tests;

use crate::domain::digest::Digest;

/// What a document says of the signed original that it was made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Original {
    /// The digest of what was signed.
    pub digest: Digest,
    /// The program that wrote the document, with its version.
    pub version: &'static str,
}
