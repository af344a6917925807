//! What can go wrong in the store.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::disk;

/// Says what the store could not do, where, and what helps.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused.
    #[error("{}: {source}", path.display())]
    Sql {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// A file could not be made, moved or read.
    #[error("{}: {source}; give the service user read and write access to it", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Nothing can be written.
    #[error(
        "{}: read-only; see what the kernel's log says of the disk, mount its file system writable and give the service user write access",
        path.display()
    )]
    ReadOnly {
        /// The file or directory.
        path: PathBuf,
    },
    /// A newer calibd wrote the file.
    #[error(
        "{}: written by a newer calibd (schema {found}, this one knows up to {known}); install that version again or move the file away",
        path.display()
    )]
    TooNew {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema this version knows.
        known: i64,
    },
    /// Another process has the directory.
    #[error("{}: in use by another calibd; stop it or set another store.dir", path.display())]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// The ledger cannot be used, so nothing can be activated.
    #[error(
        "the ledger is broken ({0}): transforms and roots are refused until it is restored from a backup"
    )]
    LedgerBroken(String),
    /// Too many requests wait, or one has waited for too long; nothing of it was done.
    #[error("the store has too much to do, or its disk does not answer; try again")]
    Busy,
    /// The store was closed, or its thread is gone.
    #[error("the store is closed")]
    Closed,
    /// A deadline passed first.
    #[error("the store did not finish in time; readings of the last moments may be missing")]
    Deadline,
}

impl StoreError {
    /// An SQLite error of the database at `path`.
    pub(crate) fn sql(path: &Path, source: rusqlite::Error) -> StoreError {
        use rusqlite::ErrorCode::{CannotOpen, ReadOnly, SystemIoFailure};
        let path = path.to_path_buf();
        match source.sqlite_error_code() {
            Some(ReadOnly) => StoreError::ReadOnly { path },
            // A file system that turned read-only under open files answers with a mere failure to write.
            Some(SystemIoFailure | CannotOpen) if disk::is_read_only(&path) => StoreError::ReadOnly { path },
            _ => StoreError::Sql { path, source },
        }
    }

    /// An I/O error at `path`.
    pub(crate) fn file(path: &Path, source: std::io::Error) -> StoreError {
        let path = path.to_path_buf();
        match source.kind() {
            ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly { path },
            _ => StoreError::File { path, source },
        }
    }

    /// What kind of failure this is to a commit.
    pub(crate) fn kind(&self) -> FailureKind {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull, NotADatabase};
        let source = match self {
            StoreError::Sql { source, .. } => source,
            StoreError::ReadOnly { .. } => return FailureKind::ReadOnly,
            _ => return FailureKind::Io,
        };
        match source.sqlite_error_code() {
            Some(DiskFull) => FailureKind::DiskFull,
            Some(DatabaseBusy | DatabaseLocked) => FailureKind::Busy,
            Some(DatabaseCorrupt | NotADatabase) => FailureKind::Corrupt,
            _ => FailureKind::Io,
        }
    }
}

/// Why a commit failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// No space is left, or the file has reached its largest size.
    DiskFull,
    /// Another process holds the database.
    Busy,
    /// The file is broken; a new one is started.
    Corrupt,
    /// The file system, or a file, is read-only.
    ReadOnly,
    /// Reading or writing failed.
    Io,
}

impl FailureKind {
    /// The kind's name, for metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            FailureKind::DiskFull => "disk_full",
            FailureKind::Busy => "busy",
            FailureKind::Corrupt => "corrupt",
            FailureKind::ReadOnly => "read_only",
            FailureKind::Io => "io",
        }
    }

    /// What to do about it, as a sentence without its full stop.
    pub fn remedy(self) -> &'static str {
        match self {
            FailureKind::DiskFull => "free space on the disk of store.dir",
            FailureKind::Busy => "end whatever else has opened the files in store.dir for writing",
            FailureKind::Corrupt => "replace the disk of store.dir: what is written to it does not stay",
            FailureKind::ReadOnly => {
                "see what the kernel's log says of the disk of store.dir, and mount it writable"
            }
            FailureKind::Io => "see what the log and the kernel's log say of the disk of store.dir",
        }
    }
}
