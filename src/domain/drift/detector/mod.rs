//! Detectors of change in a stream of values, one file a detector.
//!
//! Each is a small state that is updated value by value, allocates nothing on the way (but for ADWIN's
//! buckets, whose number grows with the logarithm of the window), and goes on exactly where it was after
//! it has been written and read with serde. A value that is not finite is no value: it changes nothing.

mod adwin;
mod baseline;
mod cusum;
mod ewma;
mod excursion;
#[cfg(test)]
mod goldens;
mod ks;
mod page_hinkley;
mod psi;
#[cfg(test)]
mod tests;
mod watch;
mod whitening;

pub use adwin::Adwin;
pub use baseline::{Baseline, BaselineError};
pub use cusum::Cusum;
pub use ewma::EwmaChart;
pub use excursion::{Excursion, OncePerExcursion, Turn};
pub use ks::Ks;
pub use page_hinkley::PageHinkley;
pub use psi::Psi;
pub use watch::{DriftWatch, MIN_BASELINE, Phase};
pub use whitening::{Learner, Whitened};

use serde::{Deserialize, Serialize};

/// What an alarm says about the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Alarm {
    /// Their mean is higher than it was.
    Up,
    /// Their mean is lower than it was.
    Down,
    /// Their distribution is another one.
    Shape,
}

/// Any of the detectors that need no whitening.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Detector {
    /// Two-sided CUSUM.
    Cusum(Cusum),
    /// EWMA chart.
    Ewma(EwmaChart),
    /// Page-Hinkley.
    PageHinkley(PageHinkley),
    /// ADWIN.
    Adwin(Adwin),
    /// Kolmogorov and Smirnov, block by block.
    Ks(Ks),
    /// Population stability index, block by block.
    Psi(Psi),
}

impl Detector {
    /// Takes the next value; an alarm if the statistic is beyond its limit now.
    ///
    /// CUSUM, Page-Hinkley and ADWIN begin anew after an alarm. The others alarm as long as they are beyond
    /// their limit; [`Excursion`] makes one alarm of these.
    pub fn update(&mut self, value: f64) -> Option<Alarm> {
        match self {
            Detector::Cusum(it) => it.update(value),
            Detector::Ewma(it) => it.update(value),
            Detector::PageHinkley(it) => it.update(value),
            Detector::Adwin(it) => it.update(value),
            Detector::Ks(it) => it.update(value),
            Detector::Psi(it) => it.update(value),
        }
    }

    /// The statistic over its limit, for the detectors that keep it after an alarm; `None` for the others.
    pub fn ratio(&self) -> Option<f64> {
        match self {
            Detector::Ewma(it) => Some(it.ratio()),
            Detector::Ks(it) => Some(it.ratio()),
            Detector::Psi(it) => Some(it.ratio()),
            Detector::Cusum(_) | Detector::PageHinkley(_) | Detector::Adwin(_) => None,
        }
    }
}

/// Values beyond this are taken as this: their squares must stay finite.
const LARGEST: f64 = 1e100;

/// The value as detectors take it: finite and not too large to be squared; `None` if it is no number.
fn taken(value: f64) -> Option<f64> {
    value.is_finite().then(|| value.clamp(-LARGEST, LARGEST))
}
