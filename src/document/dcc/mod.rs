//! A certificate as a digital calibration certificate of the PTB: DCC 3.3.0 with D-SI 2.2.1.
//!
//! `docs/reference/dcc.md` says which elements are written, in which order, and what they hold.

mod administrative;
mod measurement;

use super::markup::Markup;
use super::units::{Stated, stated};
use super::{Original, number};
use crate::domain::certificate::Certificate;

/// The version of the schema that documents are written for.
pub const VERSION: &str = "3.3.0";

/// Why there is no such document of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DccError {
    /// D-SI has no form of the unit.
    #[error("{place}: D-SI has no form of the unit `{code}`: export it as html or json")]
    Unit {
        /// Where the unit stands.
        place: String,
        /// Its UCUM code.
        code: String,
    },
}

/// The document, in XML.
///
/// # Errors
/// Where a unit has no form in D-SI.
pub fn dcc(certificate: &Certificate, original: &Original) -> Result<String, DccError> {
    let about = &certificate.about;
    let unit = known(&certificate.results.unit, "results.unit".to_owned())?;
    let conditions = about.conditions.iter().enumerate();
    let conditions: Result<Vec<Stated>, DccError> =
        conditions.map(|(at, it)| known(&it.unit, format!("about.conditions[{at}].unit"))).collect();
    let conditions = conditions?;
    let location = format!("https://ptb.de/dcc https://ptb.de/dcc/v{VERSION}/dcc.xsd");
    let attributes = [
        ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"),
        ("xmlns:dcc", "https://ptb.de/dcc"),
        ("xmlns:si", "https://ptb.de/si"),
        ("xsi:schemaLocation", &location),
        ("schemaVersion", VERSION),
    ];
    let mut xml = Markup::new("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    xml.element("dcc:digitalCalibrationCertificate", &attributes, |xml| {
        administrative::write(xml, certificate, original);
        measurement::write(xml, certificate, &unit, &conditions);
    });
    xml.raw("\n");
    Ok(xml.end())
}

fn known(code: &str, place: String) -> Result<Stated, DccError> {
    stated(code).ok_or_else(|| DccError::Unit { place, code: code.to_owned() })
}

/// An element that holds a text in English: `content` in it.
fn words(xml: &mut Markup, tag: &str, text: &str) {
    all_words(xml, tag, &[text]);
}

/// The same with several texts, one after the other.
fn all_words(xml: &mut Markup, tag: &str, texts: &[&str]) {
    xml.element(tag, &[], |xml| {
        for text in texts {
            xml.leaf_with("dcc:content", &[("lang", "en")], text.trim());
        }
    });
}

/// A number as D-SI has it: ten digits.
fn decimal(value: f64) -> String {
    number::significant(value + 0.0, 10)
}

/// Numbers, as D-SI lists have them.
fn decimals(values: impl Iterator<Item = f64>) -> String {
    values.map(decimal).collect::<Vec<_>>().join(" ")
}
