//! Reading back what was committed.

use std::sync::Arc;

use rusqlite::{Row, params};

use super::History;
use super::index::{Series, corrupt};
use super::rollup::Point;
use crate::domain::quality::{Reasons, State};
use crate::domain::sample::Reading;
use crate::domain::time::Timestamp;
use crate::store::error::StoreError;

/// The columns that [`History::reading`] takes a reading from.
macro_rules! columns {
    () => {
        "SELECT seq, series, time, lag, back, raw, value, u, flags, p0, p1 FROM readings"
    };
}
pub(super) use columns;

/// The most readings one request may ask for.
pub(super) const MOST: usize = 10_000;

impl History {
    /// Up to `limit` readings with numbers above `seq` and not above `up_to`, ascending.
    pub fn read_after(&self, seq: u64, limit: usize, up_to: u64) -> Result<Vec<Reading>, StoreError> {
        let limit = limit.min(MOST);
        self.name(self.rows_after(seq, limit, up_to))
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
        self.index.series.get(number.wrapping_sub(1) as usize).ok_or_else(corrupt)
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
        })
    }

    /// Gathers the rollups, and the sensors' last numbers, of the readings since they were last
    /// written: what a crash took from memory.
    pub(super) fn gather_again(&mut self) -> rusqlite::Result<()> {
        let rolled = self.meta_number("rolled")?.unwrap_or(0);
        let sql = "SELECT seq, series, time, raw, value FROM readings WHERE seq > ? ORDER BY seq";
        let mut statement = self.db.prepare(sql)?;
        let mut rows = statement.query([rolled])?;
        while let Some(row) = rows.next()? {
            let series = row.get::<_, u32>(1)?.wrapping_sub(1);
            if series as usize >= self.index.series.len() {
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
