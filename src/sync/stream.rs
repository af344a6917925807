//! One sink's way through the history: what was handed to the client, what was acknowledged, what to read next.
//!
//! The history is the queue. A live stream takes readings straight from the pipeline while it is at
//! the head; when it falls behind it reads them back until it has caught up.

use std::collections::VecDeque;

use crate::domain::sample::Reading;

/// Readings held in memory for one stream, at most.
pub const QUEUE: usize = 1024;

/// When a sink publishes a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// At once, while the commit is under way.
    Live,
    /// Only once it is committed.
    Durable,
}

/// A request for readings from the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetch {
    /// Only readings with a higher sequence number.
    pub after: u64,
    /// Only readings up to this one; `None`: commit what waits first, then everything.
    pub up_to: Option<u64>,
}

/// The state of one stream of readings.
#[derive(Debug)]
pub struct Stream {
    delivery: Delivery,
    /// Everything up to here is acknowledged: the cursor.
    acked: u64,
    /// Everything up to here has been handed to the client or is in `queue`.
    reached: u64,
    committed: u64,
    /// Readings to hand to the client next, in order.
    queue: VecDeque<Reading>,
    /// The history, or the pipeline's open batch, holds readings after `reached`.
    behind: bool,
    fetching: bool,
    /// Live readings that came while the last rows were being fetched; `None` once they were too many.
    arrivals: Option<VecDeque<Reading>>,
    /// Handed to the client, in order, with whether it was acknowledged.
    outstanding: VecDeque<(u64, bool)>,
    /// Rises whenever outstanding readings are forgotten, so that late acknowledgements can be told.
    generation: u32,
}

impl Stream {
    /// A stream that goes on after `cursor`, in a history whose last reading is `committed`.
    pub fn new(delivery: Delivery, cursor: u64, committed: u64) -> Stream {
        Stream {
            delivery,
            acked: cursor,
            reached: cursor,
            committed,
            queue: VecDeque::new(),
            behind: cursor < committed,
            fetching: false,
            arrivals: None,
            outstanding: VecDeque::new(),
            generation: 0,
        }
    }

    /// Delivers in another way from now on.
    pub fn deliver(&mut self, delivery: Delivery) {
        // A durable stream takes no readings from the pipeline: what is not committed yet has to be read back.
        self.behind |= delivery != self.delivery;
        self.delivery = delivery;
    }

    /// Takes a reading fresh from the pipeline.
    pub fn offer(&mut self, reading: &Reading) {
        if self.delivery == Delivery::Durable {
            return;
        }
        if self.fetching {
            match &mut self.arrivals {
                Some(arrivals) if arrivals.len() < QUEUE => arrivals.push_back(reading.clone()),
                _ => self.arrivals = None,
            }
        } else if !self.behind && self.queue.len() < QUEUE {
            self.queue.push_back(reading.clone());
            self.reached = reading.seq;
        } else {
            self.behind = true;
        }
    }

    /// Notes that the history holds everything up to `seq`.
    pub fn committed(&mut self, seq: u64) {
        self.committed = self.committed.max(seq);
        if self.delivery == Delivery::Durable && self.reached < self.committed {
            self.behind = true;
        }
    }

    /// What to read from the store now, if anything. Answer with [`Stream::fetched`].
    pub fn fetch(&mut self) -> Option<Fetch> {
        if !self.behind || self.fetching || !self.queue.is_empty() {
            return None;
        }
        self.fetching = true;
        self.arrivals = Some(VecDeque::new());
        let live_tail = self.delivery == Delivery::Live && self.reached >= self.committed;
        let up_to = if live_tail { None } else { Some(self.committed) };
        Some(Fetch { after: self.reached, up_to })
    }

    /// Takes the answer to a [`Fetch`]; `complete` says that the store had no more rows for it.
    pub fn fetched(&mut self, fetch: Fetch, rows: Vec<Reading>, complete: bool) {
        if !self.fetching {
            return;
        }
        self.fetching = false;
        let arrivals = self.arrivals.take();
        if fetch.after != self.reached {
            return; // the stream was rewound meanwhile
        }
        self.queue.extend(rows);
        self.reached = self.queue.back().map_or(self.reached, |last| last.seq);
        if !complete {
            return;
        }
        self.reached = self.reached.max(fetch.up_to.unwrap_or(0));
        match (self.delivery, fetch.up_to, arrivals) {
            (Delivery::Durable, Some(up_to), _) => self.behind = up_to < self.committed,
            (Delivery::Live, None, Some(arrivals)) => {
                let reached = self.reached;
                self.queue.extend(arrivals.into_iter().filter(|reading| reading.seq > reached));
                self.reached = self.queue.back().map_or(self.reached, |last| last.seq);
                self.behind = false;
            }
            _ => {}
        }
    }

    /// Takes back a [`Fetch`] that the store could not answer.
    pub fn fetch_failed(&mut self) {
        self.fetching = false;
        self.arrivals = None;
    }

    /// The reading to hand to the client next.
    pub fn next(&self) -> Option<&Reading> {
        self.queue.front()
    }

    /// How many readings wait in memory.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Takes the next reading; it counts as outstanding from now on.
    pub fn take(&mut self) -> Option<Reading> {
        let reading = self.queue.pop_front()?;
        self.outstanding.push_back((reading.seq, false));
        Some(reading)
    }

    /// Marks a reading as acknowledged. Answers whether the cursor moved.
    pub fn acked(&mut self, seq: u64, generation: u32) -> bool {
        if generation != self.generation {
            return false;
        }
        if let Ok(index) = self.outstanding.binary_search_by_key(&seq, |(seq, _)| *seq) {
            self.outstanding[index].1 = true;
        }
        let before = self.acked;
        while let Some((seq, true)) = self.outstanding.front() {
            self.acked = *seq;
            self.outstanding.pop_front();
        }
        self.acked != before
    }

    /// Goes back to the cursor: everything after it will be read from the history and sent again.
    pub fn rewind(&mut self) {
        let newest = self.newest();
        self.generation = self.generation.wrapping_add(1);
        self.outstanding.clear();
        self.queue.clear();
        self.arrivals = None;
        self.reached = self.acked;
        self.behind = self.behind || newest > self.acked || self.committed > self.acked;
    }

    fn newest(&self) -> u64 {
        let fetched_meanwhile = self.arrivals.as_ref().and_then(|a| a.back()).map_or(0, |last| last.seq);
        self.reached.max(fetched_meanwhile)
    }

    /// Everything up to here is acknowledged, and no further than what is committed.
    pub fn cursor(&self) -> u64 {
        self.acked.min(self.committed)
    }

    /// Readings committed and not acknowledged, counted by sequence number.
    pub fn backlog(&self) -> u64 {
        self.committed.saturating_sub(self.acked)
    }

    /// Whether everything committed has been acknowledged.
    pub fn is_drained(&self) -> bool {
        self.acked >= self.committed
    }

    /// The generation to hand back with an acknowledgement.
    pub fn generation(&self) -> u32 {
        self.generation
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
