//! What can go wrong in the store.

use std::path::{Path, PathBuf};

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
        StoreError::Sql { path: path.to_path_buf(), source }
    }

    /// An I/O error at `path`.
    pub(crate) fn file(path: &Path, source: std::io::Error) -> StoreError {
        StoreError::File { path: path.to_path_buf(), source }
    }

    /// What kind of failure this is to a commit.
    pub(crate) fn kind(&self) -> FailureKind {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull, NotADatabase};
        let StoreError::Sql { source, .. } = self else { return FailureKind::Io };
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
            FailureKind::Io => "io",
        }
    }
}
