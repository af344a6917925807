//! How many of the last readings were flagged, and since when that is too many.

use serde::{Deserialize, Serialize};

use crate::domain::time::Timestamp;

/// Readings that are remembered.
pub(super) const LAST: u32 = 64;

/// When flags are too many, and when they are few enough again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// So many of the last 64 are too many.
    pub(super) raise: u32,
    /// So many are few enough.
    pub(super) clear: u32,
}

/// Whether each of the last 64 readings was flagged.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Tally {
    flags: u64,
    since: Option<Timestamp>,
}

impl Tally {
    /// Notes a reading; says whether with it the flags became too many.
    pub(super) fn note(&mut self, flagged: bool, time: Timestamp, bounds: Bounds) -> bool {
        self.flags = self.flags << 1 | u64::from(flagged);
        match self.since {
            None if self.count() >= bounds.raise => {
                self.since = Some(time);
                return true;
            }
            Some(_) if self.count() <= bounds.clear => self.since = None,
            _ => {}
        }
        false
    }

    /// Flagged readings among the last 64.
    pub(super) fn count(&self) -> u32 {
        self.flags.count_ones()
    }

    /// Since when they are too many, if they are.
    pub(super) fn since(&self) -> Option<Timestamp> {
        self.since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_raised_once_and_cleared_when_flags_are_few() {
        let (bounds, at) = (Bounds { raise: 3, clear: 0 }, Timestamp::EPOCH);
        let mut tally = Tally::default();
        let raised: Vec<bool> =
            [true, false, true, true, true].map(|flag| tally.note(flag, at, bounds)).to_vec();
        assert_eq!(raised, [false, false, false, true, false]);
        for _ in 0..63 {
            tally.note(false, at, bounds);
        }
        assert_eq!((tally.count(), tally.since()), (1, Some(at)));
        tally.note(false, at, bounds);
        assert_eq!((tally.count(), tally.since()), (0, None));
    }
}
