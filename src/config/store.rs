//! `[store]`: where readings are kept, for how long, and how often they are committed.

use std::path::PathBuf;
use std::time::Duration;

use super::reader::Section;

/// Where readings are kept, for how long, and how often they are committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// The directory of `history.db` and `ledger.db`.
    pub dir: PathBuf,
    /// A reading is durable at most this long after its arrival.
    pub commit_interval: Duration,
    /// How many waiting acknowledgements of an MQTT source bring the commit forward.
    pub ack_batch: usize,
    /// Readings older than this are deleted.
    pub max_age: Duration,
    /// Bytes that the history may take on disk before the oldest readings are deleted.
    pub max_size: u64,
}

/// The shortest sensible time between commits.
const MIN_COMMIT: Duration = Duration::from_millis(10);
const MAX_COMMIT: Duration = Duration::from_secs(3600);
const MIN_AGE: Duration = Duration::from_secs(3600);
/// Below this the fixed parts of the database don't fit.
const MIN_SIZE: u64 = 1 << 20;
const MAX_SIZE: u64 = 1 << 50;

/// Reads `[store]`; absent keys take their defaults.
pub fn read_store(root: &mut Section<'_>) -> Option<StoreConfig> {
    let mut store = StoreConfig {
        dir: PathBuf::from("/var/lib/calibd"),
        commit_interval: Duration::from_secs(1),
        ack_batch: 10,
        max_age: Duration::from_secs(90 * 86_400),
        max_size: 2 << 30,
    };
    if !root.has("store") {
        return Some(store);
    }
    let mut section = root.table("store")?;
    let profiles = [("default", store.commit_interval), ("low-wear", Duration::from_secs(10))];
    if let Some(interval) = section.choice("profile", &profiles) {
        store.commit_interval = interval;
    }
    if let Some(dir) = section.path_buf("dir") {
        store.dir = dir;
    }
    if let Some(interval) = section.duration("commit_interval", MIN_COMMIT..=MAX_COMMIT) {
        store.commit_interval = interval;
    }
    if let Some(count) = section.integer("ack_batch", 1..=65_535) {
        store.ack_batch = usize::try_from(count).unwrap_or(usize::MAX);
    }
    if let Some(age) = section.duration("max_age", MIN_AGE..=Duration::from_secs(36_525 * 86_400)) {
        store.max_age = age;
    }
    if let Some(size) = section.size("max_size", MIN_SIZE..=MAX_SIZE) {
        store.max_size = size;
    }
    Some(store)
}
