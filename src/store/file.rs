//! Opening one database file: is it ours, is it whole, is it of this version.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use rustix::fs::FallocateFlags;

use super::error::StoreError;
use crate::domain::order;
use crate::domain::time::Timestamp;

/// How many broken histories are kept beside the new one.
const KEPT_BROKEN: usize = 2;

/// How often, and how far apart, the directory's lock is tried.
const LOCK_ATTEMPTS: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// What kind of database a file has to be.
pub struct Kind {
    /// What it is called in messages.
    pub name: &'static str,
    /// Marks the file as one of calibd's.
    pub application_id: i32,
    /// Page size in bytes of a new file.
    pub page_size: u32,
    /// Frames in the WAL that make a checkpoint.
    pub checkpoint: u32,
    /// What brings schema `n` to `n + 1`.
    pub migrations: &'static [&'static str],
}

/// Why a file could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// The file is torn, foreign or corrupt.
    Broken(String),
    /// Going on would be wrong.
    Fatal(StoreError),
}

/// What SQLite maps of a WAL's index at once, in bytes: enough for what the WALs have at a checkpoint, unless a long reader
/// keeps one from being written again from its beginning.
const INDEX: u64 = 32 << 10;

/// The index of a database's WAL, with room on the disk for all of it.
///
/// SQLite maps that file, and makes room by writing one byte in each 4 KiB. Where the file system has smaller blocks, the
/// others have none, and touching them on a full disk ends the process (SIGBUS).
///
/// Closing the file takes SQLite's locks on it away: whoever holds the connection drops this after it.
#[derive(Debug)]
pub struct WalIndex(#[expect(dead_code, reason = "held, not used")] Option<File>);

impl WalIndex {
    /// Makes the room, for a database that is open.
    pub fn of(database: &Path) -> WalIndex {
        let mut path = database.as_os_str().to_owned();
        path.push("-shm");
        let file = File::options().read(true).write(true).open(path).ok();
        if let Some(file) = &file {
            // File systems that cannot do this have blocks of their own kind, and a disk that is full already has no room to give.
            let _ = rustix::fs::fallocate(file, FallocateFlags::empty(), 0, INDEX);
        }
        WalIndex(file)
    }
}

/// Holds the directory for one process; the lock ends with the process, however that ends.
pub fn lock(dir: &Path) -> Result<File, StoreError> {
    std::fs::create_dir_all(dir).map_err(|source| StoreError::file(dir, source))?;
    let path = dir.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|source| StoreError::file(&path, source))?;
    for attempt in 0.. {
        match file.try_lock() {
            Ok(()) => break,
            // The process before this one may be just ending.
            Err(TryLockError::WouldBlock) if attempt < LOCK_ATTEMPTS => pause(),
            Err(TryLockError::WouldBlock) => return Err(StoreError::InUse { path: dir.to_path_buf() }),
            Err(TryLockError::Error(source)) => return Err(StoreError::file(&path, source)),
        }
    }
    Ok(file)
}

#[expect(clippy::disallowed_methods, reason = "the store is opened before anything else runs")]
fn pause() {
    std::thread::sleep(LOCK_PAUSE);
}

/// Opens the database at `path`, or makes it; with `check` every page of an old one is read.
pub fn open(path: &Path, kind: &Kind, check: bool) -> Result<Connection, OpenError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(|error| judge(path, error))?;
    prepare(&db, path, kind, check)?;
    Ok(db)
}

/// A database of this kind in memory, for as long as the process lives.
pub fn in_memory(kind: &Kind) -> Result<Connection, StoreError> {
    let path = Path::new(":memory:");
    let db = Connection::open_in_memory().map_err(|error| StoreError::sql(path, error))?;
    migrate(&db, path, kind, 0)?;
    Ok(db)
}

fn prepare(db: &Connection, path: &Path, kind: &Kind, check: bool) -> Result<(), OpenError> {
    let sql = |error| judge(path, error);
    db.busy_timeout(Duration::from_secs(2)).map_err(sql)?;
    // Order matters: the page size and auto_vacuum of a new file are fixed before anything is read or
    // written. In an old one the latter would be a write, to a file that nobody has checked yet.
    if std::fs::metadata(path).map_or(true, |file| file.len() == 0) {
        db.pragma_update(None, "page_size", kind.page_size).map_err(sql)?;
        db.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(sql)?;
    }
    let application: i32 = db.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(sql)?;
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(sql)?;
    let tables: i64 =
        db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(sql)?;
    let new = application == 0 && version == 0 && tables == 0;
    if !new && application != kind.application_id {
        return Err(OpenError::Broken(format!("the file is not calibd's {}", kind.name)));
    }
    let known = kind.migrations.len() as i64;
    if version > known {
        let path = path.to_path_buf();
        return Err(OpenError::Fatal(StoreError::TooNew { path, found: version, known }));
    }
    if !new && check {
        quick_check(db, path)?;
    }
    db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).map_err(sql)?;
    // FULL: the promise is that a committed row survives a power cut, so every commit is synced.
    db.pragma_update(None, "synchronous", "FULL").map_err(sql)?;
    db.pragma_update(None, "wal_autocheckpoint", kind.checkpoint).map_err(sql)?;
    // A WAL that grew beyond twice its usual size is cut back at the next checkpoint.
    let limit = u64::from(kind.checkpoint) * u64::from(kind.page_size) * 2;
    db.pragma_update(None, "journal_size_limit", limit as i64).map_err(sql)?;
    db.pragma_update(None, "temp_store", "MEMORY").map_err(sql)?;
    db.pragma_update(None, "cache_size", -1024).map_err(sql)?;
    migrate(db, path, kind, version).map_err(OpenError::Fatal)
}

fn quick_check(db: &Connection, path: &Path) -> Result<(), OpenError> {
    let answer: Result<String, _> = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    match answer {
        Ok(answer) if answer == "ok" => Ok(()),
        Ok(fault) => Err(OpenError::Broken(fault)),
        Err(error) => Err(judge(path, error)),
    }
}

fn migrate(db: &Connection, path: &Path, kind: &Kind, version: i64) -> Result<(), StoreError> {
    let sql = |error| StoreError::sql(path, error);
    let version = usize::try_from(version).unwrap_or(0);
    for (number, migration) in kind.migrations.iter().enumerate().skip(version) {
        let tx = db.unchecked_transaction().map_err(sql)?;
        tx.execute_batch(migration).map_err(sql)?;
        tx.pragma_update(None, "application_id", kind.application_id).map_err(sql)?;
        tx.pragma_update(None, "user_version", number as i64 + 1).map_err(sql)?;
        tx.commit().map_err(sql)?;
    }
    Ok(())
}

/// Tells a broken file from trouble around it.
fn judge(path: &Path, error: rusqlite::Error) -> OpenError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => OpenError::Broken(error.to_string()),
        _ => OpenError::Fatal(StoreError::sql(path, error)),
    }
}

/// The file beside `path` that SQLite names with `suffix`.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Moves a broken database aside; older ones beyond a few are deleted, so that a failing card does not
/// fill up with them.
pub fn quarantine(path: &Path, now: Timestamp) -> Result<PathBuf, StoreError> {
    let target = put_aside(path, "broken", now)?;
    forget_older(&target, &path.file_stem().unwrap_or_default().to_string_lossy());
    Ok(target)
}

/// Moves a database aside, its -wal and -shm with it, under a name with a word and the time.
pub fn put_aside(path: &Path, word: &str, now: Timestamp) -> Result<PathBuf, StoreError> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let time: String = now.to_string().chars().filter(char::is_ascii_alphanumeric).collect();
    let mut target = path.with_file_name(format!("{stem}-{word}-{time}.db"));
    for number in 2.. {
        if !target.exists() {
            break;
        }
        target = path.with_file_name(format!("{stem}-{word}-{time}-{number}.db"));
    }
    for suffix in ["", "-wal", "-shm"] {
        let from = beside(path, suffix);
        match std::fs::rename(&from, beside(&target, suffix)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::file(&from, error));
            }
            _ => {}
        }
    }
    Ok(target)
}

fn forget_older(newest: &Path, stem: &str) {
    let prefix = format!("{stem}-broken-");
    let Some(Ok(entries)) = newest.parent().map(std::fs::read_dir) else { return };
    let mut broken: Vec<(std::time::SystemTime, PathBuf)> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "db"))
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .filter(|(_, path)| path != newest)
        .collect();
    order::sort_by(&mut broken, |one, other| other.cmp(one));
    for (_, path) in broken.into_iter().skip(KEPT_BROKEN - 1) {
        for suffix in ["", "-wal", "-shm"] {
            // What cannot be deleted stays: it does no harm but the space it takes.
            let _ = std::fs::remove_file(beside(&path, suffix));
        }
    }
}
