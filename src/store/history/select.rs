//! Readings by sensor and time, the newest first, without going through what lies between them.
//!
//! `minutes` says between which numbers the readings of a time range lie; each row's `back` says which
//! row is the sensor's previous one. A page therefore costs about as many rows as it has readings, and
//! one request never looks at more than a bounded part of the file: the store's thread has to commit.

use std::collections::HashSet;

use rusqlite::{OptionalExtension, params};

use super::History;
use super::index::Sensor;
use super::read::{MOST, columns, whole};
use crate::domain::id::SensorId;
use crate::domain::sample::Reading;
use crate::domain::time::Timestamp;
use crate::store::error::StoreError;
use crate::store::types::{Page, Range};

/// Rows that one request may look at beyond those that it answers with.
const WINDOW: u64 = 50_000;
const MINUTE: i64 = 60_000_000;

impl History {
    /// The newest readings of `range`, and where to go on for older ones.
    pub fn select(&self, range: &Range) -> Result<Page, StoreError> {
        self.name(self.page(range))
    }

    /// The last committed reading of each of these sensors, or of all.
    pub fn latest(&self, sensors: Option<&[SensorId]>) -> Result<Vec<Reading>, StoreError> {
        let last = |name: &SensorId| self.index.sensor(name).map(|sensor| sensor.last_seq);
        let numbers: Vec<u64> = match sensors {
            Some(names) => names.iter().filter_map(last).collect(),
            None => self.index.sensors.iter().map(|sensor| sensor.last_seq).collect(),
        };
        let found = numbers.into_iter().map(|seq| self.row(seq)).collect::<rusqlite::Result<Vec<_>>>();
        self.name(found).map(|rows| rows.into_iter().flatten().collect())
    }

    fn row(&self, seq: u64) -> rusqlite::Result<Option<Reading>> {
        let mut statement = self.db.prepare_cached(concat!(columns!(), " WHERE seq = ?"))?;
        statement.query_row([whole(seq)], |row| self.reading(row)).optional()
    }

    fn page(&self, range: &Range) -> rusqlite::Result<Page> {
        let mut page = Gathered { readings: Vec::new(), limit: range.limit.min(MOST), budget: WINDOW };
        let mut before = None;
        for span in self.spans(range)? {
            before = match &range.sensor {
                Some(sensor) => self.of_sensor(sensor, range, span, &mut page)?,
                None => self.of_all(range, span, &mut page)?,
            };
            if before.is_some() {
                break;
            }
        }
        page.readings.reverse();
        Ok(Page { readings: page.readings, before })
    }

    /// The numbers between which the readings of the time range lie, the newest first.
    fn spans(&self, range: &Range) -> rusqlite::Result<Vec<Span>> {
        let mut spans = Vec::new();
        if range.since.is_none() && range.until.is_none() {
            spans.push(Span { first: 1, last: self.last_seq });
        } else {
            // What came since the minutes were last written may be of any time.
            let rolled = self.meta_number("rolled")?.unwrap_or(0);
            spans.push(Span { first: rolled + 1, last: self.last_seq });
            spans.extend(self.by_minutes(range)?);
        }
        if let Some(before) = range.before {
            spans.iter_mut().for_each(|span| span.last = span.last.min(before.saturating_sub(1)));
        }
        spans.retain(|span| span.first <= span.last);
        Ok(spans)
    }

    fn by_minutes(&self, range: &Range) -> rusqlite::Result<Option<Span>> {
        let minute = |time: Timestamp| time.as_micros().div_euclid(MINUTE);
        let from = range.since.map_or(i64::MIN, minute);
        let to = range.until.map_or(i64::MAX, minute);
        let sql = "SELECT min(first_seq), max(last_seq) FROM minutes WHERE minute BETWEEN ? AND ?";
        let mut statement = self.db.prepare_cached(sql)?;
        let (first, last) = statement.query_row([from, to], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Option::zip(first, last).map(|(first, last)| Span { first, last }))
    }

    fn of_all(&self, range: &Range, span: Span, page: &mut Gathered) -> rusqlite::Result<Option<u64>> {
        let low = span.first.max((span.last + 1).saturating_sub(page.budget));
        let sql = concat!(
            columns!(),
            " WHERE seq BETWEEN ? AND ? AND time >= ? AND time < ? ORDER BY seq DESC LIMIT ?"
        );
        let since = range.since.map_or(i64::MIN, Timestamp::as_micros);
        let until = range.until.map_or(i64::MAX, Timestamp::as_micros);
        let mut statement = self.db.prepare_cached(sql)?;
        let room = page.limit - page.readings.len();
        let values = params![whole(low), whole(span.last), since, until, room];
        for reading in statement.query_map(values, |row| self.reading(row))? {
            page.readings.push(reading?);
        }
        page.budget -= span.last + 1 - low;
        let full = page.readings.last().filter(|_| page.readings.len() == page.limit);
        Ok(full.map(|last| last.seq).or_else(|| (low > span.first).then_some(low)))
    }

    fn of_sensor(
        &self,
        name: &SensorId,
        range: &Range,
        span: Span,
        page: &mut Gathered,
    ) -> rusqlite::Result<Option<u64>> {
        let Some(sensor) = self.index.sensor(name) else { return Ok(None) };
        let mut next = sensor.last_seq;
        loop {
            if next < span.first {
                return Ok(None);
            }
            if page.readings.len() == page.limit || page.budget == 0 {
                return Ok(Some(next.min(span.last) + 1));
            }
            page.budget -= 1;
            let row = if next <= span.last { self.row(next)? } else { None };
            let Some(reading) = row else {
                // Above the span, or given up for want of space: what is before that may be there.
                let below = Span { last: span.last.min(next - 1), ..span };
                match self.newest_of(sensor, below, &mut page.budget)? {
                    Newest::At(seq) => next = seq,
                    Newest::Below(seq) => return Ok(Some(seq)),
                    Newest::Nowhere => return Ok(None),
                }
                continue;
            };
            next = reading.after.unwrap_or(0);
            if within(range, reading.time) {
                page.readings.push(reading);
            }
        }
    }

    /// The newest row of a sensor in a span.
    fn newest_of(&self, sensor: &Sensor, span: Span, budget: &mut u64) -> rusqlite::Result<Newest> {
        let series: HashSet<u32> = sensor.series.iter().copied().collect();
        // One row at least: without it a request could end where it began.
        let low = span.first.max((span.last + 1).saturating_sub((*budget).max(1)));
        let sql = "SELECT seq, series FROM readings WHERE seq BETWEEN ? AND ? ORDER BY seq DESC";
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query([whole(low), whole(span.last)])?;
        while let Some(row) = rows.next()? {
            *budget = budget.saturating_sub(1);
            if series.contains(&row.get::<_, u32>(1)?.wrapping_sub(1)) {
                return Ok(Newest::At(row.get(0)?));
            }
        }
        Ok(if low > span.first { Newest::Below(low) } else { Newest::Nowhere })
    }
}

/// Numbers, both included.
#[derive(Debug, Clone, Copy)]
struct Span {
    first: u64,
    last: u64,
}

/// What a request has found so far, the newest first, and how many more rows it may look at.
struct Gathered {
    readings: Vec<Reading>,
    limit: usize,
    budget: u64,
}

fn within(range: &Range, time: Timestamp) -> bool {
    range.since.is_none_or(|since| time >= since) && range.until.is_none_or(|until| time < until)
}

/// Where a sensor's newest reading in a range is.
enum Newest {
    At(u64),
    /// Not among the rows that were looked at, which ended with this number.
    Below(u64),
    Nowhere,
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::id::Id;
    use crate::domain::quality::{Reasons, State};
    use crate::store::history::{Extra, Limits, open};

    fn at(second: i64) -> Timestamp {
        Timestamp::EPOCH.saturating_add_micros(second * 1_000_000)
    }

    /// Readings of sensors 0 to 2 at these seconds, each knowing the one before it.
    fn readings(of: &[(usize, i64)]) -> Vec<Reading> {
        let mut last = [None; 3];
        let reading = |(index, (sensor, second)): (usize, &(usize, i64))| {
            let seq = index as u64 + 1;
            Reading {
                sensor: Id::new(["a", "b", "c"][*sensor]).unwrap(),
                seq,
                after: last[*sensor].replace(seq),
                time: at(*second),
                received: at(*second),
                raw: Some(*second as f64),
                value: None,
                u: None,
                p0_p1: None,
                event: None,
                unit: "mV".into(),
                state: State::Valid,
                reasons: Reasons::NONE,
                transform: None,
            }
        };
        of.iter().enumerate().map(reading).collect()
    }

    fn history(dir: &Path, readings: &[Reading], rolled: usize) -> History {
        let limits = Limits { max_age: Duration::from_secs(1 << 40), max_size: 1 << 40, max_pages: None };
        let mut history = open(dir, limits, false, Timestamp::EPOCH).unwrap().history;
        let closing = Extra { closing: true, ..Extra::default() };
        history.commit(&readings[..rolled], &closing, Duration::ZERO).unwrap();
        history.commit(&readings[rolled..], &Extra::default(), Duration::ZERO).unwrap();
        history
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn pages_together_are_exactly_the_range(
            of in prop::collection::vec((0usize..3, -200i64..2000), 1..60),
            rolled in 0usize..60,
            sensor in prop::option::of(0usize..3),
            since in prop::option::of(-250i64..2050),
            until in prop::option::of(-250i64..2050),
            limit in 1usize..9,
        ) {
            let all = readings(&of);
            let dir = tempfile::tempdir().unwrap();
            let history = history(dir.path(), &all, rolled.min(all.len()));
            let mut range = Range {
                sensor: sensor.map(|index| Id::new(["a", "b", "c"][index]).unwrap()),
                since: since.map(at),
                until: until.map(at),
                before: None,
                limit,
            };
            let mut found = Vec::new();
            loop {
                let page = history.select(&range).unwrap();
                prop_assert!(page.readings.len() <= limit);
                found.splice(0..0, page.readings);
                range.before = page.before;
                if page.before.is_none() {
                    break;
                }
            }
            let wanted = |reading: &&Reading| {
                range.sensor.as_ref().is_none_or(|sensor| *sensor == reading.sensor)
                    && within(&range, reading.time)
            };
            let expected: Vec<Reading> = all.iter().filter(wanted).cloned().collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn the_latest_of_each_sensor_is_found_and_strangers_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let history = history(dir.path(), &readings(&[(0, 1), (1, 2), (0, 3)]), 1);
        let seqs = |found: Vec<Reading>| found.iter().map(|reading| reading.seq).collect::<Vec<_>>();
        assert_eq!(seqs(history.latest(None).unwrap()), [3, 2]);
        let names = [Id::new("b").unwrap(), Id::new("nobody").unwrap()];
        assert_eq!(seqs(history.latest(Some(&names)).unwrap()), [2]);
    }

    #[test]
    fn a_reading_that_was_given_up_hides_none_of_those_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut readings = readings(&[(0, 1), (1, 2), (0, 3), (0, 4), (1, 5)]);
        readings.remove(2);
        let history = history(dir.path(), &readings, 1);
        let range = Range { sensor: Some(Id::new("a").unwrap()), limit: 5, ..Range::default() };
        let page = history.select(&range).unwrap();
        assert_eq!(page.readings.iter().map(|reading| reading.seq).collect::<Vec<_>>(), [1, 4]);
    }

    #[test]
    fn a_sensor_that_has_been_silent_for_long_takes_several_requests() {
        let dir = tempfile::tempdir().unwrap();
        let mut of = vec![(0, 0)];
        of.extend((0..WINDOW as i64 + 10).map(|second| (1, second)));
        of.push((0, 1));
        let history = history(dir.path(), &readings(&of), 1);
        let sensor = Some(Id::new("a").unwrap());
        let range = Range { sensor, before: Some(WINDOW + 11), limit: 5, ..Range::default() };
        let first = history.select(&range).unwrap();
        assert_eq!((first.readings.len(), first.before.is_some()), (0, true));
        let second = history.select(&Range { before: first.before, ..range }).unwrap();
        assert_eq!((second.readings.len(), second.before), (1, None));
    }
}
