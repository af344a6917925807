//! Certificates that this gateway issued.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::json;

use super::{Ledger, audit, set_meta};
use crate::domain::certificate::placed;
use crate::domain::digest::Digest;
use crate::domain::id::SensorId;
use crate::domain::time::Timestamp;
use crate::store::certificates::StoredCertificate;
use crate::store::error::StoreError;
use crate::store::history::corrupt;

/// What stands in the table `meta` before the number of a certificate that only a checkpoint knew.
const SAID: &str = "certificate ";
/// Certificates read at a time.
const PAGE: usize = 1000;
const COLUMNS: &str = "place, number, digest, sensor, session, issued, as_found, as_left";

impl Ledger {
    /// The place of the next certificate in a series: one behind the last.
    pub fn next_certificate(&self, series: &str) -> Result<u64, StoreError> {
        self.whole()?;
        // All numbers that begin so lie between the series and its end with the next character.
        let sql = "SELECT max(CAST(substr(number, length(?1) + 1) AS INTEGER)) FROM certificates
            WHERE number >= ?1 AND number < ?1 || ':'";
        let last: Option<u64> = self.name(self.db.query_row(sql, [series], |row| row.get(0)))?;
        // A ledger that was restored has forgotten what its last checkpoint knew.
        let said = self.name(said(&self.db))?;
        let said = said.iter().filter_map(|(number, _)| placed(number)).find(|(its, _)| *its == series);
        Ok(last.max(said.map(|(_, place)| place)).unwrap_or(0) + 1)
    }

    /// Number and digest of the last certificate, and of those that only a checkpoint knew, one of each series.
    pub fn last_certificates(&self) -> Result<Vec<(String, Digest)>, StoreError> {
        let sql = "SELECT number, digest FROM certificates ORDER BY place DESC LIMIT 1";
        let get = |row: &Row<'_>| Ok((row.get(0)?, Digest(row.get(1)?)));
        let mut all = self.name(said(&self.db))?;
        all.extend(self.name(self.db.query_row(sql, [], get).optional())?);
        let is_last = |it: &&(String, Digest)| !all.iter().any(|other| is_before(it, other));
        Ok(all.iter().filter(is_last).cloned().collect())
    }

    /// Those that are later in their series than what the ledger knows.
    pub(super) fn later_certificates(
        &self,
        others: &[(String, Digest)],
    ) -> Result<Vec<(String, Digest)>, StoreError> {
        let mut later = Vec::new();
        for other in others {
            let Some((series, place)) = placed(&other.0) else { continue };
            if place >= self.next_certificate(series)? {
                later.push(other.clone());
            }
        }
        Ok(later)
    }

    /// Raises the last numbers to what another source knows; audited where that is more.
    pub fn catch_up_certificates(
        &mut self,
        now: Timestamp,
        others: &[(String, Digest)],
        source: &str,
    ) -> Result<(), StoreError> {
        self.whole()?;
        let news = self.later_certificates(others)?;
        let place =
            |it: &(String, Digest)| placed(&it.0).map_or((String::new(), 0), |(it, at)| (it.to_owned(), at));
        self.raise_serials(now, source, "certificates", &news, place, put)
    }

    /// Certificates without their envelopes, the newest first.
    pub fn certificates(
        &self,
        sensor: Option<&SensorId>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, StoredCertificate)>, StoreError> {
        self.whole()?;
        let sql = format!(
            "SELECT {COLUMNS}, x'' FROM certificates WHERE place < ?1 AND (?2 IS NULL OR sensor = ?2)
             ORDER BY place DESC LIMIT ?3"
        );
        let before = before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
        let bounds = params![before, sensor.map(SensorId::as_str), limit.min(PAGE)];
        let read = || self.db.prepare(&sql)?.query_map(bounds, stored)?.collect();
        self.name(read())
    }

    /// The certificate of this number.
    pub fn certificate(&self, number: &str) -> Result<Option<StoredCertificate>, StoreError> {
        self.whole()?;
        let sql = format!("SELECT {COLUMNS}, envelope FROM certificates WHERE number = ?");
        let found = self.db.query_row(&sql, [number], stored).optional();
        Ok(self.name(found)?.map(|(_, certificate)| certificate))
    }
}

/// What checkpoints have said of certificates that are not here: in the table `meta`, by their numbers.
fn said(db: &Connection) -> rusqlite::Result<Vec<(String, Digest)>> {
    let mut statement =
        db.prepare("SELECT substr(key, ?1), value FROM meta WHERE key LIKE ?2 ORDER BY key")?;
    let bounds = params![SAID.len() as i64 + 1, format!("{SAID}%")];
    statement.query_map(bounds, |row| Ok((row.get(0)?, Digest(row.get(1)?))))?.collect()
}

/// Keeps the last number of a series, in the place of one before.
pub(super) fn put(tx: &Transaction<'_>, last: &(String, Digest)) -> rusqlite::Result<()> {
    for before in said(tx)?.iter().filter(|it| is_before(it, last)) {
        tx.execute("DELETE FROM meta WHERE key = ?", [format!("{SAID}{}", before.0)])?;
    }
    set_meta(tx, &format!("{SAID}{}", last.0), last.1.0)
}

/// Whether one is of the same series, and before another.
fn is_before(one: &(String, Digest), other: &(String, Digest)) -> bool {
    matches!((placed(&one.0), placed(&other.0)), (Some(one), Some(other)) if one.0 == other.0 && one.1 < other.1)
}

/// Keeps a certificate, with its audit row. A number that is taken is a fault, and nothing is changed then.
pub(super) fn insert(
    tx: &Transaction<'_>,
    now: Timestamp,
    certificate: &StoredCertificate,
    actor: &str,
) -> rusqlite::Result<()> {
    let StoredCertificate { number, digest, sensor, session, issued, as_found, as_left, envelope } =
        certificate;
    let (issued, sensor) = (issued.as_micros(), sensor.as_str());
    tx.execute(
        "INSERT INTO certificates(number, digest, sensor, session, issued, as_found, as_left, envelope)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        params![number, digest.0, sensor, session, issued, as_found, as_left, envelope],
    )?;
    let detail = json!({
        "number": number, "digest": digest, "session": session, "as_found": as_found, "as_left": as_left,
    });
    audit::append(tx, now, actor, "certificate.issued", sensor, &detail.to_string())
}

fn stored(row: &Row<'_>) -> rusqlite::Result<(u64, StoredCertificate)> {
    let sensor: String = row.get(3)?;
    let certificate = StoredCertificate {
        number: row.get(1)?,
        digest: Digest(row.get(2)?),
        sensor: SensorId::new(&sensor).map_err(|_| corrupt())?,
        session: row.get(4)?,
        issued: Timestamp::from_micros(row.get(5)?).ok_or_else(corrupt)?,
        as_found: row.get(6)?,
        as_left: row.get(7)?,
        envelope: row.get(8)?,
    };
    Ok((row.get(0)?, certificate))
}
