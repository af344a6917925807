//! Cohorts: parts of a sensor's pairs that are scored by themselves, like those of cold days.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::transform::artifact::Condition;

/// Most cohorts of a sensor: each has its windows.
pub const MAX_COHORTS: usize = 16;
/// Pairs in the window that a cohort needs, unless another number is configured.
pub const LEAST: u64 = 30;

/// What belongs to a cohort: all conditions hold, of which there is at least one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cohort {
    /// Its name in reports and metrics.
    pub name: String,
    /// Tags of the sensor, each of which must be equal.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Ranges of covariates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<Condition>,
}

/// Says which cohort is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CohortError {
    /// Two have one name, or one has none.
    #[error("cohort `{0}`: expected a name of its own")]
    Name(String),
    /// Everything would belong to it.
    #[error("cohort `{0}`: state `tags`, `when` or both")]
    NoCondition(String),
    /// A range is none.
    #[error("cohort `{0}`: name a covariate, and state below, above, or both with above under below")]
    Range(String),
    /// There are too many.
    #[error("{0} cohorts, expected at most {MAX_COHORTS}")]
    TooMany(usize),
}

/// The cohorts of a sensor, in the order in which they are tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Cohorts {
    list: Vec<Cohort>,
    least: u64,
}

impl Default for Cohorts {
    fn default() -> Cohorts {
        Cohorts { list: Vec::new(), least: LEAST }
    }
}

impl Cohorts {
    /// Checks the cohorts; those with fewer than `least` pairs in a window fall back to all pairs.
    pub fn new(list: Vec<Cohort>, least: u64) -> Result<Cohorts, CohortError> {
        if list.len() > MAX_COHORTS {
            return Err(CohortError::TooMany(list.len()));
        }
        for (at, cohort) in list.iter().enumerate() {
            let name = || cohort.name.clone();
            if cohort.name.trim().is_empty() || list[..at].iter().any(|other| other.name == cohort.name) {
                return Err(CohortError::Name(name()));
            }
            if cohort.tags.is_empty() && cohort.when.is_empty() {
                return Err(CohortError::NoCondition(name()));
            }
            if !cohort.when.iter().all(Condition::is_sound) {
                return Err(CohortError::Range(name()));
            }
        }
        Ok(Cohorts { list, least })
    }

    /// The place of the first cohort that fits: a pair belongs to one at most. A covariate that is not
    /// known is in no range.
    pub fn of(&self, tags: &BTreeMap<String, String>, covariate: &dyn Fn(&str) -> Option<f64>) -> Option<u8> {
        let tagged = |cohort: &Cohort| cohort.tags.iter().all(|(key, value)| tags.get(key) == Some(value));
        let holds = |condition: &Condition| {
            covariate(&condition.covariate).is_some_and(|value| condition.holds(value))
        };
        let fits = |cohort: &Cohort| tagged(cohort) && cohort.when.iter().all(holds);
        self.list.iter().position(fits).and_then(|at| u8::try_from(at).ok())
    }

    /// The place of the cohort with this name: stored pairs have names.
    pub fn place(&self, name: &str) -> Option<u8> {
        self.list.iter().position(|cohort| cohort.name == name).and_then(|at| u8::try_from(at).ok())
    }

    /// The name at a place.
    pub fn name(&self, at: usize) -> Option<&str> {
        self.list.get(at).map(|cohort| cohort.name.as_str())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.list.len()
    }

    /// Pairs in the window that a cohort needs.
    pub fn least(&self) -> u64 {
        self.least
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(above: Option<f64>, below: Option<f64>) -> Vec<Condition> {
        vec![Condition { covariate: "temperature".to_owned(), below, above }]
    }

    fn cohort(name: &str, tags: &[(&str, &str)], when: Vec<Condition>) -> Cohort {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Cohort { name: name.to_owned(), tags, when }
    }

    #[test]
    fn the_first_that_fits() {
        let list = vec![
            cohort("cold-north", &[("site", "north")], range(None, Some(10.0))),
            cohort("cold", &[], range(None, Some(10.0))),
            cohort("mild", &[], range(Some(10.0), Some(20.0))),
            cohort("south", &[("site", "south")], vec![]),
        ];
        let cohorts = Cohorts::new(list, LEAST).unwrap();
        let of = |site: &str, temperature: Option<f64>| {
            let tags = BTreeMap::from([("site".to_owned(), site.to_owned())]);
            cohorts.of(&tags, &|name| temperature.filter(|_| name == "temperature"))
        };
        assert_eq!(of("north", Some(9.9)), Some(0));
        assert_eq!(of("south", Some(-40.0)), Some(1));
        assert_eq!((of("north", Some(10.0)), of("north", Some(20.0))), (Some(2), None));
        assert_eq!((of("south", Some(20.0)), of("south", None)), (Some(3), Some(3)));
        assert_eq!((of("north", None), of("north", Some(f64::NAN))), (None, None));
        assert_eq!((cohorts.place("mild"), cohorts.place("hot")), (Some(2), None));
        assert_eq!((cohorts.name(2), cohorts.name(4), cohorts.count()), (Some("mild"), None, 4));
    }

    #[test]
    fn cohorts_that_say_nothing_are_refused() {
        let refused = |list: Vec<Cohort>| Cohorts::new(list, LEAST).unwrap_err().to_string();
        let cold = cohort("cold", &[], range(None, Some(10.0)));
        assert_eq!(refused(vec![cold.clone(), cold.clone()]), "cohort `cold`: expected a name of its own");
        assert!(refused(vec![cohort(" ", &[], range(None, Some(1.0)))]).contains("a name of its own"));
        assert!(refused(vec![cohort("all", &[], vec![])]).contains("state `tags`, `when` or both"));
        for (above, below) in [(None, None), (Some(2.0), Some(1.0)), (Some(f64::NAN), None)] {
            assert!(refused(vec![cohort("odd", &[], range(above, below))]).contains("above under below"));
        }
        let many = (0..17).map(|at| Cohort { name: at.to_string(), ..cold.clone() }).collect();
        assert_eq!(refused(many), "17 cohorts, expected at most 16");
    }

    #[test]
    fn a_cohort_is_written_as_in_a_transform() {
        let text = r#"{"name":"cold","when":[{"covariate":"temperature","below":10.0}]}"#;
        let cohort: Cohort = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&cohort).unwrap(), text);
        assert!(serde_json::from_str::<Cohort>(r#"{"name":"cold","where":[]}"#).is_err());
    }
}
