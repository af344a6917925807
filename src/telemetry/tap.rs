//! What a source takes in, for whoever tests it. It costs nothing while nobody does, and nobody who
//! watches can hold a source up.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use crate::domain::id::{Id, SensorId};

/// Events that a watcher may be behind before it loses some.
const BEHIND: usize = 256;
/// Bytes of the input that are shown.
const SHOWN: usize = 200;

/// Something that a source saw.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// A line, frame, message or row with its values.
    Record {
        /// The topic of a message.
        topic: Option<String>,
        /// Its bytes, escaped and cut; `None` where they are no longer at hand.
        input: Option<String>,
        /// What was read from it.
        values: Vec<Value>,
    },
    /// Input, or one field of it, that gave nothing.
    Fault {
        /// The reason, as it is counted.
        reason: &'static str,
        /// What and where.
        detail: String,
    },
    /// The source is connected.
    Connected(String),
    /// It is not, and why.
    Disconnected(String),
}

/// The value of one field.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// The field, where it is known.
    pub field: Option<String>,
    /// Its value; `None`: the input says that there is none.
    pub raw: Option<f64>,
    /// The sensors that it feeds.
    pub sensors: Vec<SensorId>,
}

/// Bytes as text, escaped, and cut where they are many.
pub fn excerpt(bytes: &[u8]) -> String {
    let shown = bytes[..bytes.len().min(SHOWN)].escape_ascii();
    format!("{shown}{}", if bytes.len() > SHOWN { "..." } else { "" })
}

/// Shows what one source sees. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tap(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    seen: broadcast::Sender<Arc<Seen>>,
    /// The last word on the connection.
    connection: Mutex<Option<Seen>>,
}

impl Tap {
    fn new() -> Tap {
        Tap(Arc::new(Inner { seen: broadcast::Sender::new(BEHIND), connection: Mutex::default() }))
    }

    /// Whether somebody watches.
    pub fn watched(&self) -> bool {
        self.0.seen.receiver_count() > 0
    }

    /// Shows something to everybody who watches; `make` is called only if somebody does.
    pub fn show(&self, make: impl FnOnce() -> Seen) {
        if self.watched() {
            // An error means that the last watcher has just left.
            let _ = self.0.seen.send(Arc::new(make()));
        }
    }

    /// Notes how the connection is, and shows it.
    pub fn connection(&self, seen: Seen) {
        self.show(|| seen.clone());
        *locked(&self.0.connection) = Some(seen);
    }

    /// Watches from now on; says how the connection is.
    pub fn watch(&self) -> (Option<Seen>, broadcast::Receiver<Arc<Seen>>) {
        let receiver = self.0.seen.subscribe();
        (locked(&self.0.connection).clone(), receiver)
    }
}

/// The taps of all sources. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Taps(Arc<Mutex<HashMap<Id, Tap>>>);

impl Taps {
    /// The tap of a source: the same one however often the source is started.
    pub fn of(&self, source: &Id) -> Tap {
        locked(&self.0).entry(source.clone()).or_insert_with(Tap::new).clone()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code panics while holding the lock with a half-made change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_made_while_nobody_watches() {
        let tap = Taps::default().of(&Id::new("line1").unwrap());
        tap.show(|| panic!("nobody asked for this"));
        tap.connection(Seen::Connected("port".into()));
        let (connection, mut seen) = tap.watch();
        assert_eq!(connection, Some(Seen::Connected("port".into())));
        tap.show(|| Seen::Fault { reason: "garbage", detail: "`x`".into() });
        assert!(matches!(&*seen.try_recv().unwrap(), Seen::Fault { reason: "garbage", .. }));
    }

    #[test]
    fn input_is_shown_escaped_and_cut() {
        assert_eq!(excerpt(b"1;2\r\n\x1b\xff"), r"1;2\r\n\x1b\xff");
        assert_eq!(excerpt(&[b'x'; SHOWN + 1]).len(), SHOWN + 3);
    }
}
