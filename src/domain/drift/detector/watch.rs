//! The detector that runs by default: a CUSUM of whitened residuals that learns its baseline itself.

use serde::{Deserialize, Serialize};

use super::{Alarm, Cusum, Learner, Turn, Whitened};

/// Values of a baseline: with fewer the level is not known well enough, and false alarms are more.
pub const MIN_BASELINE: usize = 2_000;

/// Independent values between two false alarms if level, scale and dependence were known exactly; what is
/// learnt from 2,000 values is not (docs/reference/detectors.md has the measured rates).
const RUN_LENGTH: f64 = 17_000.0;
/// A single residual adds no more to a sum: an outlier is no drift.
const MOST: f64 = 3.5;
/// The baseline may come so near to the limit by chance.
const NEAR: f64 = 0.9;
/// What it comes nearer, the limit goes up by so many times.
const ROOM: f64 = 3.0;

/// Where a watch stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It learns what is usual.
    Learning(Learner),
    /// It compares with that.
    Watching(Watching),
}

/// Watches residuals (value less reference) for a lasting shift of their mean, one alarm an excursion.
///
/// It learns mean, scale and AR(1) coefficient phi from its first values, whitens with these, and runs a
/// two-sided CUSUM that is the best for a shift of one standard deviation of the values: seen through
/// the whitening that is g = sqrt((1 - phi) / (1 + phi)) residual standard deviations, so k = g / 2, and h
/// follows from the run length (Siegmund, *Sequential Analysis*, 1985). Where the baseline itself comes
/// near to h, because of a daily cycle or a longer memory, h is larger.
///
/// The end is found as the beginning is: by a CUSUM of k / 2 - residual against h.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DriftWatch {
    phase: Phase,
}

/// A watch that has learnt.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Watching {
    whitened: Whitened,
    k: f64,
    h: f64,
    cusum: Cusum,
    /// Speaks for the end of the alarm that stands.
    back: f64,
    stands: Option<Alarm>,
}

impl DriftWatch {
    /// Learns from `baseline` values; [`MIN_BASELINE`] or more for the false alarms that are promised.
    pub fn new(baseline: usize) -> DriftWatch {
        DriftWatch { phase: Phase::Learning(Learner::new(baseline)) }
    }

    /// Takes the next residual, in its unit; an alarm that begins or ends.
    ///
    /// A baseline that makes no scale, since its values are all the same, is learnt anew from what follows.
    pub fn update(&mut self, value: f64) -> Option<Turn> {
        match &mut self.phase {
            Phase::Watching(watching) => watching.update(value),
            Phase::Learning(learner) => {
                if learner.push(value) {
                    self.phase = match Watching::of(learner) {
                        Some(watching) => Phase::Watching(watching),
                        None => Phase::Learning(Learner::new(learner.progress()[1])),
                    };
                }
                None
            }
        }
    }

    /// The next values say nothing of the sensor: what speaks for an alarm, or is one, is forgotten, what was learnt
    /// stays, and the next residual that counts is compared with what is known of the one before.
    pub fn interrupt(&mut self) {
        if let Phase::Watching(watching) = &mut self.phase {
            watching.whitened.skip();
            (watching.cusum, watching.back, watching.stands) =
                (Cusum::new(watching.k, watching.h), 0.0, None);
        }
    }

    /// Where it stands.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// The alarm that stands.
    pub fn stands(&self) -> Option<Alarm> {
        match &self.phase {
            Phase::Watching(watching) => watching.stands,
            Phase::Learning(_) => None,
        }
    }
}

impl Watching {
    fn of(learner: &Learner) -> Option<Watching> {
        let whitened = learner.whitened().ok()?;
        let [k, h] = limits(whitened.phi);
        let h = h + ROOM * (learner.largest_sum(&whitened, k) - NEAR * h).max(0.0);
        Some(Watching { whitened, k, h, cusum: Cusum::new(k, h), back: 0.0, stands: None })
    }

    /// What was learnt.
    pub fn learnt(&self) -> &Whitened {
        &self.whitened
    }

    /// The allowance k and the limit h, in standard deviations of the whitened residuals.
    pub fn limits(&self) -> [f64; 2] {
        [self.k, self.h]
    }

    /// The larger sum over the limit: how near an alarm is.
    pub fn ratio(&self) -> f64 {
        self.cusum.sums().into_iter().fold(0.0, f64::max) / self.h
    }

    fn update(&mut self, value: f64) -> Option<Turn> {
        let most = self.k + MOST;
        let residual = self.whitened.residual(value)?.clamp(-most, most);
        let alarm = self.cusum.update(residual);
        if alarm.is_some() && alarm != self.stands {
            (self.stands, self.back) = (alarm, 0.0);
            return Some(Turn::Begins);
        }
        let side = self.stands?;
        let shifted = if side == Alarm::Up { residual } else { -residual };
        self.back = (self.back + self.k / 2.0 - shifted).max(0.0);
        if self.back <= self.h {
            return None;
        }
        // What the shift has left in the sum speaks of the past.
        self.cusum.restart(side);
        (self.stands, self.back) = (None, 0.0);
        Some(Turn::Ends)
    }
}

/// k and h for an autoregression, as long as it describes the values.
fn limits(phi: f64) -> [f64; 2] {
    let k = 0.5 * ((1.0 - phi) / (1.0 + phi)).sqrt();
    // One side's run length is (e^x - x - 1) / (2 k^2) with x = 2 k (h + 1.166), and both sides have half of it.
    let target = 2.0 * RUN_LENGTH * 2.0 * k * k + 1.0;
    let x = (0..20).fold(target.ln(), |x, _| (target + x).ln());
    [k, x / (2.0 * k) - 1.166]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_have_the_run_length_by_siegmunds_formula() {
        for phi in [0.0, 0.5, 0.8, 0.98] {
            let [k, h] = limits(phi);
            let x = 2.0 * k * (h + 1.166);
            let one_sided = (x.exp() - x - 1.0) / (2.0 * k * k);
            assert!((one_sided / (2.0 * RUN_LENGTH) - 1.0).abs() < 1e-9, "{phi}: {one_sided}");
        }
        assert_eq!(limits(0.0)[0], 0.5);
    }
}
