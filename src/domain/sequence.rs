//! Sequence numbers: blocks that are reserved before use, and the gaps they may leave.
//!
//! A number is given to a reading before the reading is stored, so the store reserves whole blocks
//! in its ledger beforehand. After a clean end the rest of a block is used; after a crash nobody
//! knows which of its numbers were already published, so the rest is given up and announced.

use std::collections::VecDeque;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Numbers in a block. One block is one ledger write of 8.6 kB: 0.13 bytes a reading.
pub const BLOCK: u64 = 65_536;

/// Why numbers of a range may never arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// The process ended without warning: the rest of a reserved block was given up.
    UncleanEnd,
    /// The history was broken and moved aside, with every reading not yet sent.
    HistoryLost,
    /// The store was full and the readings did not fit in memory either.
    NotStored,
    /// The oldest readings had to make room before they were sent.
    SizeLimit,
}

impl GapReason {
    /// Every reason.
    pub const ALL: [GapReason; 4] =
        [GapReason::UncleanEnd, GapReason::HistoryLost, GapReason::NotStored, GapReason::SizeLimit];

    /// The reason's name, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            GapReason::UncleanEnd => "unclean_end",
            GapReason::HistoryLost => "history_lost",
            GapReason::NotStored => "not_stored",
            GapReason::SizeLimit => "size_limit",
        }
    }

    /// The reason with this name, if there is one.
    pub fn parse(name: &str) -> Option<GapReason> {
        GapReason::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

impl fmt::Display for GapReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Says that a number from `first` to `last` (both included) that has not arrived never will.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    /// The first number.
    pub first: u64,
    /// The last number, at least `first`.
    pub last: u64,
    /// Why.
    pub reason: GapReason,
    /// The only sink that misses them; `None`: every sink.
    pub sink: Option<String>,
}

/// A range of numbers from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Block {
    /// The first number.
    pub first: u64,
    /// The last number, at least `first`.
    pub last: u64,
}

/// What a start finds out about the numbers given before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Everything given was stored; the next unused number is known.
    Clean {
        /// The next unused number.
        next: u64,
    },
    /// Nobody knows what was given above the highest stored number.
    Unclean {
        /// The highest stored number, if anything is stored.
        stored: Option<u64>,
    },
}

/// What becomes of reserved blocks at a start: the part still to be used and the gap.
///
/// `blocks` ascend and follow each other without a hole. A clean end gives the unused rest and no
/// gap; an unclean one gives no rest, and a gap behind the highest stored number. `None` where
/// there is nothing.
pub fn settle(blocks: &[Block], ended: Ended) -> (Option<Block>, Option<Gap>) {
    let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else {
        return (None, None);
    };
    let start = match ended {
        Ended::Clean { next } => next.max(first.first),
        Ended::Unclean { stored } => stored.map_or(first.first, |seq| (seq + 1).max(first.first)),
    };
    if start > last.last {
        return (None, None);
    }
    match ended {
        Ended::Clean { .. } => (Some(Block { first: start, last: last.last }), None),
        Ended::Unclean { .. } => {
            let gap = Gap { first: start, last: last.last, reason: GapReason::UncleanEnd, sink: None };
            (None, Some(gap))
        }
    }
}

/// What is left of `gap` once `announced` has been told; both of one sink and reason.
pub fn remainder(gap: &Gap, announced: &Gap) -> Vec<Gap> {
    if announced.last < gap.first || announced.first > gap.last {
        return vec![gap.clone()];
    }
    let mut left = Vec::new();
    if gap.first < announced.first {
        left.push(Gap { last: announced.first - 1, ..gap.clone() });
    }
    if gap.last > announced.last {
        left.push(Gap { first: announced.last + 1, ..gap.clone() });
    }
    left
}

/// Hands out the numbers of reserved blocks, one after the other.
#[derive(Debug, Clone)]
pub struct Numbers {
    current: Block,
    next: VecDeque<Block>,
}

impl Numbers {
    /// Starts with a block.
    pub fn new(block: Block) -> Numbers {
        Numbers { current: block, next: VecDeque::new() }
    }

    /// The next number; `None` until another block is added.
    pub fn take(&mut self) -> Option<u64> {
        if self.current.first > self.current.last {
            self.current = self.next.pop_front()?;
        }
        let number = self.current.first;
        self.current.first += 1;
        Some(number)
    }

    /// Whether it is time to reserve another block: half of the last one is gone.
    pub fn wants_more(&self) -> bool {
        self.next.is_empty() && self.current.last.saturating_sub(self.current.first) < BLOCK / 2
    }

    /// Adds a block, to be used after the present one.
    pub fn add(&mut self, block: Block) {
        if self.current.first > self.current.last {
            self.current = block;
        } else if self.next.is_empty() && self.current.last + 1 == block.first {
            self.current.last = block.last;
        } else {
            self.next.push_back(block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn gap(first: u64, last: u64) -> Gap {
        Gap { first, last, reason: GapReason::UncleanEnd, sink: None }
    }

    #[test]
    fn a_clean_end_gives_the_rest_and_a_crash_gives_it_up() {
        let blocks = [Block { first: 1, last: 10 }, Block { first: 11, last: 20 }];
        let clean = |next| settle(&blocks, Ended::Clean { next });
        let crash = |stored| settle(&blocks, Ended::Unclean { stored });
        assert_eq!(clean(8), (Some(Block { first: 8, last: 20 }), None));
        assert_eq!(clean(21), (None, None));
        assert_eq!(crash(Some(7)), (None, Some(gap(8, 20))));
        assert_eq!(crash(Some(20)), (None, None));
        assert_eq!(crash(None), (None, Some(gap(1, 20))));
        assert_eq!(settle(&[], Ended::Clean { next: 5 }), (None, None));
    }

    #[test]
    fn reasons_have_the_names_that_json_gives_them() {
        for reason in GapReason::ALL {
            assert_eq!(serde_json::to_string(&reason).unwrap(), format!("\"{reason}\""));
            assert_eq!(GapReason::parse(reason.as_str()), Some(reason));
        }
    }

    #[test]
    fn announcing_a_part_leaves_the_rest() {
        assert_eq!(remainder(&gap(5, 9), &gap(5, 9)), []);
        assert_eq!(remainder(&gap(5, 9), &gap(5, 7)), [gap(8, 9)]);
        assert_eq!(remainder(&gap(5, 9), &gap(6, 7)), [gap(5, 5), gap(8, 9)]);
        assert_eq!(remainder(&gap(5, 9), &gap(1, 4)), [gap(5, 9)]);
    }

    proptest! {
        #[test]
        fn numbers_ascend_and_never_repeat(sizes in prop::collection::vec(1u64..40, 1..8), holes in 0u64..3) {
            let mut first = 1;
            let mut numbers: Option<Numbers> = None;
            let mut given = Vec::new();
            for size in &sizes {
                let block = Block { first, last: first + size - 1 };
                match &mut numbers {
                    Some(numbers) => numbers.add(block),
                    None => numbers = Some(Numbers::new(block)),
                }
                while let Some(number) = numbers.as_mut().and_then(Numbers::take) {
                    given.push(number);
                }
                first += size + holes;
            }
            prop_assert_eq!(given.len() as u64, sizes.iter().sum::<u64>());
            prop_assert!(given.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
