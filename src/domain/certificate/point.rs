//! One point of a calibration: from the readings to an error with its uncertainty budget.

use serde::{Deserialize, Serialize};

use super::error::{CertificateError, Problem};
use crate::domain::id::Id;
use crate::domain::session::Role;
use crate::domain::time::Timestamp;
use crate::domain::uncertainty::coverage::{Effective, coverage_factor};
use crate::domain::uncertainty::decision::{Decision, Mpe, Outcome, Point, Rule, decide};
use crate::domain::uncertainty::point::{self, Line, Parts};

/// A point as it was measured. Everything but `raw` is in the unit of the results.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// What it is for.
    pub role: Role,
    /// The standard behind the reference value.
    pub standard: Option<Id>,
    /// The first and the last of the readings.
    pub during: [Timestamp; 2],
    /// The reference value.
    pub reference: f64,
    /// Mean of the raw readings, in the sensor's raw unit.
    pub raw: Option<f64>,
    /// Mean of the sensor's values.
    pub indication: f64,
    /// How many readings.
    pub readings: u64,
    /// What the uncertainty of its error is made of.
    pub parts: Parts,
}

/// A point as a certificate states it, in the unit of the results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointResult {
    /// What it is for.
    pub role: Role,
    /// The standard behind the reference value; absent: the value is not traced to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standard: Option<Id>,
    /// The first and the last of the readings.
    pub during: [Timestamp; 2],
    /// How many readings.
    pub readings: u64,
    /// How many independent ones they are worth.
    pub n_eff: f64,
    /// Mean of the raw readings, in the sensor's raw unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<f64>,
    /// The reference value.
    pub reference: f64,
    /// The mean of the sensor's values.
    pub indication: f64,
    /// indication - reference.
    pub error: f64,
    /// The error's combined standard uncertainty.
    pub u: f64,
    /// Its effective degrees of freedom; absent for infinitely many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degrees_of_freedom: Option<f64>,
    /// The coverage factor k.
    pub coverage_factor: f64,
    /// The error's expanded uncertainty U = k u.
    pub expanded: f64,
    /// What `u` is made of.
    pub budget: Vec<Line>,
    /// What is stated about it, where there is something to conform to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conformity: Option<Stated>,
}

/// What is stated about a point.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stated {
    /// The maximum permissible error at the reference value.
    pub mpe: f64,
    /// The statement.
    pub outcome: Outcome,
    /// The probability that it is wrong.
    pub risk: f64,
}

impl From<Decision> for Stated {
    fn from(decision: Decision) -> Stated {
        Stated { mpe: decision.mpe, outcome: decision.outcome, risk: decision.risk }
    }
}

impl Measured {
    /// The lines of its budget (EA-4/02).
    fn budget(&self) -> Result<Vec<Line>, CertificateError> {
        let Parts { u_reference, scatter, scatter_degrees, n_eff, resolution, movement, .. } = self.parts;
        let finite = [("reference", self.reference), ("indication", self.indication), ("n_eff", n_eff)];
        finite.into_iter().chain(self.raw.map(|raw| ("raw", raw))).try_for_each(|(at, it)| number(at, it))?;
        let sizes = [
            ("u_reference", u_reference),
            ("scatter", scatter),
            ("resolution", resolution),
            ("movement", movement),
        ];
        sizes.into_iter().try_for_each(|(at, it)| size(at, it))?;
        if n_eff < 1.0 || (n_eff <= 1.0 && scatter_degrees.is_none()) {
            return Err(Problem::TooFew(n_eff).at("n_eff"));
        }
        Ok(self.parts.lines().to_vec())
    }

    /// The point as a certificate states it, with the coverage factor for `probability`.
    ///
    /// # Errors
    /// With the field and what is wrong; where nothing bounds the error, that too.
    pub fn result(
        &self,
        probability: f64,
        criterion: Option<(&Mpe, Rule)>,
    ) -> Result<PointResult, CertificateError> {
        if self.during[1] < self.during[0] {
            return Err(Problem::Times.at("during"));
        }
        let budget = self.budget()?;
        let effective = combined(&budget)?;
        let coverage_factor = coverage_factor(probability, effective.degrees_of_freedom);
        let mut result = PointResult {
            role: self.role,
            standard: self.standard.clone(),
            during: self.during,
            readings: self.readings,
            n_eff: self.parts.n_eff,
            raw: self.raw,
            reference: self.reference,
            indication: self.indication,
            error: self.indication - self.reference,
            u: effective.u,
            degrees_of_freedom: effective.degrees_of_freedom,
            coverage_factor,
            expanded: coverage_factor * effective.u,
            budget,
            conformity: None,
        };
        if !result.expanded.is_finite() {
            return Err(Problem::Unbounded.at("budget"));
        }
        result.conformity = criterion.map(|it| result.decide(it)).transpose()?;
        Ok(result)
    }
}

/// The combined uncertainty of the lines.
fn combined(budget: &[Line]) -> Result<Effective, CertificateError> {
    for (at, line) in budget.iter().enumerate() {
        let under = |fault: CertificateError| fault.under(&format!("budget[{at}]"));
        size("u", line.u).map_err(under)?;
        number("sensitivity", line.sensitivity).map_err(under)?;
        if let Some(degrees) = line.degrees_of_freedom.filter(|it| !(*it > 0.0 && it.is_finite())) {
            return Err(under(Problem::DegreesOfFreedom(degrees).at("degrees_of_freedom")));
        }
    }
    let effective = point::combined(budget);
    if effective.u > 0.0 { Ok(effective) } else { Err(Problem::NoUncertainty.at("budget")) }
}

impl PointResult {
    /// What a decision is about.
    fn judged(&self) -> Point {
        Point {
            reference: self.reference,
            error: self.error,
            expanded: self.expanded,
            coverage_factor: self.coverage_factor,
            degrees_of_freedom: self.degrees_of_freedom,
        }
    }

    /// How large its error may be to pass under the rule; below 0 where none passes. `None` where nothing is stated.
    pub fn acceptance(&self, rule: Rule) -> Option<f64> {
        self.conformity.map(|stated| self.judged().acceptance(stated.mpe, rule))
    }

    /// What is to be stated about it.
    fn decide(&self, (mpe, rule): (&Mpe, Rule)) -> Result<Stated, CertificateError> {
        let decided = decide(&self.judged(), mpe, rule);
        decided.map(Stated::from).map_err(|fault| Problem::Decision(fault).at("conformity"))
    }

    /// Computes again what follows from the rest.
    pub(super) fn check(
        &self,
        probability: f64,
        criterion: Option<(&Mpe, Rule)>,
    ) -> Result<(), CertificateError> {
        if self.during[1] < self.during[0] {
            return Err(Problem::Times.at("during"));
        }
        for (at, it) in
            [("reference", self.reference), ("indication", self.indication), ("n_eff", self.n_eff)]
        {
            number(at, it)?;
        }
        self.raw.map_or(Ok(()), |raw| number("raw", raw))?;
        let effective = combined(&self.budget)?;
        let k = coverage_factor(probability, effective.degrees_of_freedom);
        let degrees = |it: Option<f64>| it.unwrap_or(f64::INFINITY);
        let computed = [
            ("error", self.error, self.indication - self.reference),
            ("u", self.u, effective.u),
            ("degrees_of_freedom", degrees(self.degrees_of_freedom), degrees(effective.degrees_of_freedom)),
            ("coverage_factor", self.coverage_factor, k),
            ("expanded", self.expanded, k * effective.u),
        ];
        computed.into_iter().try_for_each(|(at, found, wanted)| same(at, found, wanted))?;
        let stated = criterion.map(|it| self.decide(it)).transpose()?;
        match (&self.conformity, &stated) {
            (Some(found), Some(wanted)) => {
                same("conformity.mpe", found.mpe, wanted.mpe)?;
                same("conformity.risk", found.risk, wanted.risk)?;
                if found.outcome == wanted.outcome {
                    return Ok(());
                }
                let (found, wanted) = (found.outcome.as_str(), wanted.outcome.as_str());
                Err(Problem::differs(found, wanted).at("conformity.outcome"))
            }
            (None, None) => Ok(()),
            (found, wanted) => {
                let said = |it: &Option<Stated>| if it.is_some() { "stated" } else { "not stated" };
                Err(Problem::differs(said(found), said(wanted)).at("conformity"))
            }
        }
    }
}

/// That a number was computed as it is here; what was written and read again keeps 15 digits at least.
fn same(at: &str, found: f64, wanted: f64) -> Result<(), CertificateError> {
    let near = (found - wanted).abs() <= 1e-9 * wanted.abs().max(f64::MIN_POSITIVE);
    if near || found == wanted { Ok(()) } else { Err(Problem::differs(found, wanted).at(at)) }
}

/// That it is finite.
pub(super) fn number(at: &str, value: f64) -> Result<(), CertificateError> {
    if value.is_finite() { Ok(()) } else { Err(Problem::NotFinite(value).at(at)) }
}

/// That it is finite and not negative.
pub(super) fn size(at: &str, value: f64) -> Result<(), CertificateError> {
    number(at, value)?;
    if value < 0.0 { Err(Problem::Negative(value).at(at)) } else { Ok(()) }
}
