//! What stands on every certificate of a gateway.

use super::{Laboratory, Location, Method, Party, Recommended};
use crate::domain::time::Timestamp;
use crate::domain::uncertainty::decision::Rule;

/// What is configured about certificates.
#[derive(Debug, Clone, PartialEq)]
pub struct Office {
    /// What they are called.
    pub title: String,
    /// The coverage probability of expanded uncertainties.
    pub coverage_probability: f64,
    /// How conformity is decided.
    pub rule: Rule,
    /// Where the customer agreed to be told when to calibrate again; absent: nothing is recommended (7.8.4.3).
    pub agreement: Option<String>,
    /// Who calibrates.
    pub laboratory: Laboratory,
    /// For whom; absent: for the laboratory's own organisation.
    pub customer: Option<Party>,
    /// Where.
    pub location: Location,
    /// How.
    pub method: Method,
}

impl Office {
    /// The recommendation of a date, where one was agreed.
    pub fn recommend(&self, at: Timestamp) -> Option<Recommended> {
        self.agreement.clone().map(|agreement| Recommended { at, agreement })
    }
}
