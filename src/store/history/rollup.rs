//! Rollups: one-minute statistics of each series, gathered while readings pass. Pure.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::domain::stats::Stats;

/// What a rollup needs to know of a reading.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    pub seq: u64,
    pub series: u32,
    /// Microseconds since 1970.
    pub time: i64,
    pub raw: Option<f64>,
    pub value: Option<f64>,
}

impl Point {
    /// Minutes since 1970.
    fn minute(&self) -> i64 {
        self.time.div_euclid(60_000_000)
    }
}

/// The statistics of a series in a minute, or in a part of one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rollup {
    pub first_seq: u64,
    pub last_seq: u64,
    pub series: u32,
    /// Minutes since 1970, by the readings' own time.
    pub minute: i64,
    pub n: u64,
    pub raw: Stats,
    pub value: Stats,
}

impl Rollup {
    fn start(point: &Point, minute: i64) -> Rollup {
        let (raw, value) = (Stats::default(), Stats::default());
        Rollup { first_seq: point.seq, last_seq: point.seq, series: point.series, minute, n: 0, raw, value }
    }

    fn push(&mut self, point: &Point) {
        self.last_seq = point.seq;
        self.n += 1;
        if let Some(raw) = point.raw {
            self.raw.push(raw);
        }
        if let Some(value) = point.value {
            self.value.push(value);
        }
    }
}

/// Where the readings of a minute are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub first: u64,
    pub last: u64,
}

/// Rollups that are not yet written: of exactly the readings since the last time they were.
#[derive(Debug, Default)]
pub struct Rollups {
    open: BTreeMap<u32, Rollup>,
    closed: Vec<Rollup>,
    minutes: BTreeMap<i64, Span>,
    current: Option<(i64, Span)>,
    last: u64,
    points: u64,
}

impl Rollups {
    /// Adds a reading; they come in ascending order of their numbers.
    pub fn push(&mut self, point: &Point) {
        let minute = point.minute();
        let start = || Rollup::start(point, minute);
        let rollup = match self.open.entry(point.series) {
            Entry::Vacant(place) => place.insert(start()),
            Entry::Occupied(mut open) => {
                if open.get().minute != minute {
                    self.closed.push(open.insert(start()));
                }
                open.into_mut()
            }
        };
        rollup.push(point);
        self.pass(point);
    }

    /// Notes where a reading is, without statistics.
    pub fn pass(&mut self, point: &Point) {
        let minute = point.minute();
        match &mut self.current {
            Some((now, span)) if *now == minute => span.last = point.seq,
            _ => {
                self.leave_minute();
                self.current = Some((minute, Span { first: point.seq, last: point.seq }));
            }
        }
        self.last = point.seq;
        self.points += 1;
    }

    fn leave_minute(&mut self) {
        if let Some((minute, span)) = self.current.take() {
            self.minutes.entry(minute).and_modify(|old| old.last = span.last).or_insert(span);
        }
    }

    /// The number of the last reading that was added since the last `clear`; 0 if none was.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// How many readings were added since the last `clear`.
    pub fn points(&self) -> u64 {
        self.points
    }

    /// How many rollups of past minutes wait to be written.
    pub fn closed(&self) -> usize {
        self.closed.len()
    }

    /// All rollups, ascending by their first number.
    pub fn all(&self) -> Vec<Rollup> {
        let mut all = self.closed.clone();
        all.extend(self.open.values());
        all.sort_unstable_by_key(|rollup| rollup.first_seq);
        all
    }

    /// Where the readings of each minute are.
    pub fn spans(&mut self) -> &BTreeMap<i64, Span> {
        self.leave_minute();
        &self.minutes
    }

    /// Forgets everything: it has been written.
    pub fn clear(&mut self) {
        self.open.clear();
        self.closed.clear();
        self.minutes.clear();
        self.current = None;
        self.last = 0;
        self.points = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_reading_is_in_one_rollup_and_one_span(points in prop::collection::vec((0u32..4, -3i64..3), 1..100)) {
            let mut rollups = Rollups::default();
            for (number, (series, minute)) in points.iter().enumerate() {
                let (seq, time) = (number as u64 + 1, minute * 60_000_000 + 7);
                rollups.push(&Point { seq, series: *series, time, raw: Some(1.0), value: None });
            }
            let all = rollups.all();
            prop_assert_eq!(all.iter().map(|rollup| rollup.n).sum::<u64>(), points.len() as u64);
            prop_assert!(all.windows(2).all(|pair| pair[0].first_seq < pair[1].first_seq));
            for (number, (_, minute)) in points.iter().enumerate() {
                let span = rollups.spans()[minute];
                prop_assert!((span.first..=span.last).contains(&(number as u64 + 1)));
            }
            rollups.clear();
            prop_assert!(rollups.all().is_empty() && rollups.spans().is_empty());
        }
    }
}
