//! One alarm for as long as something lasts.

use serde::{Deserialize, Serialize};

use super::{Alarm, Detector};

/// What begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Turn {
    /// The statistic has gone beyond its limit.
    Begins,
    /// It is under control again.
    Ends,
}

/// Follows a statistic beyond its limit and back: an alarm begins above 1 times the limit and ends below
/// `back` times the limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Excursion {
    back: f64,
    stands: bool,
}

impl Excursion {
    /// Ends below `back` times the limit, in [0, 1]; 1: as soon as the statistic is not beyond it.
    pub fn new(back: f64) -> Excursion {
        Excursion { back, stands: false }
    }

    /// Takes the statistic over its limit; what is not a number changes nothing.
    pub fn follow(&mut self, ratio: f64) -> Option<Turn> {
        let (turns, turn) = match self.stands {
            false => (ratio > 1.0, Turn::Begins),
            true => (ratio < self.back || ratio <= 1.0 && self.back == 1.0, Turn::Ends),
        };
        self.stands ^= turns;
        turns.then_some(turn)
    }

    /// Whether an alarm stands.
    pub fn stands(&self) -> bool {
        self.stands
    }
}

/// A detector that alarms where an excursion begins, and not again before it has ended.
///
/// For CUSUM, Page-Hinkley and ADWIN, which begin anew after an alarm, each alarm is one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OncePerExcursion {
    detector: Detector,
    excursion: Excursion,
}

impl OncePerExcursion {
    /// An excursion of the others ends below `back` times their limit, as in [`Excursion::new`].
    pub fn new(detector: Detector, back: f64) -> OncePerExcursion {
        OncePerExcursion { detector, excursion: Excursion::new(back) }
    }

    /// Takes the next value; an alarm if an excursion begins.
    pub fn update(&mut self, value: f64) -> Option<Alarm> {
        let alarm = self.detector.update(value);
        let Some(ratio) = self.detector.ratio() else { return alarm };
        let turn = self.excursion.follow(ratio);
        alarm.filter(|_| turn == Some(Turn::Begins))
    }

    /// The detector.
    pub fn detector(&self) -> &Detector {
        &self.detector
    }
}
