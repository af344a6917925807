//! Certificates that this gateway issued.

use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde_json::json;

use super::{Ledger, audit, set_meta};
use crate::domain::certificate::placed;
use crate::domain::digest::Digest;
use crate::domain::id::SensorId;
use crate::domain::time::Timestamp;
use crate::store::certificates::StoredCertificate;
use crate::store::error::StoreError;
use crate::store::history::corrupt;

/// Where the last certificate is kept that only a checkpoint knows of, in the table `meta`.
const SAID_NUMBER: &str = "certificate_number";
const SAID_DIGEST: &str = "certificate_digest";
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
        let said = self.name(self.certificate_said())?;
        let said = said.as_ref().and_then(|(number, _)| placed(number));
        let said = said.and_then(|(its, place)| (its == series).then_some(place));
        Ok(last.max(said).unwrap_or(0) + 1)
    }

    /// Number and digest of the last certificate, of which the ledger may know only that there was one.
    pub fn last_certificate(&self) -> Result<Option<(String, Digest)>, StoreError> {
        let sql = "SELECT number, digest FROM certificates ORDER BY place DESC LIMIT 1";
        let get = |row: &Row<'_>| Ok((row.get(0)?, Digest(row.get(1)?)));
        let kept = self.name(self.db.query_row(sql, [], get).optional())?;
        let said = self.name(self.certificate_said())?;
        Ok(kept.into_iter().chain(said).max_by(|a, b| placed(&a.0).cmp(&placed(&b.0))))
    }

    /// Raises the last number to what another source knows; audited where that is more.
    pub fn catch_up_certificates(
        &mut self,
        now: Timestamp,
        other: Option<&(String, Digest)>,
        source: &str,
    ) -> Result<(), StoreError> {
        self.whole()?;
        let Some((number, digest)) = other else { return Ok(()) };
        let known = self.last_certificate()?;
        if placed(number) <= known.as_ref().and_then(|(known, _)| placed(known)) {
            return Ok(());
        }
        self.transact(|tx| {
            set_meta(tx, SAID_NUMBER, number)?;
            set_meta(tx, SAID_DIGEST, digest.0)?;
            audit::append(
                tx,
                now,
                "calibd",
                "serials.raised",
                source,
                &json!({ "certificate": number }).to_string(),
            )
        })
    }

    /// The last certificate by the word of a checkpoint.
    fn certificate_said(&self) -> rusqlite::Result<Option<(String, Digest)>> {
        Ok(self.meta(SAID_NUMBER)?.zip(self.meta(SAID_DIGEST)?.map(Digest)))
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
