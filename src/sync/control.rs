//! The gateway's own messages: each is sent again until its acknowledgement, retained ones after every connect.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::domain::sequence::Gap;

/// Messages that may wait; past this the oldest unsent one that is not retained is dropped and counted.
pub const CAPACITY: usize = 4096;

/// What to do once a message is acknowledged.
#[derive(Debug, Clone, PartialEq)]
pub enum Purpose {
    /// Nothing.
    Plain,
    /// Note in the history that this gap is announced.
    Gap(Gap),
}

/// One outgoing QoS 1 message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Names it until it is acknowledged.
    pub id: u64,
    /// Where it goes.
    pub topic: String,
    /// What it says.
    pub payload: Bytes,
    /// Whether the broker keeps it.
    pub retain: bool,
    /// Correlation data of the message that it answers.
    pub correlation: Option<Bytes>,
    purpose: Purpose,
    submitted: bool,
}

/// What the broker is to keep under a topic.
#[derive(Debug)]
struct Retained {
    payload: Bytes,
    /// The number of the last message that says so.
    last: u64,
}

/// The queue of the gateway's own messages.
#[derive(Debug, Default)]
pub struct ControlOutbox {
    next_id: u64,
    /// By number: in the order in which they are sent.
    waiting: BTreeMap<u64, Message>,
    retained: BTreeMap<String, Retained>,
}

impl ControlOutbox {
    /// Queues a message. Answers how many older ones had to be dropped for it (0 or 1).
    pub fn push(&mut self, topic: String, payload: Bytes, purpose: Purpose) -> usize {
        self.enqueue(topic, payload, false, None, purpose)
    }

    /// Queues an answer, with the correlation data of what it answers. Answers like [`ControlOutbox::push`].
    pub fn answer(&mut self, topic: String, payload: Bytes, correlation: Option<Bytes>) -> usize {
        self.enqueue(topic, payload, false, correlation, Purpose::Plain)
    }

    /// Sets a retained message; it replaces one not yet sent and is sent again after every connect.
    pub fn retain(&mut self, topic: String, payload: Bytes) -> usize {
        if let Some(before) = self.retained.get(&topic)
            && self.waiting.get(&before.last).is_some_and(|message| !message.submitted)
        {
            self.waiting.remove(&before.last);
        }
        self.retained.insert(topic.clone(), Retained { payload: payload.clone(), last: self.next_id });
        self.enqueue(topic, payload, true, None, Purpose::Plain)
    }

    /// How many older messages had to be dropped for it.
    fn enqueue(
        &mut self,
        topic: String,
        payload: Bytes,
        retain: bool,
        correlation: Option<Bytes>,
        purpose: Purpose,
    ) -> usize {
        let mut dropped = 0;
        if self.waiting.len() >= CAPACITY
            && let Some(id) = self.waiting.values().find(|m| !m.submitted && !m.retain).map(|m| m.id)
        {
            self.waiting.remove(&id);
            dropped = 1;
        }
        let id = self.next_id;
        self.next_id += 1;
        let submitted = false;
        self.waiting.insert(id, Message { id, topic, payload, retain, correlation, purpose, submitted });
        dropped
    }

    /// The next message to hand to the client. Tell with [`ControlOutbox::submitted`].
    pub fn next(&self) -> Option<&Message> {
        self.waiting.values().find(|message| !message.submitted)
    }

    /// Marks a message as handed to the client.
    pub fn submitted(&mut self, id: u64) {
        if let Some(message) = self.waiting.get_mut(&id) {
            message.submitted = true;
        }
    }

    /// Removes an acknowledged message and says what to do now.
    pub fn acked(&mut self, id: u64) -> Option<Purpose> {
        let message = self.waiting.remove(&id)?;
        let is_last = |kept: &mut Retained| kept.last == id && kept.payload.is_empty();
        if message.retain && self.retained.get_mut(&message.topic).is_some_and(is_last) {
            // The broker keeps nothing there any more, nor has it to be told again.
            self.retained.remove(&message.topic);
        }
        Some(message.purpose)
    }

    /// Whether the broker keeps something under a topic, or has not said yet that it does not.
    pub fn holds(&self, topic: &str) -> bool {
        self.retained.contains_key(topic)
    }

    /// Whether this is retained under a topic already; nothing is where it was never set.
    pub fn keeps(&self, topic: &str, payload: &Bytes) -> bool {
        self.retained.get(topic).map_or(payload.is_empty(), |kept| kept.payload == *payload)
    }

    /// Gives up a topic; what the broker keeps there stays.
    pub fn forget(&mut self, topic: &str) {
        if let Some(kept) = self.retained.remove(topic)
            && self.waiting.get(&kept.last).is_some_and(|message| !message.submitted)
        {
            self.waiting.remove(&kept.last);
        }
    }

    /// After a lost connection: everything unacknowledged is to be sent again.
    pub fn rewind(&mut self) {
        self.waiting.values_mut().for_each(|message| message.submitted = false);
    }

    /// After a connect: the retained messages are to be sent, whatever the broker still has.
    pub fn connected(&mut self) {
        self.waiting.retain(|_, message| message.submitted || !message.retain);
        for (topic, kept) in std::mem::take(&mut self.retained) {
            self.retain(topic, kept.payload);
        }
    }

    /// Whether every message is acknowledged.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[test]
    fn a_message_is_sent_again_until_it_is_acknowledged() {
        let mut outbox = ControlOutbox::default();
        outbox.push("ack".into(), bytes("1"), Purpose::Plain);
        let id = outbox.next().unwrap().id;
        outbox.submitted(id);
        assert_eq!(outbox.next(), None);
        outbox.rewind();
        assert_eq!(outbox.next().unwrap().id, id);
        assert_eq!(outbox.acked(id), Some(Purpose::Plain));
        assert_eq!(outbox.acked(id), None);
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_newer_retained_message_replaces_an_unsent_one_and_comes_back_after_a_connect() {
        let mut outbox = ControlOutbox::default();
        outbox.retain("status".into(), bytes("a"));
        outbox.retain("status".into(), bytes("b"));
        let message = outbox.next().unwrap().clone();
        assert_eq!(message.payload, "b");
        outbox.acked(message.id);
        assert!(outbox.is_empty());
        outbox.connected();
        assert_eq!(outbox.next().unwrap().payload, "b");
    }

    #[test]
    fn a_topic_that_was_emptied_is_forgotten_once_the_broker_has_said_so() {
        let mut outbox = ControlOutbox::default();
        outbox.retain("alert".into(), bytes("a"));
        let first = outbox.next().unwrap().id;
        outbox.submitted(first);
        outbox.retain("alert".into(), bytes(""));
        let second = outbox.next().unwrap().id;
        outbox.acked(first);
        assert!(outbox.holds("alert"));
        outbox.submitted(second);
        outbox.rewind();
        outbox.connected();
        let again = outbox.next().unwrap().clone();
        assert_eq!((again.topic.as_str(), again.payload.len()), ("alert", 0));
        outbox.acked(again.id);
        assert!(!outbox.holds("alert") && outbox.is_empty());
        outbox.connected();
        assert!(outbox.is_empty());
        outbox.retain("alert".into(), bytes(""));
        outbox.forget("alert");
        assert!(!outbox.holds("alert") && outbox.is_empty());
    }

    #[test]
    fn what_is_retained_already_need_not_be_set_again() {
        let mut outbox = ControlOutbox::default();
        assert!(outbox.keeps("proposal", &bytes("")) && !outbox.keeps("proposal", &bytes("a")));
        outbox.retain("proposal".into(), bytes("a"));
        assert!(outbox.keeps("proposal", &bytes("a")));
        assert!(!outbox.keeps("proposal", &bytes("b")) && !outbox.keeps("proposal", &bytes("")));
    }

    #[test]
    fn a_long_outage_drops_the_oldest_events_and_keeps_the_state() {
        let mut outbox = ControlOutbox::default();
        outbox.retain("status".into(), bytes("a"));
        let dropped: usize =
            (0..CAPACITY).map(|_| outbox.push("ack".into(), bytes("x"), Purpose::Plain)).sum();
        assert_eq!(dropped, 1);
        assert_eq!(outbox.next().unwrap().topic, "status");
    }
}
