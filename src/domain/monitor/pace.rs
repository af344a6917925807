//! How far apart readings usually are, and which follow each other without a gap.

use serde::{Deserialize, Serialize};

use crate::domain::time::Timestamp;

/// A gap is so many times as long as usual.
const GAP: f64 = 5.0;
/// How fast the usual interval follows, at each reading.
const STEP: f64 = 1.05;

/// How a reading follows the one before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Step {
    /// After so many seconds, as usual.
    Next(f64),
    /// After a gap, or there is none before it.
    Gap,
    /// Before it.
    Back,
}

/// Follows the median of the intervals, by steps of 5 %.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Pace {
    last: Option<Timestamp>,
    /// Seconds; 0: not known yet.
    usual: f64,
}

impl Pace {
    /// Notes the time of a reading.
    pub(super) fn step(&mut self, time: Timestamp) -> Step {
        let Some(last) = self.last.replace(time) else { return Step::Gap };
        let seconds = time.micros_since(last) as f64 / 1e6;
        if seconds < 0.0 {
            return Step::Back;
        }
        let gap = self.usual > 0.0 && seconds > GAP * self.usual;
        if seconds > 0.0 {
            self.usual = match self.usual {
                0.0 => seconds,
                usual if seconds > usual => (usual * STEP).min(seconds),
                usual => (usual / STEP).max(seconds),
            };
        }
        if gap { Step::Gap } else { Step::Next(seconds) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(seconds: &[f64]) -> Vec<Step> {
        let mut pace = Pace::default();
        let at = |s: &f64| Timestamp::EPOCH.saturating_add_micros((s * 1e6) as i64);
        seconds.iter().map(|s| pace.step(at(s))).collect()
    }

    #[test]
    fn gaps_and_steps_back_are_told_from_the_usual() {
        use Step::{Back, Gap, Next};
        let found = steps(&[0.0, 1.0, 2.0, 2.0, 6.0, 7.0, 20.0, 10.0, 11.0]);
        assert_eq!(found, [Gap, Next(1.0), Next(1.0), Next(0.0), Next(4.0), Next(1.0), Gap, Back, Next(1.0)]);
    }

    #[test]
    fn the_usual_follows_another_pace() {
        let slow: Vec<f64> =
            (0..200).map(|n| if n < 10 { f64::from(n) } else { f64::from(n) * 60.0 }).collect();
        let found = steps(&slow);
        assert_eq!(found[20], Step::Gap);
        assert_eq!(found[199], Step::Next(60.0));
    }
}
