//! Why a candidate is refused.

use std::fmt;

use crate::domain::transform::limits::LimitError;

/// A guard that speaks against a candidate, with its numbers.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    /// Pairs hold values that are no numbers.
    NotFinite {
        /// How many.
        pairs: usize,
    },
    /// There are too few pairs, even with all cohorts together.
    TooFew {
        /// `training` or `held-out`.
        kind: &'static str,
        /// Pairs there are.
        found: usize,
        /// Pairs needed.
        needed: usize,
    },
    /// Held-out pairs are not later than the training pairs.
    NotLater {
        /// How many.
        pairs: usize,
        /// Held-out pairs.
        of: usize,
    },
    /// The candidate has no value where one is needed.
    NoValue {
        /// On how many pairs.
        pairs: usize,
        /// Pairs looked at.
        of: usize,
    },
    /// The candidate's values come without uncertainty.
    NoUncertainty,
    /// The active transform does better.
    Worse {
        /// The cohort; empty for all pairs.
        cohort: Vec<String>,
        /// The candidate's held-out RMSE.
        rmse: f64,
        /// The active transform's.
        active: f64,
        /// The largest ratio allowed.
        max_ratio: f64,
    },
    /// The mean error is too large.
    Biased {
        /// The cohort; empty for all pairs.
        cohort: Vec<String>,
        /// The mean held-out error.
        bias: f64,
        /// The largest allowed.
        max: f64,
    },
    /// The candidate does much better on the pairs that made it.
    Overfit {
        /// The cohort; empty for all pairs.
        cohort: Vec<String>,
        /// RMSE on training pairs.
        train: f64,
        /// RMSE on held-out pairs.
        held_out: f64,
        /// Probability of such a ratio by accident.
        p: f64,
    },
    /// The domain does not hold what was seen.
    Narrow {
        /// `raw reading`, or the covariate's role.
        what: String,
        /// The stated range.
        domain: [f64; 2],
        /// The range in the last window.
        seen: [f64; 2],
    },
    /// A limit on steps or monotony is broken.
    Limit(LimitError),
}

/// The cohort as a prefix of a message.
struct In<'a>(&'a [String]);

impl fmt::Display for In<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "cohort `{}`: ", self.0.join("/")) }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::NotFinite { pairs } => {
                write!(f, "{pairs} pairs hold values that are not finite: leave them out")
            }
            Reason::TooFew { kind, found, needed } => {
                write!(f, "{found} {kind} pairs, {needed} are needed: add reference readings")
            }
            Reason::NotLater { pairs, of } => write!(
                f,
                "{pairs} of {of} held-out pairs are not later than the pairs of the fit: take later ones, or give out-of-fold values"
            ),
            Reason::NoValue { pairs, of } => {
                write!(f, "no value for {pairs} of {of} pairs: widen the domain, or supply the covariates")
            }
            Reason::NoUncertainty => f.write_str(
                "the values come without uncertainty: state the parameters' covariance or the residuals' standard deviation",
            ),
            Reason::Worse { cohort, rmse, active, max_ratio } => write!(
                f,
                "{}held-out rmse {rmse:.4e} against {active:.4e} of the active transform, more than {max_ratio} of it",
                In(cohort)
            ),
            Reason::Biased { cohort, bias, max } => {
                write!(f, "{}mean held-out error {bias:.4e}, at most {max} is allowed", In(cohort))
            }
            Reason::Overfit { cohort, train, held_out, p } => write!(
                f,
                "{}overfit: rmse {train:.4e} on the pairs of the fit, {held_out:.4e} on held-out ones (p = {p:.1e}): take a simpler method or more pairs",
                In(cohort)
            ),
            Reason::Narrow { what, domain, seen } => write!(
                f,
                "the domain of the {what} is {} to {}, and {} to {} was seen in the last window: add references over that range",
                domain[0], domain[1], seen[0], seen[1]
            ),
            Reason::Limit(error) => error.fmt(f),
        }
    }
}
