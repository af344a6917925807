//! What becomes of the way to the broker and of what goes over it: each event is one log line and one counter.

use std::time::Duration;

use super::metrics::Metrics;
use crate::domain::id::Id;

/// The broker was lost or could not be reached; it is tried again.
#[derive(Clone, Copy, Debug)]
pub struct LinkLost<'a> {
    /// The broker, as host and port.
    pub broker: &'a str,
    /// Why.
    pub problem: &'a str,
    /// After what time it is tried again.
    pub retry: Duration,
}

impl LinkLost<'_> {
    /// Counts and logs it.
    pub fn record(self, metrics: &Metrics) {
        metrics.link_reconnects.inc();
        let LinkLost { broker, problem, retry } = self;
        tracing::warn!("broker {broker}: {problem}; trying again in {:.1} s", retry.as_secs_f64());
    }
}

/// A message is larger than the broker takes, and is left out.
#[derive(Clone, Copy, Debug)]
pub struct TooLarge<'a> {
    /// The sink; `None`: one of the gateway's own messages.
    pub sink: Option<&'a Id>,
    /// Its topic.
    pub topic: &'a str,
    /// How many readings it holds, or 1.
    pub count: usize,
}

impl TooLarge<'_> {
    /// Counts and logs it.
    pub fn record(self, metrics: &Metrics) {
        let sink = self.sink.map_or(CONTROL, Id::as_str);
        metrics.publishes_dropped.of(sink, "too_large").inc_by(self.count as u64);
        let topic = self.topic;
        tracing::warn!(sink, topic, "larger than the broker takes, left out; raise the broker's packet size");
    }
}

/// What the gateway's own messages are counted as.
const CONTROL: &str = "control";

/// The broker took a message and refused it.
#[derive(Clone, Copy, Debug)]
pub struct PublishRefused<'a> {
    /// The sink, whose message is sent again; `None`: one of the gateway's own, which is not.
    pub sink: Option<(&'a Id, &'a str)>,
    /// The broker's reason.
    pub reason: &'a str,
}

impl PublishRefused<'_> {
    /// Counts and logs it.
    pub fn record(self, metrics: &Metrics) {
        let reason = self.reason;
        match self.sink {
            Some((sink, topic)) => {
                metrics.publishes_refused.get_or_create(&vec![("sink", sink.to_string())]).inc();
                tracing::warn!(%sink, reason, "the broker refused a reading, which is sent again; check its ACL for {topic}");
            }
            None => {
                metrics.publishes_dropped.of(CONTROL, "refused").inc();
                tracing::warn!(reason, "the broker refused one of the gateway's own messages; check its ACL");
            }
        }
    }
}

/// The gateway's own messages that had no room any more.
pub fn outbox_full(dropped: usize, metrics: &Metrics) {
    if dropped > 0 {
        metrics.publishes_dropped.of(CONTROL, "outbox_full").inc_by(dropped as u64);
        tracing::warn!(dropped, "messages of the gateway waited too long for the broker and were given up");
    }
}

/// A message from above that is no artifact, or has no room.
pub fn downlink_ignored(reason: &str, metrics: &Metrics) {
    metrics.downlink_ignored.get_or_create(&vec![("reason", reason.to_owned())]).inc();
    if reason == "busy" {
        tracing::warn!(
            "too many artifacts at once: one found no room; what the broker retains is asked for again, a command has to be \
             issued anew"
        );
    }
}
