//! Counts what arrived: every reading once, what is missing, what came twice, how good it was. Pure.

use std::collections::BTreeMap;

use super::messages::Reading;

/// All readings that arrived, under their sequence numbers.
#[derive(Debug, Default)]
pub struct Tally {
    readings: BTreeMap<u64, Reading>,
    counts: BTreeMap<String, usize>,
    duplicates: u64,
}

impl Tally {
    /// Takes a reading; false if it has come before.
    pub fn add(&mut self, reading: Reading) -> bool {
        if self.readings.contains_key(&reading.seq) {
            self.duplicates += 1;
            return false;
        }
        *self.counts.entry(reading.sensor.clone()).or_default() += 1;
        self.readings.insert(reading.seq, reading);
        true
    }

    /// Distinct readings.
    pub fn len(&self) -> usize {
        self.readings.len()
    }

    /// Whether nothing has come.
    pub fn is_empty(&self) -> bool {
        self.readings.is_empty()
    }

    /// Distinct readings of a sensor.
    pub fn count(&self, sensor: &str) -> usize {
        self.counts.get(sensor).copied().unwrap_or(0)
    }

    /// Readings that came again.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Sequence numbers between the first and the last that never came.
    pub fn holes(&self) -> u64 {
        let (Some((first, _)), Some((last, _))) =
            (self.readings.first_key_value(), self.readings.last_key_value())
        else {
            return 0;
        };
        last - first + 1 - self.readings.len() as u64
    }

    /// Readings whose `after` is not the one of the same sensor before them.
    pub fn broken_chains(&self) -> usize {
        let mut previous: BTreeMap<&str, u64> = BTreeMap::new();
        let mut broken = 0;
        for reading in self.readings.values() {
            broken += usize::from(previous.insert(&reading.sensor, reading.seq) != reading.after);
        }
        broken
    }

    /// The readings of a sensor in the order of their sequence numbers.
    pub fn series<'a>(&'a self, sensor: &'a str) -> impl Iterator<Item = &'a Reading> {
        self.readings.values().filter(move |reading| reading.sensor == sensor)
    }
}

/// Errors against a reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Pairs.
    pub n: usize,
    /// Mean error.
    pub bias: f64,
    /// Root of the mean squared error.
    pub rmse: f64,
}

/// Scores values against references; `None` without any.
pub fn score(pairs: &[(f64, f64)]) -> Option<Score> {
    if pairs.is_empty() {
        return None;
    }
    let n = pairs.len() as f64;
    let errors = pairs.iter().map(|(value, reference)| value - reference);
    let bias = errors.clone().sum::<f64>() / n;
    let rmse = (errors.map(|error| error * error).sum::<f64>() / n).sqrt();
    Some(Score { n: pairs.len(), bias, rmse })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(sensor: &str, seq: u64, after: Option<u64>) -> Reading {
        let (raw, value, u) = (Some(1.0), None, None);
        Reading { sensor: sensor.into(), seq, after, raw, value, u, unit: "1".into(), transform: None }
    }

    #[test]
    fn duplicates_are_counted_once_more_and_order_does_not_matter() {
        let mut tally = Tally::default();
        for (sensor, seq, after) in [("b", 2, None), ("a", 3, Some(1)), ("a", 1, None), ("a", 3, Some(1))] {
            tally.add(reading(sensor, seq, after));
        }
        assert_eq!((tally.len(), tally.duplicates(), tally.holes(), tally.broken_chains()), (3, 1, 0, 0));
        assert_eq!(tally.series("a").map(|reading| reading.seq).collect::<Vec<_>>(), [1, 3]);
        assert_eq!((tally.count("a"), tally.count("c")), (2, 0));
    }

    #[test]
    fn a_lost_reading_shows_twice() {
        let mut tally = Tally::default();
        for (seq, after) in [(1, None), (2, Some(1)), (5, Some(4))] {
            tally.add(reading("a", seq, after));
        }
        assert_eq!((tally.holes(), tally.broken_chains()), (2, 1));
        assert_eq!(Tally::default().holes(), 0);
    }

    #[test]
    fn bias_and_rmse_are_those_of_the_textbook() {
        let score = score(&[(2.0, 1.0), (2.0, 3.0), (6.0, 3.0)]).unwrap();
        assert_eq!((score.n, score.bias), (3, 1.0));
        assert!((score.rmse - (11.0f64 / 3.0).sqrt()).abs() < 1e-15);
        assert_eq!(super::score(&[]), None);
    }
}
