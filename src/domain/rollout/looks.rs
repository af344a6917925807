//! How often the evidence is looked at: each look may err, and all of them together may not err more than one.

use serde::{Deserialize, Serialize};

/// Looks at growing evidence, each with its part of the error that all of them may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Looks {
    taken: u32,
    next: u64,
}

impl Looks {
    /// Whether a look is due at so many pairs, of which `first` are needed; with what part of the error.
    ///
    /// The next one is due at half as many pairs more. Look j has 2 / ((j + 1) (j + 2)) of the whole: 1/3, 1/6, 1/10 and so on,
    /// 1 together, so that by Boole's inequality the error of all looks is at most the whole, whatever hangs together.
    pub fn due(&mut self, pairs: u64, first: u64) -> Option<f64> {
        if pairs < self.next.max(first).max(1) {
            return None;
        }
        self.next = pairs.saturating_add(pairs.div_ceil(2));
        self.taken = self.taken.saturating_add(1);
        let taken = f64::from(self.taken);
        Some(2.0 / ((taken + 1.0) * (taken + 2.0)))
    }

    /// At how many pairs the next look is.
    pub fn next(&self, first: u64) -> u64 {
        self.next.max(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_become_rarer_and_their_parts_never_exceed_the_whole() {
        let mut looks = Looks::default();
        let taken: Vec<(u64, f64)> =
            (0..100).filter_map(|pairs| Some((pairs, looks.due(pairs, 12)?))).collect();
        let at: Vec<u64> = taken.iter().map(|(pairs, _)| *pairs).collect();
        assert_eq!(at, [12, 18, 27, 41, 62, 93]);
        assert!(taken.iter().map(|(_, share)| share).sum::<f64>() < 1.0);
        assert_eq!(looks.next(12), 140);
    }

    #[test]
    fn nothing_is_never_looked_at() {
        assert_eq!(Looks::default().due(0, 0), None);
    }
}
