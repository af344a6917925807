//! Restoring the ledger: a backup is checked and laid ready, and takes its place at the next start.

use std::path::{Path, PathBuf};

use rusqlite::types::Value;
use rusqlite::{Connection, Transaction};
use serde_json::json;

use super::examine::{Examined, Fault, examine};
use super::{
    FILE, Ledger, Reserve, alerts, audit, certificates, commands, copy, enrolments, floors, manifests,
    priors, raise_floor, rollouts, set_meta,
};
use crate::domain::digest::Digest;
use crate::domain::id::{Id, SensorId};
use crate::domain::sample::TransformRef;
use crate::domain::sequence::{Block, Gap};
use crate::domain::time::Timestamp;
use crate::store::checkpoints::Head;
use crate::store::error::StoreError;
use crate::store::file::{self, OpenError, WalIndex};
use crate::store::history::{add_gap, gap_of};
use crate::store::ledger::schema::LEDGER;
use crate::store::manifests::StoredManifest;
use crate::store::priors::StoredPrior;
use crate::store::rollouts::StoredOrder;
use crate::store::types::{StoredEnrolment, StoredFloor, StoredRoot};

/// A checked backup that waits for the next start.
const STAGED: &str = "ledger-restore.db";
/// The end of the audit in the last checkpoint of the ledger that was replaced: in the table `meta`; empty until it is known.
const REPLACED_CHECKPOINT: &str = "replaced_checkpoint";

/// What will change with a restored ledger.
#[derive(Debug)]
pub struct Staging {
    /// What the backup holds.
    pub examined: Examined,
    /// Rows and head of the present ledger's audit; `None`: it is broken.
    pub present: Option<(u64, Digest)>,
    /// Floors that stay above the backup's, which are beside them.
    pub floors: Vec<(StoredFloor, Option<StoredFloor>)>,
    /// What is in force now, and what will be, where that differs.
    pub changes: Vec<(SensorId, Option<TransformRef>, Option<TransformRef>)>,
}

/// Whether a backup waits for the next start.
pub fn waits(dir: &Path) -> bool {
    dir.join(STAGED).exists()
}

/// Checks the file at `backup` and lays it ready for the next start. `Ok(Err(_))` says why it is none.
pub fn stage(
    dir: &Path,
    backup: &Path,
    fleet: &Id,
    actor: &str,
) -> Result<Result<Staging, String>, StoreError> {
    let mut ledger = match Ledger::at(backup) {
        Ok(ledger) => ledger,
        Err(OpenError::Broken(fault)) => return Ok(Err(fault)),
        Err(OpenError::Fatal(StoreError::TooNew { found, known, .. })) => {
            let known = format!("this one knows schemas up to {known}");
            return Ok(Err(format!(
                "a newer calibd wrote it (schema {found}, {known}); restore it with that"
            )));
        }
        Err(OpenError::Fatal(error)) => return Err(error),
    };
    let examined = match examine(&ledger.db, &mut |_, _| {}) {
        Ok(examined) => examined,
        Err(Fault::Found(fault)) => return Ok(Err(fault)),
        Err(Fault::Sql(error)) => return Err(StoreError::sql(backup, error)),
    };
    if examined.chain.rows == 0 {
        return Ok(Err("it holds no ledger".to_owned()));
    }
    if let Some(other) = examined.root.as_ref().map(|root| &root.fleet).filter(|other| *other != fleet) {
        return Ok(Err(format!("it is of a gateway of fleet {other}, this one is of {fleet}")));
    }
    if !is_of_one_line(&present_roots(dir), &ledger.name(roots(&ledger.db))?) {
        return Ok(Err("its trust root has nothing in common with the installed one".to_owned()));
    }
    let staging = compare(dir, &ledger, examined)?;
    ledger.transact(|tx| set_meta(tx, "restored_by", actor))?;
    ledger.close()?;
    move_to(backup, &dir.join(STAGED))?;
    Ok(Ok(staging))
}

/// Versions and digests of trust roots.
type Roots = Vec<(u64, [u8; 32])>;

fn roots(db: &Connection) -> rusqlite::Result<Roots> {
    let mut statement = db.prepare("SELECT version, digest FROM roots ORDER BY version")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// The roots of the ledger in use; none where it cannot be read.
fn present_roots(dir: &Path) -> Roots {
    let path = dir.join(FILE);
    let opened = if path.exists() { copy::open_to_read(&path).ok() } else { None };
    opened.and_then(|db| roots(&db).ok()).unwrap_or_default()
}

/// Whether both are of one line of succession: they share a version, and none of those they share differs.
/// A ledger without a root is of any.
fn is_of_one_line(present: &Roots, restored: &Roots) -> bool {
    let shared = restored.iter().filter_map(|(version, digest)| {
        let (_, other) = present.iter().find(|(other, _)| other == version)?;
        Some(other == digest)
    });
    let shared: Vec<bool> = shared.collect();
    present.is_empty() || restored.is_empty() || !shared.is_empty() && shared.iter().all(|same| *same)
}

fn compare(dir: &Path, backup: &Ledger, examined: Examined) -> Result<Staging, StoreError> {
    let path = dir.join(FILE);
    let opened = if path.exists() { copy::open_to_read(&path).ok() } else { None };
    // A ledger that cannot be read has nothing that could be compared.
    let present =
        opened.and_then(|db| Some((audit::head(&db).ok()?, floors::all(&db).ok()?, in_force(&db).ok()?)));
    let after = backup.name(in_force(&backup.db))?;
    let (present, known, before) = match present {
        Some((head, floors, before)) => (Some(head), floors, before),
        None => (None, Vec::new(), Vec::new()),
    };
    let theirs = backup.floors()?;
    let beside = |floor: StoredFloor| {
        let other = theirs.iter().find(|other| other.id == floor.id).cloned();
        (floor, other)
    };
    let floors = floors::above(&known, &theirs).into_iter().map(beside).collect();
    Ok(Staging { examined, present, floors, changes: changes(before, after) })
}

type InForce = Vec<(SensorId, TransformRef)>;

fn changes(before: InForce, after: InForce) -> Vec<(SensorId, Option<TransformRef>, Option<TransformRef>)> {
    let mut all = std::collections::BTreeMap::<SensorId, (Option<TransformRef>, Option<TransformRef>)>::new();
    before.into_iter().for_each(|(sensor, transform)| all.entry(sensor).or_default().0 = Some(transform));
    after.into_iter().for_each(|(sensor, transform)| all.entry(sensor).or_default().1 = Some(transform));
    let differs =
        |(_, (before, after)): &(SensorId, (Option<TransformRef>, Option<TransformRef>))| before != after;
    all.into_iter().filter(differs).map(|(sensor, (before, after))| (sensor, before, after)).collect()
}

fn in_force(db: &Connection) -> rusqlite::Result<InForce> {
    let mut statement = db.prepare(
        "SELECT active.sensor, transforms.id, transforms.version, active.digest
         FROM active JOIN transforms USING (digest)",
    )?;
    let rows = statement.query_map([], |row| {
        let (id, version) = (super::trust::id(row, 1)?, row.get(2)?);
        Ok((super::trust::id(row, 0)?, TransformRef { id, version, digest: Digest(row.get(3)?) }))
    })?;
    rows.collect()
}

/// Puts a backup that waits in the place of the ledger, which is kept beside it.
///
/// Floors, the proven time, roots and sequence numbers are the newest of both; the rest is as in the backup.
/// Every step can be done again, so it can be interrupted anywhere.
pub fn apply(dir: &Path, now: Timestamp) -> Result<(), StoreError> {
    let (staged, place) = (dir.join(STAGED), dir.join(FILE));
    if !staged.exists() {
        return Ok(());
    }
    let mut ledger = match Ledger::at(&staged) {
        Ok(ledger) => ledger,
        Err(OpenError::Broken(fault)) => {
            let moved = file::put_aside(&staged, "broken", now)?;
            tracing::warn!("the backup cannot be restored ({fault}); it is now {}", moved.display());
            return Ok(());
        }
        Err(OpenError::Fatal(error)) => return Err(error),
    };
    ledger.take_over(now, Present::read(&place)?)?;
    ledger.close()?;
    let moved = file::put_aside(&place, "replaced", now)?;
    move_to(&staged, &place)?;
    tracing::warn!("the ledger is restored from a backup; the one before is kept as {}", moved.display());
    Ok(())
}

/// What a restored ledger must not fall behind.
struct Present {
    head: (u64, Digest),
    floors: Vec<StoredFloor>,
    time: Option<Timestamp>,
    command: Option<(u64, Digest)>,
    orders: Vec<StoredOrder>,
    manifests: Vec<StoredManifest>,
    priors: Vec<StoredPrior>,
    certificates: Vec<(String, Digest)>,
    installed: Vec<StoredRoot>,
    enrolment: Option<StoredEnrolment>,
    roots: Roots,
    /// Where local orders went back, and gaps that are not announced yet: neither may be forgotten.
    rolled_back: Vec<(String, Value)>,
    gaps: Vec<Gap>,
    /// Alerts of which the broker may hold a message.
    retained: Vec<String>,
    end: u64,
}

impl Present {
    /// What the ledger in use until now says; `None` if it is missing or broken.
    fn read(path: &Path) -> Result<Option<Present>, StoreError> {
        if !path.exists() {
            return Ok(None);
        }
        let ledger = match Ledger::at(path) {
            Ok(ledger) => ledger,
            Err(OpenError::Broken(_) | OpenError::Fatal(StoreError::TooNew { .. })) => return Ok(None),
            Err(OpenError::Fatal(error)) => return Err(error),
        };
        Ok(Some(Present {
            head: ledger.name(audit::head(&ledger.db))?,
            floors: ledger.floors()?,
            time: ledger.time_floor()?,
            command: ledger.name(commands::newest(&ledger.db))?,
            orders: ledger.orders()?,
            manifests: ledger.manifests()?,
            priors: ledger.priors()?,
            certificates: ledger.last_certificates()?,
            installed: ledger.roots()?,
            enrolment: ledger.enrolment()?,
            roots: ledger.name(roots(&ledger.db))?,
            rolled_back: ledger.name(rolled_back(&ledger.db))?,
            gaps: ledger.name(gaps(&ledger.db))?,
            retained: ledger.name(alerts::retained(&ledger.db))?,
            end: ledger.end()?,
        }))
    }
}

fn rolled_back(db: &Connection) -> rusqlite::Result<Vec<(String, Value)>> {
    let mut statement = db.prepare("SELECT key, value FROM meta WHERE key LIKE 'rolled_back %'")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

fn gaps(db: &Connection) -> rusqlite::Result<Vec<Gap>> {
    let mut statement = db.prepare("SELECT first, last, reason, sink FROM gaps ORDER BY first")?;
    statement.query_map([], gap_of)?.collect()
}

impl Ledger {
    /// Opens a ledger that has to be there already.
    fn at(path: &Path) -> Result<Ledger, OpenError> {
        let db = file::open(path, &LEDGER, true)?;
        let reserve = Reserve::of(path.parent().unwrap_or(Path::new(".")));
        let wal_index = Some(WalIndex::of(path));
        Ok(Ledger { path: path.to_path_buf(), db, wal_index, broken: None, reserve })
    }

    /// Closes the file as one that can be moved: nothing is left beside it.
    fn close(self) -> Result<(), StoreError> {
        let done = self.db.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()));
        self.name(done)
    }

    /// The last number that was reserved.
    fn end(&self) -> Result<u64, StoreError> {
        self.name(self.db.query_row("SELECT coalesce(max(last), 0) FROM blocks", [], |row| row.get(0)))
    }

    /// When this ledger was restored.
    pub fn restored(&self) -> Result<Option<Timestamp>, StoreError> {
        let micros: Option<i64> = self.name(self.meta("restored"))?;
        Ok(micros.and_then(Timestamp::from_micros))
    }

    /// Takes over what must not fall, and forgets the stream of numbers: the next start begins another.
    fn take_over(&mut self, now: Timestamp, present: Option<Present>) -> Result<(), StoreError> {
        let Some(actor) = self.name(self.meta::<String>("restored_by"))? else {
            // An interrupted start has come so far already.
            return Ok(());
        };
        let own = self.name(audit::head(&self.db))?;
        let own_roots = self.name(roots(&self.db))?;
        let foreign = present.as_ref().is_some_and(|present| !is_of_one_line(&present.roots, &own_roots));
        let newest = own_roots.last().map_or(0, |(version, _)| *version);
        let version = if foreign { 0 } else { newest };
        let (own_orders, own_manifests, own_priors) = (self.orders()?, self.manifests()?, self.priors()?);
        let later =
            present.as_ref().map_or(Ok(Vec::new()), |it| self.later_certificates(&it.certificates))?;
        let end = self.end()?.max(present.as_ref().map_or(0, |present| present.end));
        self.transact(|tx| {
            let mut detail = json!({ "rows": own.0, "head": own.1, "replaced": null });
            if let Some(present) = &present {
                let (rows, head) = present.head;
                detail["replaced"] = json!({ "rows": rows, "head": head });
                present.floors.iter().try_for_each(|floor| floors::raise(tx, floor))?;
                present.time.map_or(Ok(()), |time| raise_floor(tx, time))?;
                present.command.map_or(Ok(()), |command| commands::raise(tx, command))?;
                let orders = rollouts::newer(&present.orders, &own_orders);
                orders.iter().try_for_each(|order| rollouts::put(tx, order))?;
                let newer = manifests::newer(&present.manifests, &own_manifests);
                newer.iter().try_for_each(|manifest| manifests::put(tx, now, manifest))?;
                let newer = priors::newer(&present.priors, &own_priors);
                newer.iter().try_for_each(|prior| priors::put(tx, prior))?;
                later.iter().try_for_each(|last| certificates::put(tx, last))?;
                present.rolled_back.iter().try_for_each(|(key, value)| set_meta(tx, key, value))?;
                alerts::may_be_retained(tx, &present.retained)?;
            }
            // Those of the backup have been announced since, or are of a stream that has ended.
            tx.execute("DELETE FROM gaps", [])?;
            present.iter().flat_map(|present| &present.gaps).try_for_each(|gap| add_gap(tx, gap))?;
            if foreign {
                // A root that came after the backup was checked: whoever was trusted stays.
                tx.execute("DELETE FROM roots", [])?;
            }
            audit::append(tx, now, &actor, "ledger.restored", FILE, &detail.to_string())?;
            let installed = present.iter().flat_map(|present| &present.installed);
            installed.filter(|root| root.version > version).try_for_each(|root| keep_root(tx, now, root))?;
            let enrolled = enrolments::newest(tx)?.map_or(0, |enrolment| enrolment.version);
            let enrolment = present.iter().find_map(|present| present.enrolment.as_ref());
            if let Some(newer) = enrolment.filter(|enrolment| enrolment.version > enrolled) {
                enrolments::accept(tx, now, newer, "calibd")?;
            }
            tx.execute("DELETE FROM blocks", [])?;
            super::blocks::add_block(tx, Block { first: end, last: end })?;
            tx.execute(
                "DELETE FROM meta WHERE key IN ('incarnation', 'incarnation_first', 'clean_next', 'restored_by')",
                [],
            )?;
            // Until the history is open, which holds it: see `note_replaced_checkpoint`.
            set_meta(tx, REPLACED_CHECKPOINT, Vec::<u8>::new())?;
            set_meta(tx, "restored", now.as_micros())
        })
    }

    /// After a restore, keeps which checkpoint was the last of the ledger before; nothing otherwise.
    pub fn note_replaced_checkpoint(&mut self, last: Option<Head>) -> Result<(), StoreError> {
        if self.name(self.meta::<Vec<u8>>(REPLACED_CHECKPOINT))?.is_none_or(|digest| !digest.is_empty()) {
            return Ok(());
        }
        self.transact(|tx| match last {
            Some((_, digest)) => set_meta(tx, REPLACED_CHECKPOINT, digest.0),
            None => tx.execute("DELETE FROM meta WHERE key = ?", [REPLACED_CHECKPOINT]).map(drop),
        })
    }

    /// The end of the audit in the last checkpoint of the ledger that a restore has replaced.
    pub fn replaced_checkpoint(&self) -> Result<Option<Digest>, StoreError> {
        let digest = self.name(self.meta::<Vec<u8>>(REPLACED_CHECKPOINT))?;
        Ok(digest.and_then(|digest| digest.try_into().ok()).map(Digest))
    }
}

fn keep_root(tx: &Transaction<'_>, now: Timestamp, root: &StoredRoot) -> rusqlite::Result<()> {
    let values = rusqlite::params![root.version, root.digest.0, root.envelope, now.as_micros()];
    tx.execute("INSERT INTO roots VALUES (?, ?, ?, ?)", values)?;
    let (subject, detail) = (root.version.to_string(), json!({ "digest": root.digest }).to_string());
    audit::append(tx, now, "calibd", "root.installed", &subject, &detail)
}

/// Moves a file and has the directory remember it.
fn move_to(from: &Path, to: &Path) -> Result<(), StoreError> {
    let synced = std::fs::File::open(from).and_then(|file| file.sync_all());
    let moved = synced.and_then(|()| std::fs::rename(from, to));
    let dir: PathBuf = to.parent().unwrap_or(Path::new(".")).to_path_buf();
    let kept = moved.and_then(|()| std::fs::File::open(dir)).and_then(|dir| dir.sync_all());
    kept.map_err(|error| StoreError::file(to, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_of_one_line_where_they_share_a_version_and_differ_in_none() {
        let line = |roots: &[(u64, u8)]| roots.iter().map(|(v, d)| (*v, [*d; 32])).collect::<Roots>();
        let present = line(&[(1, 1), (2, 2)]);
        for (restored, fits) in [
            (line(&[]), true),
            (line(&[(1, 1)]), true),
            (line(&[(2, 2), (3, 3)]), true),
            (line(&[(99, 9)]), false),
            (line(&[(1, 1), (2, 9)]), false),
        ] {
            assert_eq!(is_of_one_line(&present, &restored), fits, "{restored:?}");
        }
        assert!(is_of_one_line(&line(&[]), &line(&[(99, 9)])));
    }
}
