//! The trust roots of this gateway: the one that counts, those before it, and those that came too early.

use std::collections::BTreeMap;

use bytes::Bytes;
use tokio::sync::watch;

use crate::domain::digest::Digest;
use crate::domain::id::Id;
use crate::domain::trust::root::{InstalledRoot, Root};
use crate::domain::trust::rotation::{Succession, verify_successor};
use crate::domain::trust::verify::Refused;

/// Roots that may wait for those before them, and their bytes.
const WAITING: usize = 64;
const WAITING_BYTES: usize = 2 * 1024 * 1024;

/// The trust roots of this gateway.
#[derive(Debug)]
pub struct Roots {
    installed: Option<Root>,
    /// Those before it, the newest first.
    former: Vec<Root>,
    /// Versions and digests of all.
    known: Vec<(u64, Digest)>,
    /// Those that came before their predecessors did.
    waiting: BTreeMap<u64, Bytes>,
    told: watch::Sender<Option<InstalledRoot>>,
}

impl Roots {
    /// `roots` as the ledger holds them, the newest last.
    pub fn new(mut roots: Vec<(Root, Digest)>) -> Roots {
        let known = roots.iter().map(|(root, digest)| (root.version, *digest)).collect();
        let installed = roots.pop().map(|(root, _)| root);
        let former = roots.into_iter().rev().map(|(root, _)| root).collect();
        let (told, _) = watch::channel(installed.as_ref().map(Root::installed));
        Roots { installed, former, known, waiting: BTreeMap::new(), told }
    }

    /// The root that counts.
    pub fn installed(&self) -> Option<&Root> {
        self.installed.as_ref()
    }

    /// Those before it, the newest first.
    pub fn former(&self) -> &[Root] {
        &self.former
    }

    /// What is told of the installed root, now and whenever it changes.
    pub fn watch(&self) -> watch::Receiver<Option<InstalledRoot>> {
        self.told.subscribe()
    }

    /// Whether a version lies before all that this gateway has had: it began with a later one.
    pub fn is_before_all(&self, version: u64) -> bool {
        self.known.iter().all(|(known, _)| version < *known) && !self.known.is_empty()
    }

    /// Checks a root from outside.
    pub fn judge(&self, bytes: &[u8], fleet: &Id) -> Result<Succession, Refused> {
        verify_successor(bytes, self.installed(), &self.known, fleet)
    }

    /// Goes over to the next root; what is told follows with [`Roots::tell`].
    pub fn succeed(&mut self, next: Root, digest: Digest) {
        self.known.push((next.version, digest));
        if let Some(before) = self.installed.replace(next) {
            self.former.insert(0, before);
        }
    }

    /// Takes back the last [`Roots::succeed`], which could not be written down.
    pub fn step_back(&mut self) {
        if !self.former.is_empty() {
            self.known.pop();
            self.installed = Some(self.former.remove(0));
        }
    }

    /// Tells what root is installed.
    pub fn tell(&self) {
        self.told.send_replace(self.installed().map(Root::installed));
    }

    /// Keeps a root until those before it have come; where there is no room, the latest ones have to come again.
    pub fn wait(&mut self, version: u64, bytes: Bytes) {
        self.waiting.insert(version, bytes);
        let held = |waiting: &BTreeMap<u64, Bytes>| waiting.values().map(Bytes::len).sum::<usize>();
        while self.waiting.len() > WAITING || held(&self.waiting) > WAITING_BYTES {
            self.waiting.pop_last();
        }
    }

    /// The waiting root that may come next, if it is there; forgets those that are too old by now.
    pub fn next_waiting(&mut self) -> Option<Bytes> {
        let next = self.installed()?.version + 1;
        self.waiting.retain(|version, _| *version >= next);
        self.waiting.remove(&next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_roots_the_next_ones_wait() {
        let mut roots = Roots::new(Vec::new());
        for version in (1..=100).rev() {
            roots.wait(version, Bytes::from_static(b"root"));
        }
        assert_eq!(roots.waiting.keys().copied().collect::<Vec<_>>(), (1..=64).collect::<Vec<_>>());
        roots.wait(5, Bytes::from(vec![b' '; WAITING_BYTES]));
        assert_eq!(roots.waiting.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4]);
    }
}
