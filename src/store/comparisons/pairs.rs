//! The table of pairs.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::judges::forget_judge;
use super::references::{id, optional_id, span};
use crate::domain::digest::Digest;
use crate::domain::id::{Id, SensorId};
use crate::domain::pairing::Pair;
use crate::domain::quality::{Reasons, State};
use crate::domain::reference::{Origin, Reference};
use crate::domain::sample::TransformRef;
use crate::domain::time::Timestamp;
use crate::store::history::corrupt;

/// The most pairs of a page.
const MOST: usize = 10_000;

/// Makes the table.
macro_rules! pair_tables {
    () => {
        "
-- readings beside their references, one for each reference; since, until: the reference's; flags: state +
-- 4 * reasons of the readings; flag: the reference's state; lag, latency: microseconds; covariates: JSON
CREATE TABLE pairs(
    number INTEGER PRIMARY KEY AUTOINCREMENT, sensor TEXT NOT NULL, reference TEXT NOT NULL,
    since INTEGER NOT NULL, until INTEGER NOT NULL, value REAL, u REAL, raw REAL,
    reference_value REAL NOT NULL, reference_u REAL, unit TEXT NOT NULL,
    transform TEXT, version INTEGER, digest BLOB,
    readings INTEGER NOT NULL, completeness REAL NOT NULL, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL,
    flags INTEGER NOT NULL, flag INTEGER NOT NULL, standard TEXT, overdue INTEGER NOT NULL,
    origin INTEGER NOT NULL, lag INTEGER NOT NULL, latency INTEGER NOT NULL, covariates TEXT
) STRICT;
CREATE UNIQUE INDEX pairs_of_references ON pairs(sensor, reference);
CREATE INDEX pairs_in_time ON pairs(sensor, until);
"
    };
}
pub(crate) use pair_tables;

/// What a value and its reference have in common by their standard; null in pairs from before it was known.
pub(crate) const SHARED: &str = "ALTER TABLE pairs ADD COLUMN u_shared REAL;";

/// Which pairs are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairRange {
    /// The sensor.
    pub sensor: SensorId,
    /// Whose references end at or after this time.
    pub since: Timestamp,
    /// Where the last page ended.
    pub after: Option<(Timestamp, u64)>,
    /// At most so many; never more than 10,000.
    pub limit: usize,
}

/// Whether a reference has a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paired {
    /// It has none.
    No,
    /// It has one.
    Yes,
    /// There was one of another version of it, which is gone now.
    Otherwise,
}

/// Pairs that were asked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PairPage {
    /// Ascending by the end of their references.
    pub pairs: Vec<Pair>,
    /// Where to go on; `None`: that was all.
    pub after: Option<(Timestamp, u64)>,
}

/// All columns of the table.
macro_rules! columns {
    () => {
        "SELECT number, sensor, reference, since, until, value, u, raw, reference_value, reference_u, unit,
        transform, version, digest, readings, completeness, first_seq, last_seq, flags, flag, standard, overdue,
        origin, lag, latency, covariates, u_shared FROM pairs"
    };
}

pub(super) use columns;

/// Deletes the pairs of references of a sensor, and with them what was judged of it.
pub fn delete_pairs(db: &Connection, sensor: &SensorId, ids: &[Id]) -> rusqlite::Result<()> {
    let mut delete = db.prepare_cached("DELETE FROM pairs WHERE sensor = ? AND reference = ?")?;
    let mut gone = 0;
    for id in ids {
        gone += delete.execute([sensor.as_str(), id.as_str()])?;
    }
    // What was judged without any of them holds.
    if gone > 0 { forget_judge(db, sensor) } else { Ok(()) }
}

/// Says of each reference whether it has its pair; one that was made of another version of it is deleted. What somebody
/// gave under the id of a reference that came by itself counts in its place.
pub fn paired(db: &Connection, references: &[Reference]) -> rusqlite::Result<Vec<Paired>> {
    let mut of = db.prepare_cached(concat!(columns!(), " WHERE sensor = ? AND reference = ?"))?;
    let mut all = Vec::with_capacity(references.len());
    for reference in references {
        let found = of
            .query_row([reference.sensor.as_str(), reference.id.as_str()], |row| stored(row, None))
            .optional()?;
        all.push(match found {
            None => Paired::No,
            Some(pair) if pair.is_of(reference) => Paired::Yes,
            Some(pair) if counts_before(pair.origin, reference.origin) => Paired::Yes,
            Some(_) => {
                delete_pairs(db, &reference.sensor, std::slice::from_ref(&reference.id))?;
                Paired::Otherwise
            }
        });
    }
    Ok(all)
}

/// Whether a pair stays where one of the same reference's id comes: a person corrects what came by itself, not the
/// reverse.
fn counts_before(known: Origin, new: Origin) -> bool {
    !known.is_automatic() && new.is_automatic()
}

/// Writes pairs, each in the place of an earlier one of its reference, unless that counts before it; says of each
/// whether there was one.
pub fn insert_pairs(db: &Connection, pairs: &[Pair]) -> rusqlite::Result<Vec<bool>> {
    let mut known = db.prepare_cached("SELECT origin FROM pairs WHERE sensor = ? AND reference = ?")?;
    let mut replaced = Vec::with_capacity(pairs.len());
    let mut insert = db.prepare_cached(
        "INSERT OR REPLACE INTO pairs(sensor, reference, since, until, value, u, raw, reference_value,
         reference_u, unit, transform, version, digest, readings, completeness, first_seq, last_seq, flags, flag,
         standard, overdue, origin, lag, latency, covariates, u_shared)
         VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    )?;
    for pair in pairs {
        let of = [pair.sensor.as_str(), pair.reference.as_str()];
        let found = known.query_row(of, |row| row.get(0)).optional()?.and_then(Origin::from_u8);
        replaced.push(found.is_some());
        if found.is_some_and(|found| counts_before(found, pair.origin)) {
            continue;
        }
        if found.is_some() {
            forget_judge(db, &pair.sensor)?;
        }
        let transform = pair.transform.as_deref();
        let covariates =
            (!pair.covariates.is_empty()).then(|| serde_json::json!(pair.covariates).to_string());
        insert.execute(params![
            pair.sensor.as_str(),
            pair.reference.as_str(),
            pair.span.begin().as_micros(),
            pair.span.end().as_micros(),
            pair.value,
            pair.u,
            pair.raw,
            pair.reference_value,
            pair.reference_u,
            &*pair.unit,
            transform.map(|transform| transform.id.as_str()),
            transform.map(|transform| transform.version),
            transform.map(|transform| transform.digest.0),
            pair.readings,
            pair.completeness,
            pair.seqs.0,
            pair.seqs.1,
            i64::from(pair.reasons.bits()) << 2 | pair.state as i64,
            pair.flag as u8,
            pair.standard.as_ref().map(Id::as_str),
            pair.overdue,
            pair.origin as u8,
            pair.lag,
            pair.latency,
            covariates,
            pair.u_shared
        ])?;
    }
    Ok(replaced)
}

/// Those of these sensors that have pairs.
pub fn with_pairs(db: &Connection, sensors: Vec<SensorId>) -> rusqlite::Result<Vec<SensorId>> {
    let mut known = db.prepare_cached("SELECT 1 FROM pairs WHERE sensor = ? LIMIT 1")?;
    let mut found = Vec::new();
    for sensor in sensors {
        if known.exists([sensor.as_str()])? {
            found.push(sensor);
        }
    }
    Ok(found)
}

/// A sensor's pairs, and where to go on.
pub fn pair_page(db: &Connection, range: &PairRange) -> rusqlite::Result<PairPage> {
    let sql =
        concat!(columns!(), " WHERE sensor = ? AND (until, number) > (?, ?) ORDER BY until, number LIMIT ?");
    // Numbers count from 1.
    let since = (range.since.as_micros(), 0);
    let (until, number) = range.after.map_or(since, |(until, number)| since.max((until.as_micros(), number)));
    let limit = range.limit.clamp(1, MOST);
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params![range.sensor.as_str(), until, number, limit])?;
    let mut page = PairPage::default();
    let mut last = None;
    while let Some(row) = rows.next()? {
        let pair = stored(row, page.pairs.last())?;
        last = Some((pair.span.end(), row.get(0)?));
        page.pairs.push(pair);
    }
    page.after = last.filter(|_| page.pairs.len() == limit);
    Ok(page)
}

/// The pair of a row; what it has in common with the one before, it shares. The pairs of a sensor mostly differ in numbers
/// alone, and a start reads all of a thousand sensors.
pub(super) fn stored(row: &Row<'_>, before: Option<&Pair>) -> rusqlite::Result<Pair> {
    let flags: u32 = row.get(18)?;
    let state = |number| State::from_u8(number).ok_or_else(corrupt);
    let covariates: Option<&str> = row.get_ref(25)?.as_str_or_null()?;
    let covariates = covariates.map(|text| serde_json::from_str(text).map_err(|_| corrupt())).transpose()?;
    let unit = row.get_ref(10)?.as_str()?;
    Ok(Pair {
        sensor: id(row, 1, before.map(|before| &before.sensor))?,
        reference: id(row, 2, None)?,
        span: span(row, 3)?,
        value: row.get(5)?,
        u: row.get(6)?,
        raw: row.get(7)?,
        reference_value: row.get(8)?,
        reference_u: row.get(9)?,
        u_shared: row.get(26)?,
        unit: before
            .map(|before| &before.unit)
            .filter(|before| ***before == *unit)
            .map_or_else(|| unit.into(), Arc::clone),
        transform: transform(row, before.and_then(|before| before.transform.as_ref()))?,
        readings: row.get(14)?,
        completeness: row.get(15)?,
        seqs: (row.get(16)?, row.get(17)?),
        state: state((flags & 3) as u8)?,
        reasons: Reasons::from_bits(flags >> 2),
        flag: state(row.get(19)?)?,
        standard: optional_id(row, 20, before.and_then(|before| before.standard.as_ref()))?,
        overdue: row.get(21)?,
        origin: Origin::from_u8(row.get(22)?).ok_or_else(corrupt)?,
        lag: row.get(23)?,
        latency: row.get(24)?,
        covariates: covariates.unwrap_or_else(BTreeMap::new),
    })
}

fn transform(
    row: &Row<'_>,
    before: Option<&Arc<TransformRef>>,
) -> rusqlite::Result<Option<Arc<TransformRef>>> {
    let Some(id) = optional_id(row, 11, before.map(|before| &before.id))? else { return Ok(None) };
    let transform = TransformRef { id, version: row.get(12)?, digest: Digest(row.get(13)?) };
    Ok(Some(before.filter(|before| ***before == transform).map_or_else(|| Arc::new(transform), Arc::clone)))
}
