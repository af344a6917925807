//! Floors: the newest version of each transform id that was ever accepted. They never fall.

use std::collections::BTreeMap;

use rusqlite::{Connection, Transaction, params};
use serde::Serialize;

use super::trust::id;
use super::{Ledger, audit, raise_floor};
use crate::domain::digest::Digest;
use crate::domain::time::Timestamp;
use crate::store::error::StoreError;
use crate::store::types::StoredFloor;

/// All floors in a table `floors`, by id.
pub fn all(db: &Connection) -> rusqlite::Result<Vec<StoredFloor>> {
    let mut statement = db.prepare("SELECT id, epoch, version, digest FROM floors ORDER BY id")?;
    let rows = statement.query_map([], |row| {
        let (epoch, version) = (row.get(1)?, row.get(2)?);
        Ok(StoredFloor { id: id(row, 0)?, epoch, version, digest: Digest(row.get(3)?) })
    })?;
    rows.collect()
}

/// Raises a floor in a table `floors`; a lower one, or the same, changes nothing.
pub fn raise(db: &Connection, floor: &StoredFloor) -> rusqlite::Result<()> {
    db.execute(
        "INSERT INTO floors VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE
         SET epoch = ?2, version = ?3, digest = ?4 WHERE (?2, ?3) > (epoch, version)",
        params![floor.id.as_str(), floor.epoch, floor.version, floor.digest.0],
    )
    .map(drop)
}

/// Those that are above what is known.
pub fn above(floors: &[StoredFloor], known: &[StoredFloor]) -> Vec<StoredFloor> {
    newer(floors, known, |floor| (&floor.id, (floor.epoch, floor.version)))
}

/// Those that stand higher than what is known of the same thing; `place`: of what one is, and how high it stands.
pub(super) fn newer<'a, T: Clone, K: Ord, H: PartialOrd>(
    all: &'a [T],
    known: &'a [T],
    place: impl Fn(&'a T) -> (K, H),
) -> Vec<T> {
    let known: BTreeMap<K, H> = known.iter().map(&place).collect();
    let news = |it: &&'a T| {
        let (of, height) = place(it);
        known.get(&of).is_none_or(|known| height > *known)
    };
    all.iter().filter(news).cloned().collect()
}

impl Ledger {
    /// Raises what stands higher elsewhere; audited, with its names and how high each stands now.
    pub(super) fn raise_serials<T, K: Serialize>(
        &mut self,
        now: Timestamp,
        source: &str,
        kind: &str,
        news: &[T],
        place: impl Fn(&T) -> (K, u64),
        put: impl Fn(&Transaction<'_>, &T) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        if news.is_empty() {
            return Ok(());
        }
        let raised: Vec<(K, u64)> = news.iter().map(place).collect();
        let detail = serde_json::json!({ kind: raised }).to_string();
        self.transact(|tx| {
            news.iter().try_for_each(|it| put(tx, it))?;
            audit::append(tx, now, "calibd", "serials.raised", source, &detail)
        })
    }

    /// The floors of all ids.
    pub fn floors(&self) -> Result<Vec<StoredFloor>, StoreError> {
        self.name(all(&self.db))
    }

    /// Raises floors and the proven time to what another source knows; audited where that is more.
    pub fn catch_up(
        &mut self,
        now: Timestamp,
        floors: &[StoredFloor],
        time: Option<Timestamp>,
        source: &str,
    ) -> Result<(), StoreError> {
        self.whole()?;
        let news = above(floors, &self.floors()?);
        let proven = self.time_floor()?;
        let later = time.filter(|time| proven.is_none_or(|proven| *time > proven));
        if news.is_empty() && later.is_none() {
            return Ok(());
        }
        self.transact(|tx| {
            news.iter().try_for_each(|floor| raise(tx, floor))?;
            later.map_or(Ok(()), |time| raise_floor(tx, time))?;
            if news.is_empty() {
                return Ok(());
            }
            let raised: Vec<_> =
                news.iter().map(|floor| (floor.id.as_str(), [floor.epoch, floor.version])).collect();
            let detail = serde_json::json!(raised).to_string();
            audit::append(tx, now, "calibd", "floors.raised", source, &detail)
        })
    }
}
