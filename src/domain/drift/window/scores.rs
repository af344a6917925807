//! The statistics of a window, as they are published.

use serde::{Deserialize, Serialize};

use crate::domain::drift::probability::bins::Bin;
use crate::domain::time::Timestamp;
use crate::domain::uncertainty::coverage::{Component, coverage_factor, welch_satterthwaite};

/// The level of the interval that a bias is judged by.
const LEVEL: f64 = 0.95;

/// Scores of values against references over a window; `None` where one can't be given. Errors are
/// value - reference, in their unit.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Scores {
    /// Pairs.
    pub n: u64,
    /// Mean error (VIM 2.18).
    pub bias: Option<f64>,
    /// Standard uncertainty of the bias: sqrt(std^2 / n_effective + u_ref^2), where u_ref is the mean of
    /// the references' standard uncertainties, less what the value shares; unstated ones count as exact.
    pub u_bias: Option<f64>,
    /// How many independent pairs they are worth, from the errors' autocorrelation at lag 1.
    pub n_effective: Option<f64>,
    /// Root of the mean squared error.
    pub rmse: Option<f64>,
    /// Mean absolute error.
    pub mae: Option<f64>,
    /// Standard deviation of the errors, over n - 1.
    pub std: Option<f64>,
    /// Mean of E_n, signed, of the pairs that have both uncertainties.
    pub en_mean: Option<f64>,
    /// Share of them with |E_n| <= 1.
    pub en_within_1: Option<f64>,
    /// How many they are.
    pub en_pairs: u64,
    /// Share of the pairs whose error is within the maximum permissible one, of those for which there is
    /// one.
    pub within_mpe: Option<f64>,
    /// Expected calibration error, by 15 bins of equal width.
    pub ece: Option<f64>,
    /// Largest calibration error of a bin.
    pub mce: Option<f64>,
    /// Mean of (probability - label)^2.
    pub brier: Option<f64>,
    /// Mean of -ln of the probability that was given to what happened.
    pub log_loss: Option<f64>,
}

impl Scores {
    /// The coverage factor k of the bias: `bias` +- k `u_bias` holds 95 % of Student's distribution. Its
    /// degrees of freedom are `n_effective` - 1 where scatter is all of `u_bias`, and more where what the references
    /// may be off by is a part of it, for that has infinitely many (Welch-Satterthwaite, GUM G.4.1).
    ///
    /// `None` without `u_bias`; infinite where the pairs are worth no more than one.
    pub fn coverage_factor(&self) -> Option<f64> {
        let (u, std, worth) = (self.u_bias?, self.std?, self.n_effective?);
        let scatter = std / worth.sqrt();
        let references = (u * u - scatter * scatter).max(0.0).sqrt();
        let of = |u, degrees_of_freedom| Component { u, sensitivity: 1.0, degrees_of_freedom };
        let both = [of(scatter, Some((worth - 1.0).max(0.0))), of(references, None)];
        Some(coverage_factor(LEVEL, welch_satterthwaite(&both).degrees_of_freedom))
    }

    /// The expanded uncertainty U = k `u_bias` of the bias, at 95 %; `None` where the pairs bound it by nothing.
    pub fn expanded(&self) -> Option<f64> {
        Some(self.coverage_factor()? * self.u_bias?).filter(|expanded| expanded.is_finite())
    }
}

/// What a window says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// From where to where.
    pub window: [Timestamp; 2],
    /// The cohort that was asked for; `None` for all pairs of the sensor.
    pub cohort: Option<String>,
    /// Set where the cohort has too few pairs: everything else is then of all pairs of the sensor.
    pub fallback: Option<Fallback>,
    /// Of raw values, as far as they are in the unit of the references; the scores of probabilities as
    /// far as they are from 0 to 1.
    pub raw: Scores,
    /// Of calibrated values.
    pub calibrated: Scores,
    /// Reliability of calibrated probabilities, empty for other values.
    pub bins: Vec<Bin>,
    /// The same of raw ones.
    pub raw_bins: Vec<Bin>,
    /// Pairs whose standard was overdue.
    pub overdue: u64,
}

/// Why a cohort's report is its parent's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fallback {
    /// Pairs of the cohort.
    pub n: u64,
    /// Pairs that it needs.
    pub needed: u64,
}
