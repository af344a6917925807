//! Whether a ledger is whole: its pages, the chain of its audit, and every envelope in it.

use std::collections::HashMap;

use rusqlite::{Connection, Row};
use serde_json::Value;

use super::audit::stored_row;
use crate::domain::audit::Chain;
use crate::domain::digest::Digest;
use crate::domain::time::Timestamp;
use crate::domain::trust::certificate::verify_kept as verify_kept_certificate;
use crate::domain::trust::enrolment::{Enrolment, verify_kept as verify_kept_enrolment};
use crate::domain::trust::manifest::{Manifest, verify_kept as verify_kept_manifest};
use crate::domain::trust::prior::{ModelPrior, verify_kept as verify_kept_prior};
use crate::domain::trust::reason::Refusal;
use crate::domain::trust::root::Root;
use crate::domain::trust::verify::verify_kept;

/// Steps between two reports of the progress.
const STEP: u64 = 64;

/// The actions whose rows name a transform.
const NAMING: [&str; 3] = ["transform.accepted", "transform.activated", "transform.rolled_back"];

/// What a whole ledger holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Examined {
    /// Rows of the audit, and the hash of the last one.
    pub chain: Chain,
    /// When the last row was written.
    pub last: Option<Timestamp>,
    /// Installed roots.
    pub roots: u64,
    /// The newest of them.
    pub root: Option<Root>,
    /// Accepted transforms.
    pub transforms: u64,
}

/// Where a ledger is not whole, or why that cannot be told.
#[derive(Debug)]
pub enum Fault {
    /// It is not; a sentence says where.
    Found(String),
    /// It cannot be read.
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Fault {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match error.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => Fault::Found(error.to_string()),
            _ => Fault::Sql(error),
        }
    }
}

/// Checks everything that can be checked without knowing the gateway; `progress` is told how much of how much
/// is done.
pub fn examine(db: &Connection, progress: &mut dyn FnMut(u64, u64)) -> Result<Examined, Fault> {
    // One moment of the ledger, whatever is written meanwhile.
    let tx = db.unchecked_transaction()?;
    let count = |table: &str| -> rusqlite::Result<u64> {
        tx.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
    };
    let tables = ["roots", "enrolments", "manifests", "priors", "certificates", "transforms", "audit"];
    let total = tables.into_iter().map(count).sum::<rusqlite::Result<u64>>()?;
    let mut done = 0;
    let mut step = || {
        done += 1;
        if done % STEP == 0 || done == total {
            progress(done, total);
        }
    };
    pages(&tx)?;
    let roots = roots(&tx, &mut step)?;
    enrolments(&tx, &roots, &mut step)?;
    manifests(&tx, &roots, &mut step)?;
    priors(&tx, &roots, &mut step)?;
    certificates(&tx, &mut step)?;
    let mut audited = transforms(&tx, &roots, &mut step)?;
    let (chain, last) = rows(&tx, &mut audited, &mut step)?;
    if let Some((digest, _)) = audited.iter().find(|(_, audited)| !**audited) {
        return Err(Fault::Found(format!("the audit does not say that transform {digest} was accepted")));
    }
    in_force(&tx, &audited)?;
    let (count, transforms) = (roots.len() as u64, audited.len() as u64);
    Ok(Examined { chain, last, roots: count, root: roots.into_iter().next(), transforms })
}

fn pages(db: &Connection) -> Result<(), Fault> {
    let answer: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if answer == "ok" { Ok(()) } else { Err(Fault::Found(answer)) }
}

/// The roots, the newest first.
fn roots(db: &Connection, step: &mut dyn FnMut()) -> Result<Vec<Root>, Fault> {
    let mut found = Vec::new();
    let mut statement = db.prepare("SELECT version, digest, envelope FROM roots ORDER BY version DESC")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (version, stored): (u64, Digest) = (row.get(0)?, digest(row, 1)?);
        let fault = |text: String| Fault::Found(format!("trust root {version}: {text}"));
        let verified = Root::verify_first(&row.get::<_, Vec<u8>>(2)?, None);
        let (root, digest) = verified.map_err(|refusal| fault(refusal.to_string()))?;
        if digest != stored || root.version != version {
            return Err(fault("is stored under another digest or version than its own".to_owned()));
        }
        found.push(root);
        step();
    }
    Ok(found)
}

/// Every enrolment was good under one of the roots.
fn enrolments(db: &Connection, roots: &[Root], step: &mut dyn FnMut()) -> Result<(), Fault> {
    let mut statement = db.prepare("SELECT version, digest, envelope FROM enrolments")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let version: u64 = row.get(0)?;
        let same = |enrolment: &Enrolment| enrolment.version == version;
        stands(&format!("enrolment {version}"), row, roots, verify_kept_enrolment, same)?;
        step();
    }
    Ok(())
}

/// Every manifest of which there is more than the version was good under one of the roots.
fn manifests(db: &Connection, roots: &[Root], step: &mut dyn FnMut()) -> Result<(), Fault> {
    let mut statement = db.prepare("SELECT version, digest, envelope, branch FROM manifests")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (version, branch): (u64, String) = (row.get(0)?, row.get(3)?);
        let same = |it: &Manifest| it.branch.to_string() == branch && it.version == version;
        stands(&format!("manifest {version} of {branch}"), row, roots, verify_kept_manifest, same)?;
        step();
    }
    Ok(())
}

/// Every prior of which there is more than the version was good under one of the roots.
fn priors(db: &Connection, roots: &[Root], step: &mut dyn FnMut()) -> Result<(), Fault> {
    let mut statement = db.prepare("SELECT version, digest, envelope, model FROM priors")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (version, model): (u64, String) = (row.get(0)?, row.get(3)?);
        let same = |prior: &ModelPrior| prior.model == model && prior.version == version;
        stands(&format!("prior {version} of {model}"), row, roots, verify_kept_prior, same)?;
        step();
    }
    Ok(())
}

/// Checks an envelope by a root; its digest, and what it says.
type Kept<T> = fn(&[u8], &Root) -> Result<(Digest, T), Refusal>;

/// Digest and envelope of a row, in its second and third columns, are of what one of the roots lets stand.
fn stands<T>(
    what: &str,
    row: &Row<'_>,
    roots: &[Root],
    kept: Kept<T>,
    same: impl Fn(&T) -> bool,
) -> Result<(), Fault> {
    let (stored, envelope): (Digest, Option<Vec<u8>>) = (digest(row, 1)?, row.get(2)?);
    let good = |envelope: Vec<u8>| {
        let by = |root: &Root| kept(&envelope, root).is_ok_and(|(own, it)| own == stored && same(&it));
        roots.iter().any(by)
    };
    if envelope.is_none_or(good) {
        return Ok(());
    }
    Err(Fault::Found(format!("{what} ({stored}): is not what one of the trust roots lets stand")))
}

/// Every certificate is as it was signed.
fn certificates(db: &Connection, step: &mut dyn FnMut()) -> Result<(), Fault> {
    let mut statement = db.prepare("SELECT number, digest, envelope FROM certificates")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (number, stored): (String, Digest) = (row.get(0)?, digest(row, 1)?);
        let fault = |text: String| Fault::Found(format!("certificate {number}: {text}"));
        let kept = verify_kept_certificate(&row.get::<_, Vec<u8>>(2)?);
        let (own, named) = kept.map_err(|refusal| fault(refusal.to_string()))?;
        if own != stored || named != number {
            return Err(fault("is stored under another digest or number than its own".to_owned()));
        }
        step();
    }
    Ok(())
}

/// The digests of the accepted transforms, none of them found in the audit yet.
fn transforms(
    db: &Connection,
    roots: &[Root],
    step: &mut dyn FnMut(),
) -> Result<HashMap<Digest, bool>, Fault> {
    let mut found = HashMap::new();
    let mut statement = db.prepare("SELECT digest, id, epoch, version, envelope FROM transforms")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let stored = digest(row, 0)?;
        let named: (String, u64, u64) = (row.get(1)?, row.get(2)?, row.get(3)?);
        transform(&row.get::<_, Vec<u8>>(4)?, stored, &named, roots)
            .map_err(|text| Fault::Found(format!("transform {} {} ({stored}): {text}", named.0, named.2)))?;
        found.insert(stored, false);
        step();
    }
    Ok(found)
}

/// A transform was good under one of the roots that were installed.
fn transform(
    envelope: &[u8],
    stored: Digest,
    (id, epoch, version): &(String, u64, u64),
    roots: &[Root],
) -> Result<(), String> {
    let mut refusal = "the ledger has no trust root that it could be checked with".to_owned();
    for root in roots {
        match verify_kept(envelope, root) {
            Ok((digest, transform)) => {
                let same = digest == stored
                    && (transform.id.as_str(), transform.epoch, transform.version)
                        == (id.as_str(), *epoch, *version);
                let other = "is stored under another digest, id or version than its own".to_owned();
                return if same { Ok(()) } else { Err(other) };
            }
            Err(refused) => refusal = refused.to_string(),
        }
    }
    Err(refusal)
}

/// The chain of the audit; notes which transforms it names.
fn rows(
    db: &Connection,
    audited: &mut HashMap<Digest, bool>,
    step: &mut dyn FnMut(),
) -> Result<(Chain, Option<Timestamp>), Fault> {
    let (mut chain, mut last) = (Chain::default(), None);
    let sql = "SELECT seq, time, actor, action, subject, detail, prev_hash, hash FROM audit ORDER BY seq";
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let broken = |error: crate::domain::audit::ChainError| Fault::Found(error.to_string());
        let stored = stored_row(row)?.map_err(broken)?;
        chain.push(&stored, &digest(row, 6)?, &digest(row, 7)?).map_err(broken)?;
        if NAMING.contains(&stored.action.as_str()) {
            let detail: Option<Value> = serde_json::from_str(&stored.detail).ok();
            let named = detail.and_then(|detail| Digest::parse(detail["digest"].as_str()?).ok());
            let known = named.and_then(|named| audited.get_mut(&named));
            let missing = || Fault::Found(format!("audit row {} names a transform that is gone", stored.seq));
            *known.ok_or_else(missing)? |= stored.action == "transform.accepted";
        }
        last = Some(stored.time);
        step();
    }
    Ok((chain, last))
}

fn in_force(db: &Connection, known: &HashMap<Digest, bool>) -> Result<(), Fault> {
    let mut statement = db.prepare("SELECT digest, sensor FROM active")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if !known.contains_key(&digest(row, 0)?) {
            let sensor: String = row.get(1)?;
            return Err(Fault::Found(format!(
                "the transform in force at {sensor} is not among the accepted ones"
            )));
        }
    }
    Ok(())
}

fn digest(row: &Row<'_>, column: usize) -> Result<Digest, Fault> {
    row.get(column).map(Digest).map_err(|_| Fault::Found("a digest is not 32 bytes long".to_owned()))
}
