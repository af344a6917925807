//! Counters by owner and reason that go when their owner goes.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::metrics::Labels;

/// What was lost at a source or sink, by reason. Cheap to clone; clones are one.
#[derive(Clone, Debug)]
pub struct Reasons {
    owner: &'static str,
    family: Family<Labels, Counter>,
    known: Arc<Mutex<BTreeSet<Labels>>>,
}

impl Reasons {
    /// Counters whose first label is `owner`.
    pub fn new(owner: &'static str) -> Reasons {
        Reasons { owner, family: Family::default(), known: Arc::default() }
    }

    /// The counter of `reason` at the owner `name`.
    pub fn of(&self, name: &str, reason: &str) -> Counter {
        let labels = vec![(self.owner, name.to_owned()), ("reason", reason.to_owned())];
        let counter = self.family.get_or_create_owned(&labels);
        self.lock().insert(labels);
        counter
    }

    /// Takes the series of an owner away.
    pub fn forget(&self, name: &str) {
        self.lock().retain(|labels| {
            let gone = labels.iter().any(|(of, owner)| *of == self.owner && owner == name);
            !(gone && self.family.remove(labels))
        });
    }

    /// The family, to be registered.
    pub fn family(&self) -> Family<Labels, Counter> {
        self.family.clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<Labels>> {
        // Nothing panics while holding the lock.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
