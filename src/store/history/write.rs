//! Committing readings, and with them rollups, cursors and gaps.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::types::Null;
use rusqlite::{Connection, Statement, Transaction, TransactionBehavior, params};

use super::index::{Index, corrupt};
use super::rollup::{Point, Rollups};
use super::{History, add_gap};
use crate::domain::quality::{ReasonCode, Reasons, State};
use crate::domain::sample::Reading;
use crate::domain::sequence::Gap;
use crate::domain::stats::Stats;
use crate::store::error::StoreError;

/// Rollups are written when this much time has passed, ...
const ROLL_EVERY: Duration = Duration::from_secs(600);
/// ... or this many readings, which bounds what a start after a crash has to read again, ...
const ROLL_READINGS: u64 = 262_144;
/// ... or this many rollups wait, which bounds the memory they take.
const ROLL_WAITING: usize = 4096;
/// Cursors are written after this much time or this many readings: what is sent again after a crash.
const CURSOR_EVERY: Duration = Duration::from_secs(60);
const CURSOR_READINGS: u64 = 1000;

/// Columns of `readings`.
const COLUMNS: usize = 12;
/// Rows that one statement inserts: fewer statements cost less, measured in docs/decisions/0040.
const GROUP: usize = 20;

/// What is written together with readings.
#[derive(Debug, Default)]
pub struct Extra<'a> {
    /// The sinks' cursors, written now and then.
    pub cursors: Option<&'a BTreeMap<String, u64>>,
    /// New gaps.
    pub gaps: &'a [Gap],
    /// Write rollups and cursors in any case: the store is closing.
    pub closing: bool,
}

impl History {
    /// Writes a batch in one durable transaction; after an error nothing of it is written and it
    /// can be tried again. `now` is the monotonic time.
    pub fn commit(&mut self, batch: &[Reading], extra: &Extra<'_>, now: Duration) -> Result<(), StoreError> {
        if self.detached {
            return self.name(Err(corrupt()));
        }
        let roll = self.roll_due(extra.closing, now);
        self.rows_since_cursors += batch.len() as u64;
        let cursors = extra.cursors.filter(|_| {
            extra.closing
                || self.rows_since_cursors >= CURSOR_READINGS
                || now.saturating_sub(self.cursors_at) >= CURSOR_EVERY
        });
        let written = self.write(batch, extra.gaps, cursors, roll);
        self.name(written)?;
        self.index.saved();
        if roll {
            self.rolled(now);
        }
        if cursors.is_some() {
            self.cursors_at = now;
            self.rows_since_cursors = 0;
        }
        self.track(batch, now);
        Ok(())
    }

    fn roll_due(&self, closing: bool, now: Duration) -> bool {
        let (points, closed) = (self.rollups.points(), self.rollups.closed());
        let long = now.saturating_sub(self.rolled_at) >= ROLL_EVERY;
        points > 0 && (closing || long || points >= ROLL_READINGS || closed >= ROLL_WAITING)
    }

    fn write(
        &mut self,
        batch: &[Reading],
        gaps: &[Gap],
        cursors: Option<&BTreeMap<String, u64>>,
        roll: bool,
    ) -> rusqlite::Result<()> {
        self.scratch.clear();
        let index = &mut self.index;
        self.scratch.extend(batch.iter().map(|reading| index.series_of(reading)));
        let tx = Transaction::new_unchecked(&self.db, TransactionBehavior::Immediate)?;
        insert(&tx, batch, &self.scratch, self.raw_only())?;
        self.index.save_new(&tx)?;
        if roll {
            save_rollups(&tx, &mut self.rollups, &self.index, self.clock.time())?;
        }
        if let Some(cursors) = cursors {
            save_cursors(&tx, cursors)?;
        }
        for gap in gaps {
            add_gap(&tx, gap)?;
        }
        tx.commit()
    }

    /// Notes that the rollups gathered so far are in the file.
    pub(super) fn rolled(&mut self, now: Duration) {
        self.rollups.clear();
        self.index.last_saved();
        self.rolled_at = now;
    }

    /// Takes committed readings into rollups, last numbers and the retention clock.
    fn track(&mut self, batch: &[Reading], now: Duration) {
        for (reading, series) in batch.iter().zip(&self.scratch) {
            let (time, raw, value) = (reading.time.as_micros(), reading.raw, reading.value);
            let point = Point { seq: reading.seq, series: *series, time, raw, value };
            if self.raw_only() {
                self.rollups.pass(&point);
            } else {
                self.rollups.push(&point);
            }
            self.index.passed(*series, reading.seq);
        }
        if let Some(last) = batch.last() {
            self.last_seq = self.last_seq.max(last.seq);
        }
        let trusted = batch.iter().rev().find(|reading| !reading.reasons.contains(ReasonCode::TimeUntrusted));
        if let Some(reading) = trusted {
            self.clock.observe(reading.received.as_micros(), now);
        }
    }
}

fn insert(db: &Connection, batch: &[Reading], series: &[u32], raw_only: bool) -> rusqlite::Result<()> {
    let groups = batch.chunks_exact(GROUP);
    let rest = groups.remainder();
    let mut rows = series.iter();
    if batch.len() >= GROUP {
        let mut many = db.prepare_cached(MANY)?;
        for group in groups {
            for (place, (reading, series)) in group.iter().zip(rows.by_ref()).enumerate() {
                bind(&mut many, place * COLUMNS, reading, *series, raw_only)?;
            }
            many.raw_execute()?;
        }
    }
    let mut one = db.prepare_cached("INSERT INTO readings VALUES (?,?,?,?,?,?,?,?,?,?,?,?)")?;
    for (reading, series) in rest.iter().zip(rows) {
        bind(&mut one, 0, reading, *series, raw_only)?;
        one.raw_execute()?;
    }
    Ok(())
}

/// The insert statement for `GROUP` rows.
const MANY: &str = "INSERT INTO readings VALUES \
    (?,?,?,?,?,?,?,?,?,?,?,?),(?,?,?,?,?,?,?,?,?,?,?,?),(?,?,?,?,?,?,?,?,?,?,?,?),(?,?,?,?,?,?,?,?,?,?,?,?),\
    (?,?,?,?,?,?,?,?,?,?,?,?),(?,?,?,?,?,?,?,?,?,?,?,?),(?,?,?,?,?,?,?,?,?,?,?,?),(?,?,?,?,?,?,?,?,?,?,?,?),\
    (?,?,?,?,?,?,?,?,?,?,?,?),(?,?,?,?,?,?,?,?,?,?,?,?),(?,?,?,?,?,?,?,?,?,?,?,?),(?,?,?,?,?,?,?,?,?,?,?,?),\
    (?,?,?,?,?,?,?,?,?,?,?,?),(?,?,?,?,?,?,?,?,?,?,?,?),(?,?,?,?,?,?,?,?,?,?,?,?),(?,?,?,?,?,?,?,?,?,?,?,?),\
    (?,?,?,?,?,?,?,?,?,?,?,?),(?,?,?,?,?,?,?,?,?,?,?,?),(?,?,?,?,?,?,?,?,?,?,?,?),(?,?,?,?,?,?,?,?,?,?,?,?)";

fn bind(
    statement: &mut Statement<'_>,
    at: usize,
    reading: &Reading,
    series: u32,
    raw_only: bool,
) -> rusqlite::Result<()> {
    let Stored { value, u, p0_p1, state, reasons } = Stored::of(reading, raw_only);
    let time = reading.time.as_micros();
    let lag = reading.received.micros_since(reading.time);
    let flags = i64::from(reasons.bits()) << 2 | state as i64;
    statement.raw_bind_parameter(at + 1, reading.seq as i64)?;
    statement.raw_bind_parameter(at + 2, series + 1)?;
    statement.raw_bind_parameter(at + 3, time)?;
    if lag == 0 {
        statement.raw_bind_parameter(at + 4, Null)?;
    } else {
        statement.raw_bind_parameter(at + 4, lag)?;
    }
    match reading.after {
        Some(after) => statement.raw_bind_parameter(at + 5, reading.seq.wrapping_sub(after) as i64)?,
        None => statement.raw_bind_parameter(at + 5, Null)?,
    }
    statement.raw_bind_parameter(at + 6, reading.raw)?;
    statement.raw_bind_parameter(at + 7, value)?;
    statement.raw_bind_parameter(at + 8, u)?;
    statement.raw_bind_parameter(at + 9, flags)?;
    statement.raw_bind_parameter(at + 10, p0_p1.map(|[p0, _]| p0))?;
    statement.raw_bind_parameter(at + 11, p0_p1.map(|[_, p1]| p1))?;
    statement.raw_bind_parameter(at + 12, reading.event.as_deref())
}

/// What is stored of a reading's result.
struct Stored {
    value: Option<f64>,
    u: Option<f64>,
    p0_p1: Option<[f64; 2]>,
    state: State,
    reasons: Reasons,
}

impl Stored {
    /// With `raw_only` nothing that the named transform gives again from the raw value.
    fn of(reading: &Reading, raw_only: bool) -> Stored {
        let Reading { value, u, p0_p1, state, reasons, .. } = *reading;
        if raw_only && value.is_some() {
            let (state, reasons) = (state.max(State::Suspect), reasons.with(ReasonCode::RawOnly));
            return Stored { value: None, u: None, p0_p1: None, state, reasons };
        }
        Stored { value, u, p0_p1, state, reasons }
    }
}

/// Writes the gathered rollups, where the minutes are, the sensors' last numbers and how far all
/// this goes; `time` is the retention clock's.
pub(super) fn save_rollups(
    db: &Connection,
    rollups: &mut Rollups,
    index: &Index,
    time: Option<i64>,
) -> rusqlite::Result<()> {
    let mut insert = db.prepare_cached("INSERT INTO rollups VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")?;
    for rollup in rollups.all() {
        let (raw, value) = (rollup.raw, rollup.value);
        let some = |stats: Stats, field: f64| (stats.n > 0).then_some(field);
        insert.execute(params![
            rollup.first_seq,
            rollup.last_seq,
            rollup.series + 1,
            rollup.minute,
            rollup.n,
            raw.n,
            some(raw, raw.min),
            some(raw, raw.max),
            some(raw, raw.mean),
            some(raw, raw.m2),
            value.n,
            some(value, value.min),
            some(value, value.max),
            some(value, value.mean),
            some(value, value.m2),
        ])?;
    }
    let mut minute = db.prepare_cached(
        "INSERT INTO minutes VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE
         SET first_seq = min(first_seq, ?2), last_seq = max(last_seq, ?3)",
    )?;
    for (number, span) in rollups.spans() {
        minute.execute(params![number, span.first, span.last])?;
    }
    index.save_last(db)?;
    let rolled = rollups.last();
    db.prepare_cached("INSERT OR REPLACE INTO meta VALUES ('rolled', ?)")?.execute([rolled])?;
    if let Some(time) = time {
        // Both columns ascend; after a believed step back the later marks are too high.
        db.prepare_cached("UPDATE marks SET time = ?1 WHERE time > ?1")?.execute([time])?;
        db.prepare_cached("INSERT OR REPLACE INTO marks VALUES (?, ?)")?.execute(params![rolled, time])?;
    }
    Ok(())
}

fn save_cursors(db: &Connection, cursors: &BTreeMap<String, u64>) -> rusqlite::Result<()> {
    db.execute("DELETE FROM cursors", [])?;
    let mut insert = db.prepare_cached("INSERT INTO cursors VALUES (?, ?)")?;
    for (sink, seq) in cursors {
        insert.execute(params![sink, seq])?;
    }
    Ok(())
}
