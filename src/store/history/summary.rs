//! Statistics of a sensor by interval: the written rollups of a time range, then those that wait in memory.
//!
//! `minutes` says between which numbers the rollups of a time range lie. Those of all sensors lie there
//! together, so a request looks at a bounded part of them: the store's thread has to commit.

use std::collections::HashSet;

use rusqlite::{Row, params};

use super::History;
use super::read::whole;
use super::rollup::Rollup;
use crate::domain::stats::Stats;
use crate::store::error::StoreError;
use crate::store::types::{RollupPage, RollupRange, Summary};

/// Rows that one request may look at.
const WINDOW: usize = 50_000;
/// Intervals after which a request ends.
const MOST: usize = 10_000;

impl History {
    /// Statistics of the range from `after` on, and where to go on.
    pub fn summaries(&self, range: &RollupRange) -> Result<RollupPage, StoreError> {
        self.name(self.summary_page(range))
    }

    fn summary_page(&self, range: &RollupRange) -> rusqlite::Result<RollupPage> {
        let mut page = RollupPage::default();
        let Some(sensor) = self.index.sensor(&range.sensor) else { return Ok(page) };
        let series: HashSet<u32> = sensor.series.iter().copied().collect();
        if let Some((first, last)) = self.rollup_rows(range)? {
            page.after = self.written(range, &series, first.max(range.after + 1)..=last, &mut page)?;
        }
        if page.after.is_none() {
            // Numbers in memory are above all written ones.
            for rollup in self.rollups.all().iter().filter(|rollup| series.contains(&rollup.series)) {
                self.add(range, rollup, &mut page);
            }
        }
        Ok(page)
    }

    /// The first and the last number of the readings in the range's minutes, as far as rollups are written.
    fn rollup_rows(&self, range: &RollupRange) -> rusqlite::Result<Option<(u64, u64)>> {
        let sql = "SELECT min(first_seq), max(last_seq) FROM minutes WHERE minute >= ? AND minute < ?";
        let mut statement = self.db.prepare_cached(sql)?;
        statement.query_row([range.from, range.to], |row| Ok(Option::zip(row.get(0)?, row.get(1)?)))
    }

    /// Adds written rollups with these numbers; says where to go on if there may be more.
    fn written(
        &self,
        range: &RollupRange,
        series: &HashSet<u32>,
        numbers: std::ops::RangeInclusive<u64>,
        page: &mut RollupPage,
    ) -> rusqlite::Result<Option<u64>> {
        let sql = "SELECT first_seq, series, last_seq, minute, n, raw_n, raw_min, raw_max, raw_mean, raw_m2,
                   value_n, value_min, value_max, value_mean, value_m2
                   FROM rollups WHERE first_seq BETWEEN ? AND ? ORDER BY first_seq LIMIT ?";
        let mut statement = self.db.prepare_cached(sql)?;
        let mut rows = statement.query(params![whole(*numbers.start()), whole(*numbers.end()), WINDOW])?;
        let mut looked = 0;
        while let Some(row) = rows.next()? {
            looked += 1;
            let number = row.get::<_, u32>(1)?.wrapping_sub(1);
            if series.contains(&number) {
                self.add(range, &rollup(row, number)?, page);
            }
            if looked == WINDOW || page.rollups.len() == MOST {
                return Ok(Some(row.get(0)?));
            }
        }
        Ok(None)
    }

    fn add(&self, range: &RollupRange, rollup: &Rollup, page: &mut RollupPage) {
        let Some(series) = self.index.series.get(&rollup.series) else { return };
        if (range.from..range.to).contains(&rollup.minute) {
            let start = rollup.minute.div_euclid(range.every) * range.every;
            let summary = page.rollups.entry((start, series.unit.clone())).or_default();
            *summary = summary.merged(Summary { n: rollup.n, raw: rollup.raw, value: rollup.value });
        }
    }
}

fn rollup(row: &Row<'_>, series: u32) -> rusqlite::Result<Rollup> {
    Ok(Rollup {
        first_seq: row.get(0)?,
        last_seq: row.get(2)?,
        series,
        minute: row.get(3)?,
        n: row.get(4)?,
        raw: stats(row, 5)?,
        value: stats(row, 10)?,
    })
}

fn stats(row: &Row<'_>, at: usize) -> rusqlite::Result<Stats> {
    let field = |offset| Ok::<f64, rusqlite::Error>(row.get::<_, Option<f64>>(at + offset)?.unwrap_or(0.0));
    Ok(Stats { n: row.get(at)?, min: field(1)?, max: field(2)?, mean: field(3)?, m2: field(4)? })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::id::Id;
    use crate::domain::quality::{Reasons, State};
    use crate::domain::sample::Reading;
    use crate::domain::time::Timestamp;
    use crate::store::history::{Extra, Limits, open};
    use crate::store::types::RollupKey;

    fn readings(of: &[(usize, usize, i64, f64)]) -> Vec<Reading> {
        let reading = |(index, (sensor, unit, second, raw)): (usize, &(usize, usize, i64, f64))| Reading {
            sensor: Id::new(["a", "b"][*sensor]).unwrap(),
            seq: index as u64 + 1,
            after: None,
            time: Timestamp::EPOCH.saturating_add_micros(second * 1_000_000),
            received: Timestamp::EPOCH,
            raw: Some(*raw),
            value: (*unit == 1).then_some(raw * 2.0),
            u: None,
            p0_p1: None,
            event: None,
            unit: ["mV", "mg/m3"][*unit].into(),
            state: State::Valid,
            reasons: Reasons::NONE,
            transform: None,
        };
        of.iter().enumerate().map(reading).collect()
    }

    fn expected(all: &[Reading], range: &RollupRange) -> BTreeMap<RollupKey, Summary> {
        let mut found = BTreeMap::<RollupKey, Summary>::new();
        for reading in all.iter().filter(|reading| reading.sensor == range.sensor) {
            let minute = reading.time.as_micros().div_euclid(60_000_000);
            if (range.from..range.to).contains(&minute) {
                let start = minute.div_euclid(range.every) * range.every;
                let summary = found.entry((start, reading.unit.clone())).or_default();
                summary.n += 1;
                reading.raw.into_iter().for_each(|raw| summary.raw.push(raw));
                reading.value.into_iter().for_each(|value| summary.value.push(value));
            }
        }
        found
    }

    fn close(a: &Stats, b: &Stats) -> bool {
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs().max(1.0);
        (a.n, a.min, a.max) == (b.n, b.min, b.max) && near(a.mean, b.mean) && near(a.m2, b.m2)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn statistics_are_those_of_the_readings_wherever_the_rollups_are(
            of in prop::collection::vec((0usize..2, 0usize..2, -400i64..4000, -1e3..1e3f64), 1..80),
            cuts in (0usize..80, 0usize..80),
            from in -10i64..40,
            minutes in 1i64..90,
            every in 1i64..70,
        ) {
            let all = readings(&of);
            let dir = tempfile::tempdir().unwrap();
            let limits = Limits { max_age: Duration::from_secs(1 << 40), max_size: 1 << 40, max_pages: None };
            let mut history = open(dir.path(), limits, false, Timestamp::EPOCH).unwrap().history;
            let (first, second) = (cuts.0.min(cuts.1).min(all.len()), cuts.0.max(cuts.1).min(all.len()));
            let closing = Extra { closing: true, ..Extra::default() };
            history.commit(&all[..first], &closing, Duration::ZERO).unwrap();
            history.commit(&all[first..second], &closing, Duration::ZERO).unwrap();
            history.commit(&all[second..], &Extra::default(), Duration::ZERO).unwrap();
            let sensor = Id::new("a").unwrap();
            let range = RollupRange { sensor, from, to: from + minutes, every, after: 0 };
            let page = history.summaries(&range).unwrap();
            let wanted = expected(&all, &range);
            prop_assert_eq!(page.after, None);
            prop_assert_eq!(page.rollups.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
            for (key, summary) in &wanted {
                let found = &page.rollups[key];
                prop_assert_eq!(found.n, summary.n);
                prop_assert!(close(&found.raw, &summary.raw) && close(&found.value, &summary.value));
            }
        }
    }

    #[test]
    fn a_page_ends_after_a_bounded_number_of_rows_and_the_next_one_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let limits = Limits { max_age: Duration::from_secs(1 << 40), max_size: 1 << 40, max_pages: None };
        let mut history = open(dir.path(), limits, false, Timestamp::EPOCH).unwrap().history;
        let of: Vec<_> = (0..MOST as i64 + 100).map(|minute| (0, 0, minute * 60, 1.0)).collect();
        let all = readings(&of);
        let closing = Extra { closing: true, ..Extra::default() };
        history.commit(&all[..MOST + 50], &closing, Duration::ZERO).unwrap();
        history.commit(&all[MOST + 50..], &Extra::default(), Duration::ZERO).unwrap();
        let mut range =
            RollupRange { sensor: Id::new("a").unwrap(), from: 0, to: i64::MAX, every: 1, after: 0 };
        let first = history.summaries(&range).unwrap();
        assert_eq!((first.rollups.len(), first.after), (MOST, Some(MOST as u64)));
        range.after = first.after.unwrap();
        let second = history.summaries(&range).unwrap();
        assert_eq!((second.rollups.len(), second.after), (100, None));
        assert!(second.rollups.keys().all(|key| !first.rollups.contains_key(key)));
    }
}
