//! What is wrong with a certificate.

use super::{MOST, MOST_PLACES, MOST_POINTS};
use crate::domain::id::Id;
use crate::domain::reference::ReferenceError;
use crate::domain::strict_json::join;
use crate::domain::uncertainty::decision::DecisionError;

/// What is wrong, and at which field.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct CertificateError {
    /// The field, like `results.as_left[2].budget`.
    pub path: String,
    /// What is wrong there.
    pub problem: Problem,
}

/// What can be wrong.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Problem {
    /// A text is missing, too long or not one line.
    #[error("expected a text of 1 to {0} characters in one line")]
    Text(usize),
    /// A number of a certificate has characters that file names and addresses do not take.
    #[error(
        "a certificate's number has 1 to 80 letters, digits, `-`, `_` and `.`, the first a letter or digit"
    )]
    Number,
    /// Not a country.
    #[error("expected the two capital letters of a country, like DE")]
    Country,
    /// Not a unit.
    #[error("`{0}` is not a UCUM code")]
    Unit(String),
    /// More than a certificate holds.
    #[error("more than {0}")]
    TooMany(usize),
    /// Nothing was measured.
    #[error("no points: measure at least one as found, or as left")]
    NoPoints,
    /// A number that is not one.
    #[error("{0} is not a finite number")]
    NotFinite(f64),
    /// A number that must not be negative.
    #[error("{0} is below 0")]
    Negative(f64),
    /// The coverage probability is none.
    #[error("{0} is no coverage probability of a certificate: 0.9 to 0.9999")]
    Probability(f64),
    /// The scatter of too few readings.
    #[error(
        "{0} independent readings say nothing of the scatter: stay longer at the point, more than one is needed"
    )]
    TooFew(f64),
    /// Degrees of freedom that are none.
    #[error("{0} degrees of freedom: expected a number above 0")]
    DegreesOfFreedom(f64),
    /// Every component is 0.
    #[error("the uncertainty is 0: state that of the reference")]
    NoUncertainty,
    /// The expanded uncertainty has no bound.
    #[error("too few degrees of freedom for an expanded uncertainty: stay longer at the point")]
    Unbounded,
    /// No decision on conformity.
    #[error(transparent)]
    Decision(#[from] DecisionError),
    /// The end comes before the beginning.
    #[error("ends before it begins")]
    Times,
    /// Issued before everything was measured.
    #[error("lies before the end of the measurement")]
    Early,
    /// A standard that is not among those named.
    #[error("standard {0} is not among the standards of the certificate")]
    Standard(Id),
    /// What is wrong with a standard.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// A key that the gateway holds, and that is not among those that sign.
    #[error("names a key that is not among the technicians'")]
    NoSigner,
    /// Something stands twice.
    #[error("stands twice")]
    Twice,
    /// Something that was computed, and comes out otherwise.
    #[error("is {found}, but from the rest of the certificate it is {wanted}")]
    Differs {
        /// As written.
        found: String,
        /// As computed.
        wanted: String,
    },
    /// The places of a curve.
    #[error("expected 2 to {MOST_PLACES} places with rising raw readings")]
    Curve,
}

impl Problem {
    /// At a field.
    pub fn at(self, path: &str) -> CertificateError {
        CertificateError { path: path.to_owned(), problem: self }
    }

    /// That there are more points than there may be.
    pub(super) fn points() -> Problem {
        Problem::TooMany(MOST_POINTS)
    }

    /// That there are more of something else.
    pub(super) fn most() -> Problem {
        Problem::TooMany(MOST)
    }

    /// That what was written is not what follows.
    pub(super) fn differs(found: impl ToString, wanted: impl ToString) -> Problem {
        Problem::Differs { found: found.to_string(), wanted: wanted.to_string() }
    }
}

impl CertificateError {
    /// The same fault, seen from the field `parent` that holds the value.
    pub(super) fn under(self, parent: &str) -> CertificateError {
        CertificateError { path: join(parent, &self.path), problem: self.problem }
    }
}
