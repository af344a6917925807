//! From a pair as it is stored to what the statistics count.

use crate::domain::drift::pair::{self, Facts};
use crate::domain::pairing::Pair;
use crate::domain::sensor::Sensor;

/// The pair as the statistics see it; `None` where its value cannot be compared with the reference.
pub fn statistic(sensor: &Sensor, pair: &Pair) -> Option<pair::Pair> {
    // A raw value in another unit says nothing beside the reference.
    let same_unit = pair.transform.is_none() || pair.unit == sensor.unit;
    let comparison = &sensor.comparison;
    let covariate = |role: &str| pair.covariates.get(role).copied();
    let facts = Facts {
        time: pair.span.end(),
        raw: pair.raw.filter(|_| same_unit),
        value: pair.value?,
        u: pair.u.filter(|u| *u > 0.0),
        reference: pair.reference_value,
        u_reference: pair.reference_u,
        u_shared: pair.u_shared,
        cohort: comparison.cohorts.of(&comparison.tags, &covariate),
        lag: pair.lag.saturating_neg(),
        transform: pair.transform.as_ref().map(|transform| transform.digest),
        overdue: pair.overdue,
    };
    // Numbers that spoil sums were refused where they came in; a probability outside of 0 to 1 is none.
    pair::Pair::new(sensor.kind, facts).ok()
}
