//! A reference as somebody wrote it, and what is made of it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::id::{About, derived};
use super::{Certified, Origin, Reference, ReferenceError, Span, Stamp, Standard};
use crate::domain::event::is_event;
use crate::domain::id::{Id, SensorId};
use crate::domain::quality::State;
use crate::domain::sensor::Kind;
use crate::domain::time::Timestamp;
use crate::domain::uncertainty::decision::Mpe;
use crate::domain::units::{Conversion, Unit};

/// How much later than now a reference may be: clocks differ.
pub const FUTURE: Duration = Duration::from_secs(300);
/// An uncertainty below this share of its value is not believed: it claims more than nine digits.
const FINEST: f64 = 1e-9;
/// Nor one above so many maximum permissible errors, ...
const COARSEST_MPE: f64 = 10.0;
/// ... or, where there is none, above this multiple of the value.
const COARSEST: f64 = 1e6;
/// The coverage factors that are believed.
const COVERAGE: std::ops::RangeInclusive<f64> = 1.0..=10.0;

/// A reference reading as given: on the command line, in a file's row, in a message.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// Names it among the references of its sensor; absent: derived from what it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// When it was measured; absent: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// The value; a label is 0 or 1.
    pub value: f64,
    /// UCUM code; absent: that of the sensor's values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Standard uncertainty, in the same unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub u: Option<f64>,
    /// Expanded uncertainty, in the same unit, ...
    #[serde(default, rename = "U", skip_serializing_if = "Option::is_none")]
    pub expanded: Option<f64>,
    /// ... and its coverage factor: u = U / k.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k: Option<f64>,
    /// The standard behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standard: Option<String>,
    /// The interval that it averages, in seconds; absent: it was measured at a point in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_seconds: Option<f64>,
    /// Which point of the interval the time is; absent: the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<Stamp>,
    /// The event that a label is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Its quality flag: `valid`, `suspect` or `invalid`; absent: valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qc: Option<String>,
}

/// What is known where a reference comes in.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The sensor that it is about.
    pub sensor: &'a SensorId,
    /// What that sensor's value means.
    pub kind: Kind,
    /// The unit of its values: of its transform's output, or of its raw values where those are already in
    /// the quantity's own unit. `None` before the first transform of, say, an electrode in nA: then a
    /// reference keeps the unit that it has.
    pub unit: Option<&'a Unit>,
    /// The sensor's maximum permissible error, in that unit.
    pub mpe: Option<&'a Mpe>,
    /// The standard that the reference names, if it is known here.
    pub standard: Option<&'a Standard>,
    /// The gateway's clock.
    pub now: Timestamp,
    /// Whether that can be believed; else nothing is from the future.
    pub trusted: bool,
    /// The way the reference came.
    pub origin: Origin,
    /// The sensor that measured it, if one did.
    pub source: Option<&'a SensorId>,
}

impl Given {
    /// Makes a reference of it, in the sensor's unit.
    pub fn check(&self, known: &Known<'_>) -> Result<Reference, ReferenceError> {
        let span = self.span(known)?;
        let flag = self.flag()?;
        let standard = named("standard", self.standard.as_deref())?;
        let event = self.event(known)?;
        let (unit, conversion) = self.unit(known)?;
        let value = conversion.apply(self.value);
        if !value.is_finite() {
            return Err(ReferenceError::NotFinite);
        }
        if known.kind == Kind::Probability {
            self.check_label(known.sensor)?;
        }
        let stated = self.stated_u()?.map(|u| u * conversion.scale.abs());
        // A label has no uncertainty of its own, and no certified value.
        if stated.is_none() && known.kind == Kind::Measurement {
            self.agrees_with(known.standard, &unit)?;
        }
        let u = stated.or_else(|| known.standard.and_then(|standard| standard.u_in(&unit)));
        u.map_or(Ok(()), |u| judge_u(u, value, known.mpe))?;
        let about = About {
            sensor: known.sensor,
            span,
            standard: standard.as_ref(),
            source: known.source,
            event: event.as_deref(),
        };
        let id = named("id", self.id.as_deref())?.unwrap_or_else(|| derived(&about));
        let given = self.unit.as_ref().filter(|given| given.as_str() != &**unit.code());
        Ok(Reference {
            id,
            sensor: known.sensor.clone(),
            span,
            value,
            u,
            unit: Arc::clone(unit.code()),
            given: given.map(|given| (self.value, given.as_str().into())),
            due: known.standard.and_then(|standard| standard.due),
            standard,
            flag,
            origin: known.origin,
            source: known.source.cloned(),
            event,
            received: known.now,
        })
    }

    fn span(&self, known: &Known<'_>) -> Result<Span, ReferenceError> {
        let time = self.time.unwrap_or(known.now);
        let span = match self.interval_seconds {
            Some(seconds) => {
                let length = Duration::try_from_secs_f64(seconds);
                let length = length.map_err(|_| ReferenceError::IntervalSeconds(seconds))?;
                Span::over(time, length, self.stamp.unwrap_or_default())?
            }
            None if self.stamp.is_some() => return Err(ReferenceError::StampWithoutInterval),
            None => Span::point(time),
        };
        let latest = known.now.saturating_add_micros(FUTURE.as_micros() as i64);
        if known.trusted && span.end() > latest {
            return Err(ReferenceError::Future { ends: span.end(), now: known.now });
        }
        Ok(span)
    }

    fn flag(&self) -> Result<State, ReferenceError> {
        let Some(flag) = &self.qc else { return Ok(State::Valid) };
        let words = [State::Valid, State::Suspect, State::Invalid];
        let found = words.into_iter().find(|state| state.as_str() == flag.trim());
        found.ok_or_else(|| ReferenceError::Flag(flag.chars().take(40).collect()))
    }

    fn event(&self, known: &Known<'_>) -> Result<Option<Arc<str>>, ReferenceError> {
        let Some(event) = &self.event else { return Ok(None) };
        if known.kind != Kind::Probability {
            return Err(ReferenceError::EventOfMeasurement(known.sensor.clone()));
        }
        if !is_event(event) {
            return Err(ReferenceError::Event);
        }
        Ok(Some(event.as_str().into()))
    }

    /// The unit of the reference to be, and the way to it from the one given.
    fn unit(&self, known: &Known<'_>) -> Result<(Unit, Conversion), ReferenceError> {
        let given = self.unit.as_deref().map(parse_unit).transpose()?;
        let same = Conversion { scale: 1.0, offset: 0.0 };
        match (given, known.unit) {
            (Some(given), Some(wanted)) => match given.conversion(wanted) {
                Ok(conversion) => Ok((wanted.clone(), conversion)),
                Err(_) => Err(ReferenceError::OtherUnit {
                    given: given.code().clone(),
                    wanted: wanted.code().clone(),
                    sensor: known.sensor.clone(),
                }),
            },
            (Some(given), None) => Ok((given, same)),
            // A label has none, and a file of labels should not have to say so.
            (None, Some(wanted)) if known.kind == Kind::Probability => Ok((wanted.clone(), same)),
            (None, None) if known.kind == Kind::Probability => Ok((parse_unit("1")?, same)),
            (None, Some(wanted)) => Err(ReferenceError::NoUnit(wanted.code().clone())),
            (None, None) => Err(ReferenceError::NoUnitKnown),
        }
    }

    fn check_label(&self, sensor: &SensorId) -> Result<(), ReferenceError> {
        if self.value != 0.0 && self.value != 1.0 {
            return Err(ReferenceError::NotALabel { sensor: sensor.clone(), value: self.value });
        }
        let uncertain = self.u.is_some() || self.expanded.is_some();
        let surplus = [(uncertain, "uncertainty"), (self.interval_seconds.is_some(), "interval")];
        match surplus.iter().find(|(there, _)| *there) {
            Some((_, name)) => Err(ReferenceError::NotOfLabels(sensor.clone(), name)),
            None => Ok(()),
        }
    }

    /// Without an uncertainty of its own a value has that of the standard, so it has to be the standard's.
    fn agrees_with(&self, standard: Option<&Standard>, unit: &Unit) -> Result<(), ReferenceError> {
        let given = self.unit.as_deref().map(parse_unit).transpose()?;
        let unit = given.as_ref().unwrap_or(unit);
        let contradicts = |standard: &Standard| {
            let Certified { value, unit: certified_unit, u, .. } = standard.contradicts(self.value, unit)?;
            Some(ReferenceError::NotAsCertified {
                value: self.value,
                unit: Arc::clone(unit.code()),
                standard: standard.id.clone(),
                certified: (*value)?,
                u: (*u)?,
                certified_unit: certified_unit.clone(),
            })
        };
        standard.and_then(contradicts).map_or(Ok(()), Err)
    }

    /// The standard uncertainty in the unit given.
    fn stated_u(&self) -> Result<Option<f64>, ReferenceError> {
        match (self.u, self.expanded, self.k) {
            (u, None, None) => Ok(u),
            (None, Some(expanded), Some(k)) if COVERAGE.contains(&k) => Ok(Some(expanded / k)),
            (None, Some(_), Some(k)) => Err(ReferenceError::CoverageFactor(k)),
            _ => Err(ReferenceError::UncertaintyUnclear),
        }
    }
}

fn named(what: &'static str, text: Option<&str>) -> Result<Option<Id>, ReferenceError> {
    text.map(|text| Id::new(text).map_err(|error| ReferenceError::Id(what, error))).transpose()
}

/// Reads a unit.
pub fn parse_unit(code: &str) -> Result<Unit, ReferenceError> {
    Unit::parse(code).map_err(ReferenceError::Unit)
}

/// Refuses an uncertainty that is no number above 0, or absurd: below 1e-9 of its value (no field
/// reference has nine digits), above 10 maximum permissible errors (such a comparison decides nothing), or
/// without a maximum permissible error above a million times the value. Of a value of 0 without one
/// everything finite is believed: there is nothing to compare with.
fn judge_u(u: f64, value: f64, mpe: Option<&Mpe>) -> Result<(), ReferenceError> {
    if !(u > 0.0 && u.is_finite()) {
        return Err(ReferenceError::UncertaintyNotPositive(u));
    }
    let size = value.abs();
    if u < FINEST * size {
        return Err(ReferenceError::UncertaintyTooSmall { u, value });
    }
    let permitted = mpe.and_then(|mpe| mpe.at(value).ok()).filter(|mpe| *mpe > 0.0);
    let limit = permitted.map_or(COARSEST * size, |mpe| COARSEST_MPE * mpe);
    if limit > 0.0 && u > limit {
        return Err(ReferenceError::UncertaintyTooLarge { u, value, limit });
    }
    Ok(())
}
