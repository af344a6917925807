//! Stage `covariate_table`: a table of a covariate corrects the value.

use serde::{Deserialize, Serialize};

use super::artifact::ContentError;
use super::operation::Operation;
use super::stage::{Around, Gradient, Local, Roles};
use super::table::{self, Table};

/// The stage as written in an artifact: y = x + f(T) or y = x f(T), T the covariate, f straight lines
/// between points; with `times`, f(T) c in place of f(T), c another covariate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CovariateTableSpec {
    /// The role of T.
    pub covariate: String,
    /// The points' T, strictly increasing; 2 to [`MAX_POINTS`](table::MAX_POINTS) of them.
    pub x: Vec<f64>,
    /// The points' f, as many.
    pub y: Vec<f64>,
    /// Whether f(T) is added or multiplies.
    #[serde(default)]
    pub operation: Operation,
    /// The role of c.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<String>,
    /// The standard uncertainties of the f, independent of each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub u: Option<Vec<f64>>,
}

/// The stage as it runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CovariateTable {
    place: usize,
    times: Option<usize>,
    operation: Operation,
    table: Table,
}

impl CovariateTable {
    /// dy/dx = 1 or f c; dy/df = c or x c.
    #[inline(never)]
    pub(super) fn at(&self, x: f64, around: &Around<'_>) -> Local {
        let (f, c) = self.factors(around);
        let joined = self.operation.join(x, f.value * c, c * c * f.variance);
        Local { excess: f.excess, ..joined }
    }

    /// dy/dT = c f' or x c f'; dy/dc = f or x f.
    pub(super) fn lean(&self, x: f64, around: &Around<'_>, gradient: &mut Gradient) {
        let (f, c) = self.factors(around);
        let weight = self.operation.weight(x);
        gradient[self.place] += weight * c * f.slope;
        if let Some(times) = self.times {
            gradient[times] += weight * f.value;
        }
    }

    pub(super) fn invert(&self, y: f64, around: &Around<'_>) -> f64 {
        let (f, c) = self.factors(around);
        self.operation.invert(y, f.value * c)
    }

    fn factors(&self, around: &Around<'_>) -> (Local, f64) {
        let f = self.table.at(around.covariate(self.place), around.hold);
        (f, self.times.map_or(1.0, |times| around.covariate(times)))
    }
}

/// Checks the stage that stands at `path`.
pub(super) fn compile(
    spec: &CovariateTableSpec,
    path: &str,
    roles: &mut Roles,
) -> Result<CovariateTable, ContentError> {
    let place = roles.place(&spec.covariate, path, "covariate")?;
    let times = spec.times.as_ref().map(|role| roles.place(role, path, "times")).transpose()?;
    let table = table::through(&spec.x, &spec.y, spec.u.as_deref(), path)?;
    Ok(CovariateTable { place, times, operation: spec.operation, table })
}

#[cfg(test)]
mod tests;
