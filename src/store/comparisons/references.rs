//! The table of references, which both databases have, and what is asked of it.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::domain::id::{Id, SensorId};
use crate::domain::quality::State;
use crate::domain::reference::{Origin, Reference, Span, Standard};
use crate::domain::time::Timestamp;
use crate::store::history::corrupt;

/// The most references of a page.
const MOST: usize = 1000;
/// Rows that one request may look at.
const WINDOW: u64 = 50_000;

/// Makes the table.
macro_rules! reference_tables {
    () => {
        "
-- reference readings: ascending, never changed but for their withdrawal; of those with one sensor and id the
-- last revision counts. since, until: the interval, or twice the point; given_*: before the conversion;
-- flag: a state; origin: 0 manual, 1 import, 2 sensor, 3 mqtt, 4 session; times: microseconds since 1970
CREATE TABLE reference_readings(
    number INTEGER PRIMARY KEY, sensor TEXT NOT NULL, id TEXT NOT NULL, revision INTEGER NOT NULL,
    since INTEGER NOT NULL, until INTEGER NOT NULL, value REAL NOT NULL, u REAL, unit TEXT NOT NULL,
    given_value REAL, given_unit TEXT, standard TEXT, due INTEGER, flag INTEGER NOT NULL,
    origin INTEGER NOT NULL, source TEXT, event TEXT, received INTEGER NOT NULL, actor TEXT NOT NULL,
    withdrawn INTEGER, withdrawn_by TEXT, reason TEXT
) STRICT;
CREATE UNIQUE INDEX reference_revisions ON reference_readings(sensor, id, revision);
"
    };
}
pub(crate) use reference_tables;

const COLUMNS: &str =
    "SELECT number, sensor, id, revision, since, until, value, u, unit, given_value, given_unit,
    standard, due, flag, origin, source, event, received, actor, withdrawn, withdrawn_by, reason,
    (SELECT max(revision) FROM reference_readings AS other
     WHERE other.sensor = reference_readings.sensor AND other.id = reference_readings.id)
    FROM reference_readings";

/// What a reference was when it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// New.
    New,
    /// Known, and nothing new in it.
    Unchanged,
    /// Known with another value: so many were before it.
    Revised(u32),
    /// Withdrawn, and nothing new in it: it stays withdrawn.
    Withdrawn,
}

impl Added {
    /// Its name in JSON and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Added::New => "new",
            Added::Unchanged => "unchanged",
            Added::Revised(_) => "revised",
            Added::Withdrawn => "withdrawn",
        }
    }
}

/// That a reference does not count any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawal {
    /// When, by the gateway's clock.
    pub at: Timestamp,
    /// Who said so.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
}

/// A reference as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredReference {
    /// Its number in its database; they ascend.
    pub number: u64,
    /// The reference.
    pub reference: Reference,
    /// Which version of it this is, from 1.
    pub revision: u32,
    /// Whether a later version has taken its place.
    pub superseded: bool,
    /// Who gave it.
    pub actor: String,
    /// That it was withdrawn.
    pub withdrawn: Option<Withdrawal>,
}

/// A standard as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredStandard {
    /// The standard.
    pub standard: Standard,
    /// When it was last changed, by the gateway's clock.
    pub at: Timestamp,
    /// Who said so.
    pub actor: String,
}

/// Which references are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReferenceRange {
    /// Those that came by themselves, which are in the history; else those of the ledger.
    pub automatic: bool,
    /// Of this sensor only.
    pub sensor: Option<SensorId>,
    /// Of this id only.
    pub id: Option<Id>,
    /// That end at or after this time.
    pub since: Option<Timestamp>,
    /// That end before this time.
    pub until: Option<Timestamp>,
    /// That the gateway got at or after this time.
    pub came: Option<Timestamp>,
    /// Also those that are withdrawn or superseded.
    pub all: bool,
    /// With numbers above this one.
    pub after: u64,
    /// At most so many; never more than 1,000.
    pub limit: usize,
}

/// References that were asked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReferencePage {
    /// In ascending order of their numbers.
    pub references: Vec<StoredReference>,
    /// Where to go on; `None`: that was all. A page can be empty and say where to go on.
    pub after: Option<u64>,
}

/// The last revision of a reference.
fn newest(db: &Connection, of: &Reference) -> rusqlite::Result<Option<StoredReference>> {
    let sql = format!("{COLUMNS} WHERE sensor = ? AND id = ? ORDER BY revision DESC LIMIT 1");
    db.prepare_cached(&sql)?.query_row([of.sensor.as_str(), of.id.as_str()], stored).optional()
}

/// Those of these references that are neither withdrawn nor revised since.
pub fn counting(db: &Connection, references: Vec<Reference>) -> rusqlite::Result<Vec<Reference>> {
    let mut counting = Vec::with_capacity(references.len());
    for reference in references {
        let known = newest(db, &reference)?.filter(|known| known.withdrawn.is_none());
        if known.is_some_and(|known| known.reference.says_the_same_as(&reference)) {
            counting.push(reference);
        }
    }
    Ok(counting)
}

/// Adds a reference, unless the newest of its id says the same.
pub fn add_reference(db: &Connection, new: &Reference, actor: &str) -> rusqlite::Result<Added> {
    let Reference { id, sensor, span, value, u, unit, standard, due, flag, origin, source, event, .. } = new;
    let known = newest(db, new)?;
    let same = known.as_ref().filter(|known| known.reference.says_the_same_as(new));
    match same {
        Some(known) if known.withdrawn.is_some() => return Ok(Added::Withdrawn),
        Some(_) => return Ok(Added::Unchanged),
        None => {}
    }
    let before = known.map_or(0, |known| known.revision);
    let given = new.given.as_ref();
    db.prepare_cached(
        "INSERT INTO reference_readings(sensor, id, revision, since, until, value, u, unit, given_value,
         given_unit, standard, due, flag, origin, source, event, received, actor)
         VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    )?
    .execute(params![
        sensor.as_str(),
        id.as_str(),
        before + 1,
        span.begin().as_micros(),
        span.end().as_micros(),
        value,
        u,
        &**unit,
        given.map(|(value, _)| value),
        given.map(|(_, unit)| &**unit),
        standard.as_ref().map(Id::as_str),
        due.map(Timestamp::as_micros),
        *flag as u8,
        *origin as u8,
        source.as_ref().map(Id::as_str),
        event.as_deref(),
        new.received.as_micros(),
        actor
    ])?;
    Ok(if before == 0 { Added::New } else { Added::Revised(before) })
}

/// Withdraws references of a sensor; gives back the ids of those that were not withdrawn already.
pub fn withdraw(
    db: &Connection,
    sensor: &SensorId,
    ids: &[Id],
    withdrawal: &Withdrawal,
) -> rusqlite::Result<Vec<Id>> {
    let mut update = db.prepare_cached(
        "UPDATE reference_readings SET withdrawn = ?, withdrawn_by = ?, reason = ?
         WHERE sensor = ? AND id = ? AND withdrawn IS NULL",
    )?;
    let Withdrawal { at, actor, reason } = withdrawal;
    let mut changed = Vec::new();
    for id in ids {
        let rows = update.execute(params![at.as_micros(), actor, reason, sensor.as_str(), id.as_str()])?;
        if rows > 0 {
            changed.push(id.clone());
        }
    }
    Ok(changed)
}

/// References of a range, and where to go on.
pub fn reference_page(db: &Connection, range: &ReferenceRange) -> rusqlite::Result<ReferencePage> {
    let last: u64 =
        db.query_row("SELECT coalesce(max(number), 0) FROM reference_readings", [], |row| row.get(0))?;
    let end = range.after.saturating_add(WINDOW).min(last);
    let sql = format!(
        "{COLUMNS} WHERE number > ? AND number <= ? AND (?3 IS NULL OR sensor = ?3) AND (?4 IS NULL OR id = ?4)
         AND until >= ? AND until < ? AND received >= ? ORDER BY number"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let mut rows = statement.query(params![
        range.after.min(last),
        end,
        range.sensor.as_ref().map(Id::as_str),
        range.id.as_ref().map(Id::as_str),
        range.since.map_or(i64::MIN, Timestamp::as_micros),
        range.until.map_or(i64::MAX, Timestamp::as_micros),
        range.came.map_or(i64::MIN, Timestamp::as_micros),
    ])?;
    let (mut page, limit) = (ReferencePage::default(), range.limit.clamp(1, MOST));
    while let Some(row) = rows.next()? {
        let found = stored(row)?;
        if !range.all && (found.superseded || found.withdrawn.is_some()) {
            continue;
        }
        if page.references.len() == limit {
            page.after = page.references.last().map(|last| last.number);
            return Ok(page);
        }
        page.references.push(found);
    }
    page.after = (end < last).then_some(end);
    Ok(page)
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredReference> {
    let revision = row.get(3)?;
    let withdrawn = optional_time(row, 19)?;
    let withdrawn = match (withdrawn, row.get(20)?) {
        (Some(at), Some(actor)) => Some(Withdrawal { at, actor, reason: row.get(21)? }),
        _ => None,
    };
    let reference = Reference {
        sensor: id(row, 1, None)?,
        id: id(row, 2, None)?,
        span: span(row, 4)?,
        value: row.get(6)?,
        u: row.get(7)?,
        unit: row.get::<_, String>(8)?.into(),
        given: Option::zip(row.get(9)?, row.get::<_, Option<String>>(10)?)
            .map(|(value, unit)| (value, unit.into())),
        standard: optional_id(row, 11, None)?,
        due: optional_time(row, 12)?,
        flag: State::from_u8(row.get(13)?).ok_or_else(corrupt)?,
        origin: Origin::from_u8(row.get(14)?).ok_or_else(corrupt)?,
        source: optional_id(row, 15, None)?,
        event: row.get::<_, Option<String>>(16)?.map(Into::into),
        received: Timestamp::from_micros(row.get(17)?).ok_or_else(corrupt)?,
    };
    let superseded = row.get::<_, u32>(22)? > revision;
    Ok(StoredReference {
        number: row.get(0)?,
        reference,
        revision,
        superseded,
        actor: row.get(18)?,
        withdrawn,
    })
}

/// An identifier in a column; the one of the row before, if it is the same.
pub(super) fn id(row: &Row<'_>, column: usize, before: Option<&Id>) -> rusqlite::Result<Id> {
    optional_id(row, column, before)?.ok_or_else(corrupt)
}

/// An identifier that a column may have; the one of the row before, if it is the same.
pub(super) fn optional_id(row: &Row<'_>, column: usize, before: Option<&Id>) -> rusqlite::Result<Option<Id>> {
    let Some(text) = row.get_ref(column)?.as_str_or_null()? else { return Ok(None) };
    let same = before.filter(|before| before.as_str() == text).cloned();
    same.map_or_else(|| Id::new(text).map_err(|_| corrupt()), Ok).map(Some)
}

/// The interval in two columns.
pub(super) fn span(row: &Row<'_>, column: usize) -> rusqlite::Result<Span> {
    let time = |column| Ok::<_, rusqlite::Error>(Timestamp::from_micros(row.get(column)?));
    let ends = Option::zip(time(column)?, time(column + 1)?);
    ends.and_then(|(begin, end)| Span::between(begin, end)).ok_or_else(corrupt)
}

fn optional_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(column)?
        .map(|time| Timestamp::from_micros(time).ok_or_else(corrupt))
        .transpose()
}
