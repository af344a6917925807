//! Single values far from those before: Hampel's identifier (Hampel 1974; Pearson 2002) on a window that lies before the value.

use serde::{Deserialize, Serialize};

use super::Limit;
use super::top::Top;
use crate::domain::stats::median;

/// Values before the one that is judged.
const WINDOW: usize = 11;
/// So many outliers in a row are another level, and no spikes.
const LEVEL: u8 = 3;
/// The least limit, in scales, whatever was learnt.
const LEAST: f64 = 6.0;
/// So many times the third largest that was learnt: two spikes meanwhile are forgiven.
const BEYOND: f64 = 1.5;
/// From the median absolute deviation to the standard deviation, for normal values.
const NORMAL: f64 = 1.482_602_218_505_602;

/// The last values that were no spikes.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Spikes {
    values: [f64; WINDOW],
    count: u8,
    next: u8,
    outliers: u8,
    /// The largest distances that were learnt, in scales.
    far: Top,
}

impl Spikes {
    /// Forgets the values before: after a gap they say nothing.
    pub(super) fn gap(&mut self) {
        *self = Spikes { far: self.far, ..Spikes::default() };
    }

    /// Notes a value; says whether it is a spike. `usual` is the usual change from reading to reading, above
    /// 0: no smaller scale is believed.
    pub(super) fn note(&mut self, raw: f64, usual: f64, limit: Limit, learning: bool) -> bool {
        let distance = self.distance(raw, usual);
        let most = match limit {
            Limit::Off => return false,
            Limit::Given(most) => most,
            Limit::Learnt => LEAST.max(BEYOND * self.far.third()),
        };
        if learning {
            self.far.push(distance.unwrap_or(0.0));
        }
        let judged = !learning || matches!(limit, Limit::Given(_));
        if judged && distance.is_some_and(|distance| distance > most) {
            self.outliers += 1;
            if self.outliers < LEVEL {
                return true;
            }
            self.gap();
        }
        self.outliers = 0;
        self.push(raw);
        false
    }

    /// How far a value is from the median before, in scales; `None` while too few are known.
    fn distance(&self, raw: f64, usual: f64) -> Option<f64> {
        if usize::from(self.count) < WINDOW {
            return None;
        }
        let mut window = self.values;
        let middle = median(&mut window);
        window.iter_mut().for_each(|value| *value = (*value - middle).abs());
        let scale = (NORMAL * median(&mut window)).max(usual);
        Some((raw - middle).abs() / scale)
    }

    fn push(&mut self, raw: f64) {
        self.values[usize::from(self.next)] = raw;
        self.next = (self.next + 1) % WINDOW as u8;
        self.count = (self.count + 1).min(WINDOW as u8);
    }
}
