//! All points of a calibration, and what they say together.

use serde::{Deserialize, Serialize};

use super::MOST_POINTS;
use super::error::{CertificateError, Problem};
use super::point::{Measured, PointResult};
use crate::domain::time::Timestamp;
use crate::domain::uncertainty::decision::{Mpe, Outcome, Rule};
use crate::domain::units::Unit;

/// What is to be conformed to, and how that is decided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Criterion {
    /// Maximum permissible error.
    pub mpe: Mpe,
    /// The decision rule.
    pub rule: Rule,
}

impl Criterion {
    fn pair(&self) -> (&Mpe, Rule) {
        (&self.mpe, self.rule)
    }
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    /// UCUM code of all values.
    pub unit: String,
    /// The coverage probability of the expanded uncertainties.
    pub coverage_probability: f64,
    /// Before any adjustment.
    #[serde(default)]
    pub as_found: Vec<PointResult>,
    /// After it, with fresh readings; empty where nothing was adjusted.
    #[serde(default)]
    pub as_left: Vec<PointResult>,
    /// What is stated about conformity, where there is something to conform to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conformity: Option<Conformity>,
}

/// What is stated about conformity.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conformity {
    /// Maximum permissible error.
    pub mpe: Mpe,
    /// The decision rule.
    pub rule: Rule,
    /// The worst statement about a point as found; absent where a point has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_found: Option<Outcome>,
    /// The worst statement about a point as left; absent where a point has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_left: Option<Outcome>,
}

/// The worst outcome that is stated.
pub fn worst(points: &[PointResult]) -> Option<Outcome> {
    points.iter().filter_map(|point| Some(point.conformity?.outcome)).max()
}

impl Results {
    /// Computes them from points as they were measured.
    ///
    /// # Errors
    /// With the field and what is wrong.
    pub fn of(
        unit: &Unit,
        coverage_probability: f64,
        criterion: Option<Criterion>,
        found: &[Measured],
        left: &[Measured],
    ) -> Result<Results, CertificateError> {
        probability(coverage_probability)?;
        let pair = criterion.as_ref().map(Criterion::pair);
        let all = |list: &str, points: &[Measured]| -> Result<Vec<PointResult>, CertificateError> {
            let one = |(at, point): (usize, &Measured)| {
                point
                    .result(coverage_probability, pair)
                    .map_err(|fault| fault.under(&format!("{list}[{at}]")))
            };
            points.iter().enumerate().map(one).collect()
        };
        let (as_found, as_left) = (all("as_found", found)?, all("as_left", left)?);
        let conformity = criterion.map(|Criterion { mpe, rule }| Conformity {
            mpe,
            rule,
            as_found: worst(&as_found),
            as_left: worst(&as_left),
        });
        let results =
            Results { unit: unit.code().to_string(), coverage_probability, as_found, as_left, conformity };
        results.counts()?;
        Ok(results)
    }

    /// All points, as found and then as left.
    pub fn points(&self) -> impl Iterator<Item = &PointResult> {
        self.as_found.iter().chain(&self.as_left)
    }

    /// The first and the last reading; `None` without points.
    pub fn during(&self) -> Option<[Timestamp; 2]> {
        let first = self.points().map(|point| point.during[0]).min()?;
        let last = self.points().map(|point| point.during[1]).max()?;
        Some([first, last])
    }

    fn counts(&self) -> Result<(), CertificateError> {
        for (at, list) in [("as_found", &self.as_found), ("as_left", &self.as_left)] {
            if list.len() > MOST_POINTS {
                return Err(Problem::points().at(at));
            }
        }
        if self.points().next().is_none() { Err(Problem::NoPoints.at("as_found")) } else { Ok(()) }
    }

    /// Computes again what follows from the rest.
    pub(super) fn check(&self) -> Result<(), CertificateError> {
        if Unit::parse(&self.unit).is_err() {
            return Err(Problem::Unit(self.unit.clone()).at("unit"));
        }
        probability(self.coverage_probability)?;
        self.counts()?;
        let criterion = self.conformity.as_ref().map(|it| (&it.mpe, it.rule));
        for (name, list) in [("as_found", &self.as_found), ("as_left", &self.as_left)] {
            for (at, point) in list.iter().enumerate() {
                let checked = point.check(self.coverage_probability, criterion);
                checked.map_err(|fault| fault.under(&format!("{name}[{at}]")))?;
            }
        }
        let Some(conformity) = &self.conformity else { return Ok(()) };
        let stated = [
            ("conformity.as_found", conformity.as_found, worst(&self.as_found)),
            ("conformity.as_left", conformity.as_left, worst(&self.as_left)),
        ];
        // A round with points that have no value is not stated as a whole.
        let differs = |(_, found, wanted): &(_, Option<Outcome>, _)| found.is_some() && found != wanted;
        stated.into_iter().filter(differs).try_for_each(|(at, found, wanted)| {
            let said = |it: Option<Outcome>| it.map_or("not stated", Outcome::as_str);
            Err(Problem::differs(said(found), said(wanted)).at(at))
        })
    }
}

fn probability(value: f64) -> Result<(), CertificateError> {
    match value {
        0.9..=0.9999 => Ok(()),
        _ => Err(Problem::Probability(value).at("coverage_probability")),
    }
}
