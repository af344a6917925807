//! What somebody must act on: raised where it is found, standing until it is over.
//!
//! This is the one judgement behind ERROR in the log, the pages of `status` and an unhealthy `/healthz`:
//! a line at ERROR is an alarm that is raised, and as long as one stands somebody must act.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::Span;

/// An alarm that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What is wrong, in a word: another cause is another line in the log.
    cause: String,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// All alarms of the process. Cheap to clone; clones are one.
#[derive(Clone, Debug, Default)]
pub struct Alarms(Arc<Mutex<BTreeMap<String, Standing>>>);

impl Alarms {
    /// The alarm of a part of the program, such as `store`.
    pub fn part(&self, part: &str) -> Alarm {
        // A span that only errors have is there whatever is logged.
        let span = tracing::error_span!("part", part);
        Alarm { key: part.to_owned(), span, all: self.clone() }
    }

    /// The alarm of a part that shows no sign of life, whatever else is wrong with it.
    pub fn life(&self, part: &str) -> Alarm {
        Alarm { key: format!("life {part}"), ..self.part(part) }
    }

    /// The alarm of a source, and the span of its lines.
    pub fn source(&self, name: &str) -> Alarm {
        let span = tracing::error_span!("source", source = name);
        Alarm { key: source_key(name), span, all: self.clone() }
    }

    /// Whether the alarm of a part of the daemon stands.
    pub fn stands(&self, part: &str) -> bool {
        self.lock().contains_key(part)
    }

    /// Whether the alarm of a source stands.
    pub fn stands_at_source(&self, name: &str) -> bool {
        self.lock().contains_key(&source_key(name))
    }

    /// The alarms that stand, by what they are about.
    pub fn standing(&self) -> Vec<Standing> {
        self.lock().values().cloned().collect()
    }

    /// How many stand.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Standing>> {
        // Nothing panics while holding the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn source_key(name: &str) -> String {
    format!("source {name}")
}

/// The alarm of one part or source. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Alarm {
    key: String,
    span: Span,
    all: Alarms,
}

impl Alarm {
    /// Says that somebody must act; logged when it is new or has another `cause`.
    pub fn raise(&self, cause: &str, message: impl Into<String>, remedy: &str) {
        let message = message.into();
        let standing =
            Standing { cause: cause.to_owned(), message: message.clone(), remedy: remedy.to_owned() };
        let before = self.all.lock().insert(self.key.clone(), standing);
        if before.is_none_or(|before| before.cause != cause) {
            tracing::error!(parent: &self.span, "{message}; {remedy}");
        }
    }

    /// Says that it is over, if it stood.
    pub fn clear(&self) {
        let over = self.all.lock().remove(&self.key);
        if let Some(over) = over {
            tracing::info!(parent: &self.span, "over: {}", over.message);
        }
    }

    /// The span of the lines about this part or source.
    pub fn span(&self) -> &Span {
        &self.span
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_stands_with_its_newest_words_until_it_is_cleared() {
        let alarms = Alarms::default();
        let (store, source) = (alarms.part("store"), alarms.source("line1"));
        store.raise("disk_full", "7 wait", "free space");
        store.raise("disk_full", "8 wait", "free space");
        source.clone().raise("gone", "unplugged", "plug it in");
        let messages: Vec<String> = alarms.standing().into_iter().map(|alarm| alarm.message).collect();
        assert_eq!(messages, ["unplugged", "8 wait"]);
        assert!(alarms.stands_at_source("line1") && !alarms.stands_at_source("store"));
        store.clear();
        source.clear();
        assert_eq!(alarms.count(), 0);
    }
}
