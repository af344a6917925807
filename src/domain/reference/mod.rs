//! Reference readings: what a better instrument, a standard or a person says that a sensor should have shown.
//!
//! [`Given`] is a reference as somebody wrote it; [`Given::check`] makes a [`Reference`] of it or says what
//! is wrong. What has passed is finite, in the sensor's unit where that is known, and has an uncertainty
//! that can be true.

mod error;
mod given;
mod id;
mod span;
mod standard;

use std::sync::Arc;

pub use self::error::ReferenceError;
pub use self::given::{FUTURE, Given, Known};
pub use self::span::{INTERVALS, Span, Stamp};
pub use self::standard::{Certified, MOST_VALUES, Standard, is_text};
use super::id::{Id, SensorId};
use super::quality::State;
use super::time::Timestamp;

/// A reference reading of one sensor, as [`Given::check`] made it or as it was stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// Names it among the references of its sensor: as given, else derived from what it is about.
    pub id: Id,
    /// The sensor that it is about.
    pub sensor: SensorId,
    /// When it was measured: a point, or the interval that it averages.
    pub span: Span,
    /// The value in `unit`; of a label 0 or 1.
    pub value: f64,
    /// Its standard uncertainty in `unit`, if it is known; above 0.
    pub u: Option<f64>,
    /// UCUM code.
    pub unit: Arc<str>,
    /// The value and its unit as given, where it was converted.
    pub given: Option<(f64, Arc<str>)>,
    /// The standard behind it.
    pub standard: Option<Id>,
    /// When that standard was to be calibrated again, as known when the reference came.
    pub due: Option<Timestamp>,
    /// What whoever made it thinks of it: valid, suspect or invalid.
    pub flag: State,
    /// The way it came.
    pub origin: Origin,
    /// The sensor that measured it, if one did.
    pub source: Option<SensorId>,
    /// The event that a label is about.
    pub event: Option<Arc<str>>,
    /// When the gateway got it, by the gateway's clock.
    pub received: Timestamp,
}

impl Reference {
    /// Whether the standard behind it was overdue when it was measured.
    pub fn is_overdue(&self) -> bool {
        self.due.is_some_and(|due| due < self.span.end())
    }

    /// Whether it says the same as `other`: a reference that comes again is none the more. When and how
    /// they came, and what was known of the standard then, makes no difference.
    ///
    /// A label of an event that `other` gives no time is about that event, whenever it comes.
    pub fn says_the_same_as(&self, other: &Reference) -> bool {
        let timeless = other.event.is_some() && other.span == Span::point(other.received);
        let span = |it: &Reference| if timeless { other.span } else { it.span };
        let content = |it: &Reference| (it.id.clone(), it.sensor.clone(), span(it), it.flag);
        let texts =
            |it: &Reference| (it.unit.clone(), it.standard.clone(), it.event.clone(), it.source.clone());
        let bits = |it: &Reference| (it.value.to_bits(), it.u.map(f64::to_bits));
        content(self) == content(other) && texts(self) == texts(other) && bits(self) == bits(other)
    }
}

/// The way a reference reading came. The numbers are stored: never reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Origin {
    /// Somebody entered it.
    Manual = 0,
    /// From a file.
    Import = 1,
    /// A sensor that is configured as another's reference.
    Sensor = 2,
    /// From the broker.
    Mqtt = 3,
    /// A recalibration session.
    Session = 4,
}

const ORIGINS: [(Origin, &str); 5] = [
    (Origin::Manual, "manual"),
    (Origin::Import, "import"),
    (Origin::Sensor, "sensor"),
    (Origin::Mqtt, "mqtt"),
    (Origin::Session, "session"),
];

impl Origin {
    /// The origin's name in JSON.
    pub fn as_str(self) -> &'static str {
        ORIGINS[self as usize].1
    }

    /// The origin stored under this number, if there is one.
    pub fn from_u8(number: u8) -> Option<Origin> {
        ORIGINS.get(usize::from(number)).map(|(origin, _)| *origin)
    }

    /// Whether it came without anybody's doing: then it is kept with the readings, and as long as they.
    pub fn is_automatic(self) -> bool {
        matches!(self, Origin::Sensor | Origin::Mqtt)
    }
}

#[cfg(test)]
mod tests;
