//! References from above, on their way to whoever stores them. Unlike artifacts they are not retained: each is
//! acknowledged only when it is stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};

use super::connect::RECEIVE_MAXIMUM;
use super::link::Link;
use crate::domain::id::{Id, SensorId};
use crate::domain::sample::AckToken;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::tracking::MessageRefused;

/// The largest message, in bytes: some 500 references.
pub const LARGEST: usize = 64 * 1024;
/// Bytes that may wait.
const BYTES: usize = 8 * 1024 * 1024;
/// Messages that are taken together: one transaction stores them.
const TOGETHER: usize = 256;

/// A message with references of a sensor.
#[derive(Debug)]
pub struct ArrivedReferences {
    /// The sensor that the topic names.
    pub sensor: SensorId,
    /// What came.
    pub payload: Bytes,
    /// What is to be settled when it is stored.
    pub token: Option<AckToken>,
}

/// The way from the link to whoever stores references, bounded in messages and bytes.
#[derive(Debug, Clone)]
pub struct ReferenceInbox {
    sender: mpsc::Sender<ArrivedReferences>,
    held: Arc<AtomicUsize>,
    left: Arc<Notify>,
    metrics: Metrics,
}

/// The other end of the [`ReferenceInbox`].
#[derive(Debug)]
pub struct Waiting {
    receiver: mpsc::Receiver<ArrivedReferences>,
    held: Arc<AtomicUsize>,
    left: Arc<Notify>,
}

/// Makes an inbox; it has room for all messages that the broker may have on their way.
pub fn inbox(metrics: &Metrics) -> (ReferenceInbox, Waiting) {
    let (sender, receiver) = mpsc::channel(usize::from(RECEIVE_MAXIMUM));
    let (held, left) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let inbox = ReferenceInbox { sender, held: held.clone(), left: left.clone(), metrics: metrics.clone() };
    (inbox, Waiting { receiver, held, left })
}

impl ReferenceInbox {
    /// Passes a message on. What can never be stored is counted and settled; what there is no room for now is
    /// not settled, so that the broker sends it again.
    pub fn put(&self, sensor: &[u8], payload: &Bytes, retained: bool, token: Option<AckToken>, link: &Link) {
        let id = std::str::from_utf8(sensor).ok().and_then(|text| Id::new(text).ok());
        let problem = match id {
            _ if payload.is_empty() => Some(("emptied", "it is empty")),
            // It came when it was published; this is its copy for those who subscribe anew.
            _ if retained => Some(("retained", "it is retained: publish references without that")),
            None => Some(("bad_topic", "its topic names no sensor")),
            Some(_) if payload.len() > LARGEST => {
                Some(("too_large", "it has more than 65,536 bytes: send fewer references in one message"))
            }
            Some(sensor) => {
                self.pass(sensor, payload, token);
                return;
            }
        };
        if let Some((reason, problem)) = problem {
            MessageRefused { sensor: &String::from_utf8_lossy(sensor), reason, problem }
                .record(&self.metrics);
        }
        token.into_iter().for_each(|token| link.settled(token));
    }

    fn pass(&self, sensor: SensorId, payload: &Bytes, token: Option<AckToken>) {
        let size = payload.len();
        // A copy, so that the network buffer behind the message is not kept alive.
        let arrived = |sensor| ArrivedReferences { sensor, payload: Bytes::copy_from_slice(payload), token };
        if self.held.fetch_add(size, Ordering::Relaxed) + size <= BYTES
            && self.sender.try_send(arrived(sensor.clone())).is_ok()
        {
            return;
        }
        self.held.fetch_sub(size, Ordering::Relaxed);
        if token.is_some() {
            self.left.notify_one();
        } else {
            let problem = "too many came at once: publish them at QoS 1, so that none is lost";
            MessageRefused { sensor: sensor.as_str(), reason: "busy", problem }.record(&self.metrics);
        }
    }
}

impl Waiting {
    /// The next messages, in their order. Once all are taken after some had no room, `link` has the broker
    /// send those again. Waits for ever once there is no link any more.
    pub async fn next(&mut self, link: &Link) -> Vec<ArrivedReferences> {
        let mut arrived = Vec::new();
        loop {
            tokio::select! {
                biased;
                count = self.receiver.recv_many(&mut arrived, TOGETHER) => {
                    if count == 0 {
                        return std::future::pending().await;
                    }
                    let bytes = arrived.iter().map(|message| message.payload.len()).sum();
                    self.held.fetch_sub(bytes, Ordering::Relaxed);
                    return arrived;
                }
                () = self.left.notified() => link.reconnect(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::clock::Clock;

    fn link() -> Link {
        Link::new(true, Clock::system(), Metrics::new())
    }

    fn refused(metrics: &Metrics, reason: &str) -> u64 {
        metrics.references_refused.get_or_create(&vec![("reason", reason.to_owned())]).get()
    }

    #[tokio::test]
    async fn messages_come_in_their_order_with_what_is_to_be_settled() {
        let metrics = Metrics::new();
        let (inbox, mut waiting) = inbox(&metrics);
        let link = link();
        let token = link.arrived(u16::MAX, 7);
        inbox.put(b"leak-1", &Bytes::from_static(b"1"), false, Some(token), &link);
        inbox.put(b"leak-2", &Bytes::from_static(b"22"), false, None, &link);
        let arrived = waiting.next(&link).await;
        let shown: Vec<_> =
            arrived.iter().map(|it| (it.sensor.as_str(), it.payload.len(), it.token)).collect();
        assert_eq!(shown, [("leak-1", 1, Some(token)), ("leak-2", 2, None)]);
        assert_eq!(waiting.held.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn what_can_never_be_stored_is_counted() {
        let metrics = Metrics::new();
        let (inbox, mut waiting) = inbox(&metrics);
        let (link, good) = (link(), Bytes::from_static(b"{}"));
        inbox.put(b"leak-1", &Bytes::new(), true, None, &link);
        inbox.put(b"leak-1", &good, true, None, &link);
        inbox.put(b"\xff", &good, false, None, &link);
        inbox.put(b"leak-1", &Bytes::from(vec![b' '; LARGEST + 1]), false, None, &link);
        for reason in ["emptied", "retained", "bad_topic", "too_large"] {
            assert_eq!(refused(&metrics, reason), 1, "{reason}");
        }
        inbox.put(b"leak-1", &good, false, None, &link);
        assert_eq!(waiting.next(&link).await.len(), 1);
    }

    #[tokio::test]
    async fn what_has_no_room_holds_no_bytes_and_is_asked_for_again() {
        let metrics = Metrics::new();
        let (inbox, mut waiting) = inbox(&metrics);
        let link = link();
        let large = Bytes::from(vec![b' '; LARGEST]);
        for _ in 0..BYTES / LARGEST {
            inbox.put(b"leak-1", &large, false, None, &link);
        }
        inbox.put(b"leak-1", &large, false, None, &link);
        assert_eq!(refused(&metrics, "busy"), 1);
        inbox.put(b"leak-1", &large, false, Some(link.arrived(u16::MAX, 1)), &link);
        assert_eq!((refused(&metrics, "busy"), waiting.held.load(Ordering::Relaxed)), (1, BYTES));
        assert_eq!(waiting.next(&link).await.len(), BYTES / LARGEST);
        // The wish for another connection was noted; what comes next is taken all the same.
        inbox.put(b"leak-1", &large, false, None, &link);
        assert_eq!(waiting.next(&link).await.len(), 1);
    }
}
