//! A copy of the ledger, made while it is in use.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::examine::{Examined, Fault, examine};
use crate::domain::digest::{Digest, Hasher};
use crate::store::error::StoreError;
use crate::store::file::beside;

/// How long a reader waits for a moment in which nobody writes.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens a ledger beside its owner, to read only.
pub fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(path, flags).and_then(|db| {
        db.busy_timeout(PATIENCE)?;
        Ok(db)
    });
    opened.map_err(|error| StoreError::sql(path, error))
}

/// Where a copy is made, and where a backup is received.
const PASSING: [&str; 2] = [COPY, UPLOAD];
const COPY: &str = "ledger-copy.tmp";
/// A backup that is being received.
pub const UPLOAD: &str = "ledger-upload.tmp";

/// Removes what an attempt left that a power cut has ended.
pub fn clear_passing(dir: &Path) -> Result<(), StoreError> {
    let clear = |path: PathBuf| clear(&path).map_err(|error| StoreError::file(&path, error));
    PASSING.iter().try_for_each(|name| clear(dir.join(name)))
}

/// A file that is there only until it is dropped.
#[derive(Debug)]
pub struct Passing(pub PathBuf);

impl Passing {
    /// An empty file that only its owner may read, in place of what an interrupted attempt left there.
    pub fn new(path: PathBuf) -> Result<(Passing, File), StoreError> {
        let fault = |error| StoreError::file(&path, error);
        clear(&path).map_err(fault)?;
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).mode(0o600).open(&path).map_err(fault)?;
        Ok((Passing(path), file))
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        // What cannot be removed stays until the next attempt.
        let _ = clear(&self.0);
    }
}

/// Removes a database and what SQLite may have left beside it.
fn clear(path: &Path) -> std::io::Result<()> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        match std::fs::remove_file(beside(path, suffix)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// A whole ledger in a file without a name.
#[derive(Debug)]
pub struct Copy {
    /// At its beginning.
    pub file: File,
    /// Its length in bytes.
    pub length: u64,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
    /// What it holds.
    pub examined: Examined,
}

/// Copies the ledger at `path` as it is at one moment; commits go on meanwhile. The copy is examined.
pub fn copy(path: &Path) -> Result<Result<Copy, String>, StoreError> {
    let (target, mut file) = Passing::new(path.with_file_name(COPY))?;
    let sql = |error| StoreError::sql(path, error);
    let name = target.0.to_string_lossy().into_owned();
    open_to_read(path)?.execute("VACUUM INTO ?", [name]).map_err(sql)?;
    let examined = match examine(&open_to_read(&target.0)?, &mut |_, _| {}) {
        Ok(examined) => examined,
        Err(Fault::Found(fault)) => return Ok(Err(fault)),
        Err(Fault::Sql(error)) => return Err(StoreError::sql(&target.0, error)),
    };
    let (length, sha256) = hash(&mut file).map_err(|error| StoreError::file(&target.0, error))?;
    Ok(Ok(Copy { file, length, sha256, examined }))
}

fn hash(file: &mut File) -> std::io::Result<(u64, Digest)> {
    let (mut hasher, mut length) = (Hasher::default(), 0);
    let mut buffer = vec![0; 1 << 16];
    file.rewind()?;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
        length += read as u64;
    }
    file.rewind()?;
    Ok((length, hasher.finish()))
}
