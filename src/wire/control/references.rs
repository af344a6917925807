//! References and standards.

use serde::{Deserialize, Serialize};

use crate::domain::id::{Id, SensorId};
use crate::domain::reference::{Given, Standard};
use crate::domain::time::Timestamp;

/// The body of `POST /v1/sensors/{id}/references`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddReferences {
    /// The references; each is taken or refused on its own.
    pub references: Vec<Given>,
    /// Whether they are from a file.
    #[serde(default)]
    pub import: bool,
}

/// The answer to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AddedReferences {
    /// Whose they are.
    pub sensor: SensorId,
    /// What became of each, in their order.
    pub results: Vec<AddedReference>,
}

/// What became of a reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AddedReference {
    /// Its id; null if it was refused.
    pub id: Option<Id>,
    /// `new`, `unchanged`, `revised`, `withdrawn` (and unchanged: it stays so) or `refused`.
    pub outcome: String,
    /// Why it was refused, or what else is to be known.
    pub message: Option<String>,
}

/// `GET /v1/references`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct References {
    /// In ascending order of their numbers.
    pub references: Vec<Reference>,
    /// Where to go on; null: that was all.
    pub after: Option<u64>,
}

/// A reference as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// Counts those that people gave, and those that came by themselves.
    pub number: u64,
    /// Whose it is.
    pub sensor: SensorId,
    /// Its id.
    pub id: Id,
    /// Which version of it this is, from 1.
    pub revision: u32,
    /// Whether a later version counts.
    pub superseded: bool,
    /// The begin of its interval, or its time.
    pub since: Timestamp,
    /// The end of its interval, or its time.
    pub until: Timestamp,
    /// The value.
    pub value: f64,
    /// Its standard uncertainty.
    pub u: Option<f64>,
    /// Their unit.
    pub unit: String,
    /// The standard behind it.
    pub standard: Option<Id>,
    /// Whether that was overdue.
    pub overdue: bool,
    /// `valid`, `suspect` or `invalid`.
    pub flag: String,
    /// `manual`, `import`, `sensor`, `mqtt` or `session`.
    pub origin: String,
    /// The event that it is about.
    pub event: Option<String>,
    /// When the gateway got it.
    pub received: Timestamp,
    /// Who gave it.
    pub actor: String,
    /// That it was withdrawn.
    pub withdrawn: Option<Withdrawal>,
}

/// That a reference was withdrawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// When.
    pub time: Timestamp,
    /// Who said so.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
}

/// The body of `POST /v1/sensors/{id}/references/withdraw`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Withdraw {
    /// The references.
    pub ids: Vec<Id>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// The answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawn {
    /// Whose they are.
    pub sensor: SensorId,
    /// Those that were not withdrawn already.
    pub withdrawn: Vec<Id>,
}

/// `GET /v1/standards`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standards {
    /// By their ids.
    pub standards: Vec<KeptStandard>,
}

/// A standard as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptStandard {
    /// The standard.
    pub standard: Standard,
    /// When it was last changed.
    pub time: Timestamp,
    /// Who said so.
    pub actor: String,
}

/// `POST /v1/standards`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AddedStandard {
    /// The standard.
    pub standard: Standard,
    /// Whether anything of it was new.
    pub new: bool,
}
