//! What pairing needs to know of a reading.

use std::sync::Arc;

use crate::domain::quality::{ReasonCode, Reasons, State};
use crate::domain::sample::{Reading, TransformRef};
use crate::domain::time::Timestamp;

/// A reading as pairing sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// Its number.
    pub seq: u64,
    /// When it was measured.
    pub time: Timestamp,
    /// As measured.
    pub raw: Option<f64>,
    /// Calibrated, in `unit`.
    pub value: Option<f64>,
    /// Standard uncertainty of `value`, in `unit`.
    pub u: Option<f64>,
    /// UCUM code of `value`, or of `raw` where there is no transform.
    pub unit: Arc<str>,
    /// What it is worth.
    pub state: State,
    /// Why.
    pub reasons: Reasons,
    /// What made `value`.
    pub transform: Option<Arc<TransformRef>>,
    /// The event that it is about, if it names one.
    pub event: Option<Arc<str>>,
}

impl From<&Reading> for Observed {
    fn from(reading: &Reading) -> Observed {
        Observed {
            seq: reading.seq,
            time: reading.time,
            raw: reading.raw,
            value: reading.value,
            u: reading.u,
            unit: Arc::clone(&reading.unit),
            state: reading.state,
            reasons: reading.reasons,
            transform: reading.transform.clone(),
            event: reading.event.clone(),
        }
    }
}

/// Readings with one of these reasons are no measurement of what the reference measures.
const APART: [ReasonCode; 4] =
    [ReasonCode::Maintenance, ReasonCode::ZeroCheck, ReasonCode::SpanCheck, ReasonCode::WarmUp];

impl Observed {
    /// Whether it may be compared with a reference: valid or suspect, with a value, and neither warming up
    /// nor in maintenance or a check.
    ///
    /// A suspect one counts, for how far it is off is what pairs are for; so does one whose time cannot be
    /// believed, for a gateway that never learns the time compares with references entered by its own clock.
    pub fn is_usable(&self) -> bool {
        self.state <= State::Suspect
            && !APART.iter().any(|reason| self.reasons.contains(*reason))
            && self.measured().is_some()
    }

    /// The value: calibrated, or as measured where no transform was in force.
    pub fn measured(&self) -> Option<f64> {
        let value = if self.transform.is_some() { self.value } else { self.value.or(self.raw) };
        value.filter(|value| value.is_finite())
    }
}
