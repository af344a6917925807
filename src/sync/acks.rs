//! Upstream acknowledgements: in arrival order, only after the commit, never for an earlier connection.

use std::collections::VecDeque;

use crate::domain::sample::AckToken;

/// Upstream messages of one connection that wait for their commit.
#[derive(Debug, Default)]
pub struct UpstreamAcks {
    connection: u32,
    next: u64,
    waiting: VecDeque<Waiting>,
    /// Nothing more is acknowledged on this connection.
    ceased: bool,
}

#[derive(Debug)]
struct Waiting {
    position: u64,
    packet: u16,
    done: bool,
}

impl UpstreamAcks {
    /// Forgets everything: the broker will send again what it saw no acknowledgement for.
    ///
    /// `connection` is a number that no other connection has, of this broker or another: every commit is
    /// told to all links.
    pub fn reconnected(&mut self, connection: u32) {
        self.connection = connection;
        self.next = 0;
        self.waiting.clear();
        self.ceased = false;
    }

    /// Acknowledges nothing more on this connection, so that the next one brings all that waits. Answers whether
    /// anything does.
    pub fn cease(&mut self) -> bool {
        self.ceased |= !self.waiting.is_empty();
        self.ceased
    }

    /// Whether what waits is only brought by another connection.
    pub fn has_ceased(&self) -> bool {
        self.ceased
    }

    /// Notes a message that arrived as `packet`; `source` goes into its token.
    pub fn arrived(&mut self, source: u16, packet: u16) -> AckToken {
        let token = AckToken { source, connection: self.connection, position: self.next };
        self.waiting.push_back(Waiting { position: self.next, packet, done: false });
        self.next += 1;
        token
    }

    /// Marks a message as safely stored (or as one that will never be); stale tokens are ignored.
    pub fn done(&mut self, token: AckToken) {
        let Some(first) = self.waiting.front().map(|w| w.position) else { return };
        if token.connection != self.connection || token.position < first {
            return;
        }
        let index = usize::try_from(token.position - first).unwrap_or(usize::MAX);
        if let Some(waiting) = self.waiting.get_mut(index) {
            waiting.done = true;
        }
    }

    /// The next packet to acknowledge, if the oldest message is done.
    pub fn ready(&self) -> Option<u16> {
        self.waiting.front().filter(|w| w.done && !self.ceased).map(|w| w.packet)
    }

    /// Removes what [`UpstreamAcks::ready`] named, once it was handed to the client.
    pub fn sent(&mut self) {
        self.waiting.pop_front();
    }

    /// Messages that wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(acks: &mut UpstreamAcks) -> Vec<u16> {
        let mut out = Vec::new();
        while let Some(packet) = acks.ready() {
            out.push(packet);
            acks.sent();
        }
        out
    }

    #[test]
    fn acknowledges_in_arrival_order_whatever_the_commit_order() {
        let mut acks = UpstreamAcks::default();
        let tokens: Vec<_> = [7, 8, 9].into_iter().map(|packet| acks.arrived(0, packet)).collect();
        acks.done(tokens[1]);
        assert!(drain(&mut acks).is_empty());
        acks.done(tokens[0]);
        assert_eq!(drain(&mut acks), [7, 8]);
        acks.done(tokens[2]);
        assert_eq!(drain(&mut acks), [9]);
    }

    #[test]
    fn a_token_of_an_earlier_connection_acknowledges_nothing() {
        let mut acks = UpstreamAcks::default();
        let old = acks.arrived(0, 1);
        acks.reconnected(1);
        acks.arrived(0, 1);
        acks.done(old);
        assert!(drain(&mut acks).is_empty());
    }

    #[test]
    fn a_token_of_another_broker_acknowledges_nothing() {
        let (mut ours, mut theirs) = (UpstreamAcks::default(), UpstreamAcks::default());
        ours.reconnected(1);
        theirs.reconnected(2);
        let token = ours.arrived(0, 1);
        theirs.arrived(1, 1);
        theirs.done(token);
        assert!(drain(&mut theirs).is_empty());
        ours.done(token);
        assert_eq!(drain(&mut ours), [1]);
    }

    #[test]
    fn nothing_is_acknowledged_any_more_before_the_next_connection() {
        let mut acks = UpstreamAcks::default();
        assert!(!acks.cease(), "there is nothing to be sent again");
        let token = acks.arrived(0, 1);
        assert!(acks.cease());
        // Its readings are stored, but another's of the same connection were given up.
        acks.done(token);
        let later = acks.arrived(0, 2);
        acks.done(later);
        assert!(drain(&mut acks).is_empty());
        acks.reconnected(1);
        let again = acks.arrived(0, 1);
        acks.done(again);
        assert_eq!(drain(&mut acks), [1]);
    }

    #[test]
    fn a_token_twice_or_from_the_future_is_harmless() {
        let mut acks = UpstreamAcks::default();
        let token = acks.arrived(0, 1);
        acks.done(token);
        assert_eq!(drain(&mut acks), [1]);
        acks.done(token);
        acks.done(AckToken { position: 99, ..token });
        assert!(acks.is_empty());
    }
}
