//! What comes of a reference: a pair, or why there is none.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::COMPLETENESS;
use super::gather::Part;
use crate::domain::id::{Id, SensorId};
use crate::domain::quality::{Reasons, State};
use crate::domain::reference::{Origin, Reference, Span};
use crate::domain::sample::TransformRef;
use crate::domain::time::Timestamp;
use crate::domain::units::{Conversion, Unit};

/// A reading, or the mean of several, beside its reference.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// The sensor.
    pub sensor: SensorId,
    /// The reference's id.
    pub reference: Id,
    /// The reference's time.
    pub span: Span,
    /// The sensor's value in `unit`: calibrated, or as measured where no transform was in force. `None`
    /// where that was in a unit that does not convert to the reference's: then `raw` is what there is to
    /// make a calibration of.
    pub value: Option<f64>,
    /// Its standard uncertainty in `unit`. Of a mean the mean of the readings': what is systematic in
    /// them does not average out; so it is never too small.
    pub u: Option<f64>,
    /// As measured.
    pub raw: Option<f64>,
    /// The reference's value in `unit`; of a label 0 or 1.
    pub reference_value: f64,
    /// Its standard uncertainty in `unit`.
    pub reference_u: Option<f64>,
    /// The standard uncertainty in `unit` that `value` and `reference_value` have in common, because the standard behind
    /// the reference also stands behind the transform; filled by whoever knows that, see
    /// [`crate::domain::drift::traced`].
    pub u_shared: Option<f64>,
    /// The unit of the sensor's values or, where it does not convert to the reference's, that of the reference.
    pub unit: Arc<str>,
    /// The transform that made `value`.
    pub transform: Option<Arc<TransformRef>>,
    /// How many readings are in it.
    pub readings: u64,
    /// The share of the interval's readings that are; 1 without an interval.
    pub completeness: f64,
    /// The first and the last of their numbers.
    pub seqs: (u64, u64),
    /// The worst state of the readings.
    pub state: State,
    /// All their reasons.
    pub reasons: Reasons,
    /// The reference's flag.
    pub flag: State,
    /// The standard behind the reference.
    pub standard: Option<Id>,
    /// Whether that was overdue.
    pub overdue: bool,
    /// The way the reference came.
    pub origin: Origin,
    /// How much later than the reference, or the middle of its interval, the readings were measured, on
    /// average, in microseconds.
    pub lag: i64,
    /// How long after the readings the reference came, in microseconds; below 0 where the clock was set.
    pub latency: i64,
    /// The sensor's covariates then, by role; filled by whoever has their readings, see [`super::beside`].
    pub covariates: BTreeMap<String, f64>,
}

impl Pair {
    /// Whether it was made of this version of its reference, and not of one that came before it.
    pub fn is_of(&self, reference: &Reference) -> bool {
        let came = self.span.middle().saturating_add_micros(self.lag).saturating_add_micros(self.latency);
        let (value, u) = converted(reference, conversion(reference, &self.unit).as_ref());
        let bits = |value: f64, u: Option<f64>| (value.to_bits(), u.map(f64::to_bits));
        (&self.sensor, &self.reference) == (&reference.sensor, &reference.id)
            && (self.span, self.flag, &self.standard) == (reference.span, reference.flag, &reference.standard)
            && bits(self.reference_value, self.reference_u) == bits(value, u)
            && came >= reference.received
    }
}

/// From the reference's unit to another; `None` where there is no way.
fn conversion(reference: &Reference, unit: &str) -> Option<Conversion> {
    let from = Unit::parse(&reference.unit).ok()?;
    from.conversion(&Unit::parse(unit).ok()?).ok()
}

/// The reference's value and uncertainty; as they are without a conversion.
fn converted(reference: &Reference, conversion: Option<&Conversion>) -> (f64, Option<f64>) {
    let (scale, offset) = conversion.map_or((1.0, 0.0), |by| (by.scale, by.offset));
    (scale * reference.value + offset, reference.u.map(|u| u * scale.abs()))
}

/// What comes of a reference.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// A pair.
    Paired(Box<Pair>),
    /// Too few of the interval's readings can be used.
    TooFew {
        /// How many can.
        used: u64,
        /// How many there should be; `None`: the sensor's period is neither configured nor seen.
        expected: Option<u64>,
        /// How many of them are left out, because they cannot be used.
        left_out: u64,
        /// Their reasons.
        why: Reasons,
    },
    /// The transform changed in the interval, and no one of them made enough of its values.
    Changed,
    /// It is too early to tell.
    Waiting {
        /// When to try again.
        until: Timestamp,
    },
    /// There is no reading that can be used near enough.
    NoReading {
        /// How many there are that cannot.
        left_out: u64,
        /// Their reasons.
        why: Reasons,
    },
    /// The values are in a unit that does not convert to the reference's.
    OtherUnit {
        /// That of the values.
        values: Arc<str>,
    },
    /// The reference is flagged invalid.
    Flagged,
}

impl Outcome {
    /// Makes the pair, in the unit of the readings.
    pub(super) fn of(part: Part, reference: &Reference, expected: u64) -> Outcome {
        let conversion = conversion(reference, &part.unit);
        if conversion.is_none() && part.transform.is_some() {
            return Outcome::OtherUnit { values: part.unit };
        }
        let unit = if conversion.is_some() { &part.unit } else { &reference.unit };
        let (reference_value, reference_u) = converted(reference, conversion.as_ref());
        Outcome::Paired(Box::new(Pair {
            sensor: reference.sensor.clone(),
            reference: reference.id.clone(),
            span: reference.span,
            value: part.value.filter(|_| conversion.is_some()),
            u: part.u.filter(|_| conversion.is_some()),
            raw: part.raw,
            reference_value,
            reference_u,
            u_shared: None,
            unit: Arc::clone(unit),
            transform: part.transform,
            readings: part.readings,
            completeness: (part.readings as f64 / expected as f64).min(1.0),
            seqs: (part.first, part.last),
            state: part.state,
            reasons: part.reasons,
            flag: reference.flag,
            standard: reference.standard.clone(),
            overdue: reference.is_overdue(),
            origin: reference.origin,
            lag: part.time.micros_since(reference.span.middle()),
            latency: reference.received.micros_since(part.time),
            covariates: BTreeMap::new(),
        }))
    }

    /// Whether more readings, or more time, can change it.
    pub fn is_waiting(&self) -> bool {
        matches!(self, Outcome::Waiting { .. })
    }

    /// A sentence for whoever gave the reference.
    pub fn sentence(&self, reference: &Reference) -> String {
        let (id, sensor, span) = (&reference.id, &reference.sensor, reference.span);
        let when = match span.is_point() {
            true => format!("at {}", span.begin()),
            false => format!("from {} to {}", span.begin(), span.end()),
        };
        let needed = 100.0 * COMPLETENESS;
        match self {
            Outcome::Paired(pair) if pair.readings == 1 => {
                format!("{id} is paired with a reading of {sensor}")
            }
            Outcome::Paired(pair) => {
                format!("{id} is paired with the mean of {} readings of {sensor}", pair.readings)
            }
            Outcome::TooFew { used, expected: Some(expected), left_out, why } => format!(
                "{id} is not paired: of {expected} readings of {sensor} {when} {used} can be used, and {needed} % are needed{}",
                without(*left_out, *why)
            ),
            Outcome::TooFew { used, expected: None, left_out, why } => format!(
                "{id} is not paired: {sensor} has {used} readings {when} that can be used, and nothing says how many there should be: give the sensor's period in the configuration{}",
                without(*left_out, *why)
            ),
            Outcome::Changed => format!(
                "{id} is not paired: the transform of {sensor} changed {when}, and no one made {needed} % of its values"
            ),
            Outcome::Waiting { until } => format!("{id} waits for readings of {sensor} until {until}"),
            Outcome::NoReading { left_out, why } => format!(
                "{id} is not paired: {sensor} has no reading near enough {when} that can be used{}",
                without(*left_out, *why)
            ),
            Outcome::OtherUnit { values } => format!(
                "{id} is not paired: {sensor} gave values in `{values}` {when}, to which `{}` does not convert",
                reference.unit
            ),
            Outcome::Flagged => format!("{id} is not paired: it is flagged invalid"),
        }
    }
}

fn without(left_out: u64, why: Reasons) -> String {
    let reasons: Vec<&str> = why.names().collect();
    match (left_out, reasons.is_empty()) {
        (0, _) => String::new(),
        (_, true) => format!("; {left_out} were left out"),
        (_, false) => format!("; {left_out} were left out ({})", reasons.join(", ")),
    }
}
