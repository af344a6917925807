//! The file system under the store: how much is free, what that means, and what is kept for the ledger.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

const MIB: u64 = 1 << 20;
/// Kept for the ledger: a hundred of its transactions, were none of their space used again.
const RESERVE: u64 = MIB;

/// What the free space calls for, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Stage {
    /// Nothing.
    #[default]
    Ok,
    /// Somebody should make room.
    Low,
    /// The oldest readings are deleted before their time.
    Retention,
    /// In addition the history does not grow, and takes raw values only.
    RawOnly,
}

impl Stage {
    /// Every stage, from best to worst.
    pub const ALL: [Stage; 4] = [Stage::Ok, Stage::Low, Stage::Retention, Stage::RawOnly];

    /// The stage's name, for JSON, metrics and logs.
    pub fn as_str(self) -> &'static str {
        ["ok", "low", "retention", "raw_only"][self as usize]
    }

    /// What is lost while the stage lasts; `None`: nothing.
    pub fn loss(self) -> Option<&'static str> {
        match self {
            Stage::Ok | Stage::Low => None,
            Stage::Retention => Some("the oldest readings are deleted before their time"),
            Stage::RawOnly => Some("readings are stored without their calibrated values"),
        }
    }

    /// The stage after `space` has been measured. A better one is reached only a quarter above the
    /// limit of the worse one, so that it does not flutter.
    pub fn next(self, space: Space) -> Stage {
        let worst = |free: u64| {
            let below = |stage: &&Stage| free < space.limit(**stage);
            Stage::ALL.iter().rev().find(below).copied().unwrap_or_default()
        };
        let falls = worst(space.free);
        let rises = worst(space.free / 5 * 4);
        falls.max(rises.min(self))
    }
}

/// The room on a file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Free for the service user.
    pub free: u64,
    /// The file system's size.
    pub total: u64,
}

impl Space {
    /// Asks the system about the file system of `path`.
    pub fn of(path: &Path) -> io::Result<Space> {
        let found = rustix::fs::statvfs(path)?;
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        Ok(Space { free: bytes(found.f_bavail), total: bytes(found.f_blocks) })
    }

    /// With less than this free the stage begins.
    fn limit(self, stage: Stage) -> u64 {
        let low = (self.total / 20).clamp(64 * MIB, 1024 * MIB).min(self.total / 4);
        match stage {
            Stage::Ok => 0,
            Stage::Low => low,
            Stage::Retention => low / 2,
            Stage::RawOnly => low / 4,
        }
    }
}

/// The disk as last measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// What its free space calls for.
    pub stage: Stage,
    /// Its room.
    pub space: Space,
}

/// Whether the file system of a file in the store's directory takes no writes. Nothing is written to find out.
pub fn is_read_only(file: &Path) -> bool {
    // Not the file itself: closing it would take SQLite's locks on it away from this process.
    let lock = file.with_file_name("lock");
    let opened = File::options().write(true).open(lock);
    opened.is_err_and(|error| error.kind() == ErrorKind::ReadOnlyFilesystem)
}

/// A file whose only use is to be deleted when the ledger finds no room.
#[derive(Debug)]
pub struct Reserve(PathBuf);

impl Reserve {
    /// The reserve in the store's directory.
    pub fn of(dir: &Path) -> Reserve {
        Reserve(dir.join("reserve"))
    }

    /// Sets aside what is not yet set aside, or as much of it as there is room for.
    pub fn keep(&self) {
        if std::fs::metadata(&self.0).is_ok_and(|file| file.len() >= RESERVE) {
            return;
        }
        // A disk that takes none of it has none to give: the ledger then has what others leave.
        if let Ok(mut file) = File::create(&self.0) {
            let _ = io::copy(&mut io::repeat(0).take(RESERVE), &mut file);
        }
    }

    /// Gives it away; says whether that made room.
    pub fn release(&self) -> bool {
        std::fs::metadata(&self.0).is_ok_and(|file| file.len() > 0) && std::fs::remove_file(&self.0).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1024 * MIB;

    fn limits(total: u64) -> [u64; 3] {
        [Stage::Low, Stage::Retention, Stage::RawOnly].map(|stage| Space { free: 0, total }.limit(stage))
    }

    #[test]
    fn limits_are_shares_with_bounds() {
        assert_eq!(limits(8 * GIB), [8 * GIB / 20, 8 * GIB / 40, 8 * GIB / 80]);
        assert_eq!(limits(1000 * GIB), [GIB, GIB / 2, GIB / 4]);
        assert_eq!(limits(512 * MIB), [64 * MIB, 32 * MIB, 16 * MIB]);
        assert_eq!(limits(64 * MIB), [16 * MIB, 8 * MIB, 4 * MIB]);
        assert_eq!(limits(0), [0; 3]);
    }

    #[test]
    fn stages_follow_the_free_space_and_do_not_flutter() {
        // Limits at 64, 32 and 16 MiB.
        let mut stage = Stage::Ok;
        let stages = [70, 63, 65, 79, 81, 40, 31, 33, 41, 15, 19, 21, 0, 500].map(|free| {
            stage = stage.next(Space { free: free * MIB, total: GIB });
            stage.as_str()
        });
        let (ok, low, retention, raw_only) = ("ok", "low", "retention", "raw_only");
        let wanted = [
            ok, low, low, low, ok, low, retention, retention, low, raw_only, raw_only, retention, raw_only,
            ok,
        ];
        assert_eq!(stages, wanted);
    }

    #[test]
    fn this_machine_has_a_disk_that_takes_writes() {
        let dir = tempfile::tempdir().unwrap();
        let space = Space::of(dir.path()).unwrap();
        assert!(space.free > 0 && space.free <= space.total, "{space:?}");
        assert!(!is_read_only(&dir.path().join("history.db")));
        assert!(Space::of(Path::new("/nowhere/at/all")).is_err());
    }

    #[test]
    fn the_reserve_is_kept_once_and_given_once() {
        let dir = tempfile::tempdir().unwrap();
        let reserve = Reserve::of(dir.path());
        assert!(!reserve.release());
        reserve.keep();
        assert_eq!(std::fs::metadata(dir.path().join("reserve")).unwrap().len(), RESERVE);
        assert!(reserve.release() && !reserve.release());
    }
}
