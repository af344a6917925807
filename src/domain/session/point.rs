//! One measured point: what was offered, what was shown, and how sure that is.

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::plan::Plan;
use super::stability::Course;
use crate::domain::digest::Digest;
use crate::domain::id::{Id, SensorId};
use crate::domain::stats::Stats;
use crate::domain::time::Timestamp;
use crate::domain::uncertainty::coverage::coverage_factor;
use crate::domain::uncertainty::decision::{self, Outcome, decide};
use crate::domain::uncertainty::point::{Component, Line, Parts, combined};

/// What a point is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Nothing of what is measured.
    Zero,
    /// Near the upper end of the range.
    Span,
    /// Between them.
    Linearity,
}

impl Role {
    /// Its name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Zero => "zero",
            Role::Span => "span",
            Role::Linearity => "linearity",
        }
    }
}

/// The reference of a point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offered {
    /// Its value, in the plan's unit; of a source the mean over the window.
    pub value: f64,
    /// Its standard uncertainty, in the plan's unit.
    pub u: f64,
    /// The value and its unit as given, where it was converted.
    pub given: Option<(f64, String)>,
    /// The standard deviation of its readings, of a source.
    pub scatter: Option<f64>,
    /// The sensor that measured it, if one did.
    pub source: Option<SensorId>,
    /// The standard behind it.
    pub standard: Option<Id>,
}

/// One part of the uncertainty of a point's error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// Where it comes from.
    pub source: Component,
    /// Its standard uncertainty, in the plan's unit; its sensitivity is 1.
    pub u: f64,
    /// Of `u`; `None` for infinitely many.
    pub degrees_of_freedom: Option<f64>,
}

/// The uncertainty of a point's error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// Its parts.
    pub shares: Vec<Share>,
    /// Combined, in the plan's unit (GUM 5.1.2).
    pub u: f64,
    /// Effective degrees of freedom (GUM G.4.1); `None` for infinitely many.
    pub degrees_of_freedom: Option<f64>,
    /// The coverage factor of the plan's level, from Student's t.
    pub k: f64,
    /// U = k u.
    pub expanded: f64,
}

/// What is stated about a point.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stated {
    /// By the plan's rule.
    pub outcome: Outcome,
    /// The maximum permissible error at this reference.
    pub mpe: f64,
    /// Whether U is at most the MPE.
    pub capable: bool,
    /// How likely the statement is wrong.
    pub risk: f64,
}

/// A condition during a point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// The covariate's role, like `temperature`.
    pub role: String,
    /// The sensor that plays it.
    pub sensor: SensorId,
    /// UCUM code of its values.
    pub unit: String,
    /// Its values while the readings that count came, in its own unit.
    pub values: Stats,
}

/// One point as it was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// What it is for.
    pub role: Role,
    /// What was offered.
    pub offered: Offered,
    /// When it began, by the gateway's clock.
    pub began: Timestamp,
    /// When it was taken.
    pub ended: Timestamp,
    /// From the last begin of the dwell to the end, in seconds.
    pub lasted_seconds: f64,
    /// What the readings of its window say, of the error or, without values, of the raw readings.
    pub course: Course,
    /// The mean value, in the plan's unit; `None` without a transform.
    pub value: Option<f64>,
    /// value - reference.
    pub error: Option<f64>,
    /// The uncertainty of the error.
    pub budget: Budget,
    /// The verdict; `None` without a value.
    pub stated: Option<Stated>,
    /// The transform that made the values.
    pub transform: Option<Digest>,
    /// Covariates meanwhile.
    pub conditions: Vec<Condition>,
    /// Readings that were of no use meanwhile.
    pub rejected: u64,
    /// Whether the clock was set meanwhile.
    pub clock_stepped: bool,
}

/// What the uncertainty of the error at a point is made of.
pub fn parts(plan: &Plan, u_reference: f64, course: &Course) -> Parts {
    Parts {
        u_reference,
        reference_degrees: None,
        scatter: course.scatter,
        scatter_degrees: None,
        n_eff: course.n_effective,
        resolution: plan.resolution.unwrap_or(0.0),
        movement: course.movement(),
    }
}

/// The budget of the error at a point. Without values only the reference counts: the scatter of raw readings has
/// another unit.
pub(super) fn budget(plan: &Plan, u_reference: f64, course: &Course, has_value: bool) -> Budget {
    let mut lines = parts(plan, u_reference, course).lines().to_vec();
    lines.retain(|line| match line.component {
        Component::Reference => true,
        Component::Repeatability | Component::Stability => has_value,
        Component::Resolution => has_value && plan.resolution.is_some(),
    });
    let whole = combined(&lines);
    let share = |line: &Line| Share {
        source: line.component,
        u: line.u,
        degrees_of_freedom: line.degrees_of_freedom,
    };
    let shares = lines.iter().map(share).collect();
    let k = coverage_factor(plan.level, whole.degrees_of_freedom);
    Budget { shares, u: whole.u, degrees_of_freedom: whole.degrees_of_freedom, k, expanded: k * whole.u }
}

/// The verdict on an error.
pub(super) fn state(plan: &Plan, reference: f64, error: f64, budget: &Budget) -> Result<Stated, Fault> {
    let point = decision::Point {
        reference,
        error,
        expanded: budget.expanded,
        coverage_factor: budget.k,
        degrees_of_freedom: budget.degrees_of_freedom,
    };
    let decided = decide(&point, &plan.mpe, plan.rule)
        .map_err(|error| Fault::Decision { sensor: plan.sensor.clone(), error })?;
    let decision::Decision { outcome, mpe, capable, risk } = decided;
    Ok(Stated { outcome, mpe, capable, risk })
}

/// The verdict on several points: that of the worst. `None` if one has none, or there are none.
pub fn worst(points: &[Point]) -> Option<Outcome> {
    let outcomes: Option<Vec<Outcome>> =
        points.iter().map(|point| point.stated.map(|stated| stated.outcome)).collect();
    outcomes?.into_iter().max()
}
