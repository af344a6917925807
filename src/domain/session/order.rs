//! What a point is ordered with, checked before it is measured; and the words for each stage.

use super::event::{Against, At, Effect, PointOrder};
use super::fault::Fault;
use super::measuring::Measuring;
use super::plan::Mode;
use super::point::Offered;
use super::state::{MOST_POINTS, Session, Stage};
use crate::domain::id::SensorId;
use crate::domain::reference::{Given, Known, Origin, ReferenceError, Standard};
use crate::domain::sensor::Kind;
use crate::domain::units::{Conversion, Unit};

/// How values of a reference source come into the plan's unit, and their standard uncertainty where they bring none.
type FromSource = (Conversion, Option<f64>);

impl Session {
    /// Begins to measure a point.
    pub(super) fn measure(&mut self, at: &At<'_>, order: &PointOrder) -> Result<Vec<Effect>, Fault> {
        self.in_stage("a point", &[Stage::AsFound, Stage::AsLeft])?;
        self.is_idle()?;
        let taken = if self.stage == Stage::AsLeft { &self.as_left } else { &self.as_found };
        if taken.len() >= MOST_POINTS {
            return Err(Fault::TooManyPoints(MOST_POINTS));
        }
        let (offered, source) = self.offered(at, order)?;
        let measuring = Measuring::new(&self.plan, at, order.role, offered, source);
        Ok(self.begin(measuring, order.standard.as_ref()))
    }

    /// Checks what a point is to be measured with as if it were measured now.
    ///
    /// # Errors
    /// What is wrong with its reference or its standard.
    pub fn check_point(&self, at: &At<'_>, order: &PointOrder) -> Result<(), Fault> {
        self.offered(at, order).map(drop)
    }

    fn offered(&self, at: &At<'_>, order: &PointOrder) -> Result<(Offered, Option<FromSource>), Fault> {
        if let Some(standard) = &order.standard
            && let Some(due) = standard.due.filter(|due| *due < at.time)
        {
            return Err(Fault::StandardOverdue { standard: standard.id.clone(), due });
        }
        let standard = order.standard.as_ref();
        self.is_as_known(standard)?;
        match &order.against {
            Against::Stated(given) => Ok((self.stated(at, given, standard)?, None)),
            Against::Source { sensor, unit, u } => {
                let (offered, conversion) = self.source(sensor, unit, standard)?;
                let certified = standard.and_then(|standard| standard.u_in(&Unit::parse(unit).ok()?));
                Ok((offered, Some((conversion, u.or(certified)))))
            }
        }
    }

    /// Points that were measured rest on the standard as it was known then, and the certificate has one version of it.
    fn is_as_known(&self, standard: Option<&Standard>) -> Result<(), Fault> {
        let Some(standard) = standard else { return Ok(()) };
        let mut points = self.as_found.iter().chain(&self.as_left);
        let in_use = points.any(|point| point.offered.standard.as_ref() == Some(&standard.id));
        match in_use && self.standards.iter().any(|known| known.id == standard.id && known != standard) {
            false => Ok(()),
            true => Err(Fault::StandardChanged {
                sensor: self.plan.sensor.clone(),
                standard: standard.id.clone(),
            }),
        }
    }

    /// A reference that somebody states, in the plan's unit.
    fn stated(&self, at: &At<'_>, given: &Given, standard: Option<&Standard>) -> Result<Offered, Fault> {
        let sensor = &self.plan.sensor;
        let wrong = |error| Fault::Reference { sensor: sensor.clone(), error };
        let unit = self.unit()?;
        let known = Known {
            sensor,
            kind: Kind::Measurement,
            unit: Some(&unit),
            mpe: Some(&self.plan.mpe),
            standard,
            now: at.time,
            trusted: false,
            origin: Origin::Session,
            source: None,
        };
        let named = standard.map(|standard| standard.id.to_string());
        let given = Given { standard: named, ..given.clone() };
        let reference = given.check(&known).map_err(wrong)?;
        self.check_range(reference.value)?;
        let u = reference.u.ok_or_else(|| Fault::NoReferenceUncertainty { sensor: sensor.clone() })?;
        Ok(Offered {
            value: reference.value,
            u,
            given: reference.given.map(|(value, unit)| (value, unit.to_string())),
            scatter: None,
            source: None,
            standard: reference.standard,
        })
    }

    /// Another sensor as the reference: its values come later.
    fn source(
        &self,
        source: &SensorId,
        unit: &str,
        standard: Option<&Standard>,
    ) -> Result<(Offered, Conversion), Fault> {
        let sensor = self.plan.sensor.clone();
        let wrong = |error| Fault::Reference { sensor: sensor.clone(), error };
        let wanted = self.unit()?;
        let from = Unit::parse(unit).map_err(|error| wrong(ReferenceError::Unit(error)))?;
        let conversion = from.conversion(&wanted).map_err(|_| {
            wrong(ReferenceError::OtherUnit {
                given: from.code().clone(),
                wanted: wanted.code().clone(),
                sensor: sensor.clone(),
            })
        })?;
        let offered = Offered {
            value: 0.0,
            u: 0.0,
            given: None,
            scatter: None,
            source: Some(source.clone()),
            standard: standard.map(|standard| standard.id.clone()),
        };
        Ok((offered, conversion))
    }

    fn unit(&self) -> Result<Unit, Fault> {
        let wrong =
            |error| Fault::Reference { sensor: self.plan.sensor.clone(), error: ReferenceError::Unit(error) };
        Unit::parse(&self.plan.unit).map_err(wrong)
    }

    /// Beyond the range by more than a twentieth of it nothing is compared.
    fn check_range(&self, value: f64) -> Result<(), Fault> {
        let Some([low, high]) = self.plan.range else { return Ok(()) };
        let margin = (high - low) / 20.0;
        if (low - margin..=high + margin).contains(&value) {
            return Ok(());
        }
        let (sensor, unit) = (self.plan.sensor.clone(), self.plan.unit.clone());
        Err(Fault::OutsideRange { sensor, value, unit, low, high })
    }
}

impl Stage {
    /// Its name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::AsFound => "as_found",
            Stage::Found => "found",
            Stage::Preview => "preview",
            Stage::Approved => "approved",
            Stage::AsLeft => "as_left",
            Stage::Left => "left",
            Stage::Reverting => "reverting",
            Stage::Ended => "ended",
        }
    }

    /// What happens in it, and what may be done.
    pub fn words(self, mode: Mode) -> (&'static str, &'static str) {
        match self {
            Stage::AsFound => ("measured as found", "measure its points, then finish them"),
            Stage::Found if mode == Mode::SpotCheck => ("judged as found", "end the session"),
            Stage::Found => ("judged as found", "make a fit, or end the session without adjustment"),
            Stage::Preview => ("shown a new transform", "approve it with a maintenance key, or discard it"),
            Stage::Approved => ("waiting for its new transform", "wait, or abort"),
            Stage::AsLeft => ("measured as left", "measure its points, then finish them"),
            Stage::Left => ("judged as left", "end the session, or abort it to have back what ran before"),
            Stage::Reverting => ("waiting for what ran before", "wait, or abort again"),
            Stage::Ended => ("done with this session", "open a new one"),
        }
    }
}
