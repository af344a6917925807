//! The id of a reference that was given none.

use super::Span;
use crate::domain::digest::Digest;
use crate::domain::id::{Id, SensorId};

/// What a reference is about. Its value is not part of that, so that a corrected one takes its place.
pub struct About<'a> {
    pub sensor: &'a SensorId,
    pub span: Span,
    pub standard: Option<&'a Id>,
    pub source: Option<&'a SensorId>,
    pub event: Option<&'a str>,
}

/// `r-` and the first 16 digits of the SHA-256 of what it is about, so that the same file imported twice
/// gives the same ids.
///
/// A label of an event is about that event, whenever it comes: its time is no part of the id.
pub fn derived(about: &About<'_>) -> Id {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let what = match about.event {
        Some(event) => format!("event\n{event}"),
        None => format!(
            "{}\n{}\n{}\n{}",
            about.span.begin(),
            about.span.end(),
            text(about.standard.map(Id::as_str)),
            text(about.source.map(Id::as_str))
        ),
    };
    let content = format!("calibd-reference-v1\n{}\n{what}", about.sensor);
    let digits = Digest::of(&[content.as_bytes()]).to_string();
    // 18 letters, digits and `-` are an identifier.
    Id::new(&format!("r-{}", &digits[..16])).unwrap_or_else(|_| about.sensor.clone())
}
