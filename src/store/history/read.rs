//! Reading back what was committed.

use std::sync::Arc;

use rusqlite::{Row, params};

use super::History;
use super::index::{Series, corrupt};
use super::rollup::Point;
use crate::domain::id::SensorId;
use crate::domain::quality::{Reasons, State};
use crate::domain::sample::Reading;
use crate::domain::time::Timestamp;
use crate::store::error::StoreError;

/// The columns that [`History::reading`] takes a reading from.
macro_rules! columns {
    () => {
        "SELECT seq, series, time, lag, back, raw, value, u, flags, p0, p1, event FROM readings"
    };
}
pub(super) use columns;

/// By the index of the events; numbers come in its order.
const OF_EVENT: &str = concat!(columns!(), " WHERE event = ? ORDER BY seq DESC LIMIT ?");
/// Readings of one event that are looked at.
const SAME_EVENT: usize = 1000;

/// The most readings one request may ask for.
pub(super) const MOST: usize = 10_000;

impl History {
    /// Up to `limit` readings with numbers above `seq` and not above `up_to`, ascending.
    pub fn read_after(&self, seq: u64, limit: usize, up_to: u64) -> Result<Vec<Reading>, StoreError> {
        let limit = limit.min(MOST);
        self.name(self.rows_after(seq, limit, up_to))
    }

    /// The readings of a sensor that are about this event, the newest first; of an event that very many
    /// readings name, the newest ones.
    pub fn of_event(&self, sensor: &SensorId, event: &str) -> Result<Vec<Reading>, StoreError> {
        self.name(self.rows_of_event(sensor, event))
    }

    fn rows_of_event(&self, sensor: &SensorId, event: &str) -> rusqlite::Result<Vec<Reading>> {
        let mut statement = self.db.prepare_cached(OF_EVENT)?;
        let mut rows = statement.query(params![event, SAME_EVENT])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            // Several sensors may read one event.
            let series = self.series(row.get(1)?)?;
            if self.index.sensors[series.sensor].name == *sensor {
                found.push(self.reading(row)?);
            }
        }
        Ok(found)
    }

    fn rows_after(&self, seq: u64, limit: usize, up_to: u64) -> rusqlite::Result<Vec<Reading>> {
        let mut readings = Vec::with_capacity(limit.min(1024));
        let sql = concat!(columns!(), " WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?");
        let mut statement = self.db.prepare_cached(sql)?;
        let (seq, up_to) = (whole(seq), whole(up_to));
        let mut rows = statement.query(params![seq, up_to, limit])?;
        while let Some(row) = rows.next()? {
            readings.push(self.reading(row)?);
        }
        Ok(readings)
    }

    fn series(&self, number: u32) -> rusqlite::Result<&Series> {
        self.index.series.get(&number.wrapping_sub(1)).ok_or_else(corrupt)
    }

    pub(super) fn reading(&self, row: &Row<'_>) -> rusqlite::Result<Reading> {
        let seq: u64 = row.get(0)?;
        let series = self.series(row.get(1)?)?;
        let time = Timestamp::from_micros(row.get(2)?).ok_or_else(corrupt)?;
        let back: Option<u64> = row.get(4)?;
        let flags: u32 = row.get(8)?;
        Ok(Reading {
            sensor: self.index.sensors[series.sensor].name.clone(),
            seq,
            after: back.map(|back| seq.checked_sub(back).ok_or_else(corrupt)).transpose()?,
            time,
            received: time.saturating_add_micros(row.get::<_, Option<i64>>(3)?.unwrap_or(0)),
            raw: row.get(5)?,
            value: row.get(6)?,
            u: row.get(7)?,
            p0_p1: Option::zip(row.get(9)?, row.get(10)?).map(|(p0, p1)| [p0, p1]),
            unit: Arc::clone(&series.unit),
            state: State::from_u8((flags & 3) as u8).ok_or_else(corrupt)?,
            reasons: Reasons::from_bits(flags >> 2),
            transform: series.transform.clone(),
            // Borrowed first: most rows have none.
            event: row.get_ref(11)?.as_str_or_null()?.map(Arc::from),
        })
    }

    /// Gathers the rollups, and the last numbers of sensors and series, of the readings since they were last
    /// written: what a crash took from memory.
    pub(super) fn gather_again(&mut self) -> rusqlite::Result<()> {
        let rolled = self.meta_number("rolled")?.unwrap_or(0);
        let sql = "SELECT seq, series, time, raw, value FROM readings WHERE seq > ? ORDER BY seq";
        let mut statement = self.db.prepare(sql)?;
        let mut rows = statement.query([rolled])?;
        while let Some(row) = rows.next()? {
            let series = row.get::<_, u32>(1)?.wrapping_sub(1);
            if !self.index.series.contains_key(&series) {
                return Err(corrupt());
            }
            let (seq, time, raw, value) = (row.get(0)?, row.get(2)?, row.get(3)?, row.get(4)?);
            self.rollups.push(&Point { seq, series, time, raw, value });
            self.index.passed(series, seq);
        }
        Ok(())
    }
}

/// SQLite has signed numbers only; a caller may say "all" with `u64::MAX`.
pub(super) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::id::Id;
    use crate::store::history::{Extra, Limits, open};

    fn reading(seq: u64, sensor: &str, event: Option<&str>) -> Reading {
        Reading {
            sensor: Id::new(sensor).unwrap(),
            seq,
            after: None,
            time: Timestamp::EPOCH,
            received: Timestamp::EPOCH,
            raw: Some(seq as f64),
            value: None,
            u: None,
            p0_p1: None,
            unit: "1".into(),
            state: State::Valid,
            reasons: Reasons::NONE,
            transform: None,
            event: event.map(Arc::from),
        }
    }

    fn history(dir: &std::path::Path) -> History {
        let limits = Limits { max_age: Duration::from_secs(1 << 40), max_size: 1 << 40, max_pages: None };
        open(dir, limits, false, Timestamp::EPOCH).unwrap().history
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn the_readings_of_an_event_are_found_also_after_another_start(
            of in prop::collection::vec((0usize..2, prop::option::of(0usize..4)), 1..80),
            cut in 0usize..80,
        ) {
            let (sensors, events) = (["a", "b"], ["e0", "e1", "e2", "never"]);
            let all: Vec<Reading> = of
                .iter()
                .zip(1..)
                .map(|((sensor, event), seq)| reading(seq, sensors[*sensor], event.map(|event| events[event])))
                .collect();
            let dir = tempfile::tempdir().unwrap();
            let (first, second) = all.split_at(cut.min(all.len()));
            history(dir.path()).commit(first, &Extra::default(), Duration::ZERO).unwrap();
            let mut again = history(dir.path());
            again.commit(second, &Extra::default(), Duration::ZERO).unwrap();
            for sensor in sensors {
                for event in events {
                    let named = |it: &&Reading| it.sensor.as_str() == sensor && it.event.as_deref() == Some(event);
                    let expected: Vec<Reading> = all.iter().rev().filter(named).cloned().collect();
                    prop_assert_eq!(again.of_event(&Id::new(sensor).unwrap(), event).unwrap(), expected);
                }
            }
        }
    }

    #[test]
    fn an_event_is_found_by_its_index() {
        let dir = tempfile::tempdir().unwrap();
        let history = history(dir.path());
        let explained = format!("EXPLAIN QUERY PLAN {OF_EVENT}");
        let plan: String = history.db.query_row(&explained, params!["e", 1], |row| row.get(3)).unwrap();
        assert!(plan.contains("USING INDEX readings_of_events"), "{plan}");
    }
}
