use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::domain::id::Id;
use crate::domain::quality::{Reasons, State};
use crate::domain::time::Timestamp;

fn reading(seq: u64) -> Reading {
    Reading {
        sensor: Id::new("s").unwrap(),
        seq,
        after: None,
        time: Timestamp::EPOCH,
        received: Timestamp::EPOCH,
        raw: Some(1.0),
        value: None,
        u: None,
        p0_p1: None,
        event: None,
        unit: Arc::from("1"),
        state: State::Valid,
        reasons: Reasons::NONE,
        transform: None,
    }
}

fn rows(range: std::ops::RangeInclusive<u64>) -> Vec<Reading> {
    range.map(reading).collect()
}

fn drain(stream: &mut Stream) -> Vec<u64> {
    std::iter::from_fn(|| stream.take()).map(|r| r.seq).collect()
}

#[test]
fn a_live_stream_at_the_head_passes_readings_at_once() {
    let mut stream = Stream::new(Delivery::Live, 0, 0);
    stream.offer(&reading(1));
    assert_eq!(drain(&mut stream), [1]);
    assert!(stream.acked(1, stream.generation()));
    assert_eq!(stream.cursor(), 0, "not committed yet");
    stream.committed(1);
    assert_eq!(stream.cursor(), 1);
}

#[test]
fn the_cursor_waits_for_the_oldest_acknowledgement() {
    let mut stream = Stream::new(Delivery::Live, 0, 0);
    rows(1..=3).iter().for_each(|r| stream.offer(r));
    stream.committed(3);
    drain(&mut stream);
    assert!(!stream.acked(2, 0));
    assert_eq!(stream.cursor(), 0);
    assert!(stream.acked(1, 0));
    assert_eq!(stream.cursor(), 2);
}

#[test]
fn after_a_rewind_unacknowledged_readings_come_again_from_the_history() {
    let mut stream = Stream::new(Delivery::Live, 0, 0);
    rows(1..=3).iter().for_each(|r| stream.offer(r));
    drain(&mut stream);
    stream.acked(1, 0);
    stream.committed(3);
    stream.rewind();
    assert!(!stream.acked(2, 0), "an acknowledgement of the lost connection");
    let fetch = stream.fetch().unwrap();
    assert_eq!(fetch, Fetch { after: 1, up_to: Some(3) });
    stream.offer(&reading(4));
    stream.fetched(fetch, rows(2..=3), true);
    assert_eq!(drain(&mut stream), [2, 3]);
    let tail = stream.fetch().unwrap();
    assert_eq!(tail, Fetch { after: 3, up_to: None });
    stream.offer(&reading(5));
    stream.fetched(tail, rows(4..=4), true);
    stream.offer(&reading(6));
    assert_eq!(drain(&mut stream), [4, 5, 6]);
}

#[test]
fn a_durable_stream_sends_only_what_is_committed() {
    let mut stream = Stream::new(Delivery::Durable, 0, 0);
    stream.offer(&reading(1));
    assert_eq!((stream.fetch(), stream.next().is_none()), (None, true));
    stream.committed(1);
    let fetch = stream.fetch().unwrap();
    stream.fetched(fetch, rows(1..=1), true);
    assert_eq!(drain(&mut stream), [1]);
    assert_eq!(stream.fetch(), None);
}

#[test]
fn a_flood_falls_back_to_the_history_instead_of_growing() {
    let mut stream = Stream::new(Delivery::Live, 0, 0);
    rows(1..=QUEUE as u64 + 10).iter().for_each(|r| stream.offer(r));
    assert_eq!(stream.queued(), QUEUE);
    assert_eq!(drain(&mut stream).len(), QUEUE);
    assert_eq!(stream.fetch().unwrap().after, QUEUE as u64);
}

/// What may happen around a stream, in any order.
#[derive(Debug, Clone)]
enum Step {
    Reading,
    Commit,
    Submit,
    Ack,
    Disconnect,
    Fetch(usize),
    Answer,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Reading),
        2 => Just(Step::Commit),
        4 => Just(Step::Submit),
        4 => Just(Step::Ack),
        1 => Just(Step::Disconnect),
        3 => (1..6usize).prop_map(Step::Fetch),
        3 => Just(Step::Answer),
    ];
    proptest::collection::vec(step, 0..300)
}

proptest! {
    /// Whatever happens, the acknowledged readings are a gapless prefix, and nothing is stuck at the end.
    #[test]
    fn every_reading_is_acknowledged_and_none_is_skipped(steps in steps(), durable in any::<bool>()) {
        let delivery = if durable { Delivery::Durable } else { Delivery::Live };
        let mut stream = Stream::new(delivery, 0, 0);
        let mut newest = 0u64;
        let mut received = std::collections::BTreeSet::new();
        let mut in_flight: VecDeque<(u64, u32)> = VecDeque::new();
        let mut asked: Option<(Fetch, Vec<Reading>, bool)> = None;
        let ending = (0..40).flat_map(|_| [Step::Commit, Step::Fetch(400), Step::Answer].into_iter()
            .chain(std::iter::repeat_n(Step::Submit, 400)).chain(std::iter::repeat_n(Step::Ack, 400)));
        for step in steps.into_iter().chain(ending) {
            match step {
                Step::Reading => { newest += 1; stream.offer(&reading(newest)); }
                Step::Commit => stream.committed(newest),
                Step::Submit => if let Some(r) = stream.take() {
                    in_flight.push_back((r.seq, stream.generation()));
                    received.insert(r.seq);
                },
                Step::Ack => if let Some((seq, generation)) = in_flight.pop_front() { stream.acked(seq, generation); },
                Step::Disconnect => { in_flight.clear(); stream.rewind(); }
                Step::Fetch(limit) => if let Some(fetch) = stream.fetch() {
                    // The store answers as of the request: an open-ended one commits first.
                    let end = match fetch.up_to { Some(up_to) => up_to, None => { stream.committed(newest); newest } };
                    let all: Vec<_> = (fetch.after + 1..=end).map(reading).collect();
                    let complete = all.len() <= limit;
                    asked = Some((fetch, all.into_iter().take(limit).collect(), complete));
                },
                Step::Answer => if let Some((fetch, rows, complete)) = asked.take() { stream.fetched(fetch, rows, complete); },
            }
            let cursor = stream.cursor();
            prop_assert!((1..=cursor).all(|seq| received.contains(&seq)));
        }
        prop_assert_eq!(stream.cursor(), newest);
        prop_assert!(stream.is_drained());
    }
}

#[test]
fn a_stream_that_turns_live_reads_back_what_was_not_committed_yet() {
    let mut stream = Stream::new(Delivery::Durable, 100, 100);
    // These were on their way to the store: a durable stream has not seen them.
    rows(101..=110).iter().for_each(|r| stream.offer(r));
    stream.rewind();
    stream.deliver(Delivery::Live);
    stream.offer(&reading(111));
    let fetch = stream.fetch().unwrap();
    assert_eq!((fetch.after, fetch.up_to), (100, None));
    stream.fetched(fetch, rows(101..=111), true);
    assert_eq!(drain(&mut stream), (101..=111).collect::<Vec<_>>());
}
