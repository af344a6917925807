//! The readings of a sensor by the transform in force and by others, one by one, or summed up in blocks where they are many.

use std::collections::VecDeque;

use super::beside::{MOST_BESIDE, Shelved};
use crate::domain::time::Timestamp;

/// Of what a pair is made of, so much at most may be in blocks that reach beyond it.
const MOST_EDGE: f64 = 0.125;

/// Readings that follow each other, summed up.
#[derive(Debug, Clone, Copy)]
pub struct Block {
    first: u64,
    last: u64,
    /// When the first one was measured.
    pub time: Timestamp,
    count: u32,
    /// Standard uncertainties of the others.
    u: [f32; MOST_BESIDE],
    value: f64,
    others: [f64; MOST_BESIDE],
}

/// The interval of a reference, and the readings of the sensor in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// When it began.
    pub begin: Timestamp,
    /// When it ended.
    pub end: Timestamp,
    /// Numbers of the first and the last reading.
    pub seqs: (u64, u64),
    /// How many there were.
    pub readings: u64,
}

/// The latest readings that can be compared; of bounded size.
#[derive(Debug, Default)]
pub struct Blocks {
    blocks: VecDeque<Block>,
    /// The last interval of a reference, and how many readings had come after it.
    interval: Option<(Interval, u64)>,
}

/// Means over the readings of a pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sum {
    /// Of the transform in force.
    pub value: f64,
    /// Of the others, and of their standard uncertainties.
    pub others: [[f64; 2]; MOST_BESIDE],
    /// Whether it is over exactly these readings, and not over a few beside them too.
    pub is_exact: bool,
}

impl Block {
    fn of(reading: &Shelved) -> Block {
        Block {
            first: reading.seq,
            last: reading.seq,
            time: reading.time,
            count: 1,
            u: reading.others.map(|[_, u]| u as f32),
            value: reading.value,
            others: reading.others.map(|[value, _]| value),
        }
    }

    fn add(&mut self, reading: &Shelved) {
        self.last = reading.seq;
        self.count += 1;
        self.value += reading.value;
        for (place, [value, u]) in reading.others.iter().enumerate() {
            self.others[place] += value;
            self.u[place] += *u as f32;
        }
    }

    /// The value of another transform, and its standard uncertainty, for a block of one reading.
    pub fn other(&self, place: usize) -> [f64; 2] {
        [self.others[place], f64::from(self.u[place])]
    }
}

impl Blocks {
    /// Adds a reading, which comes after those before; of more blocks than `most` the first goes.
    pub fn put(&mut self, reading: &Shelved, most: usize) {
        let same = match (self.blocks.back(), self.cell(most)) {
            (Some(last), Some((begin, length))) => {
                let cell = |time: Timestamp| time.micros_since(begin).div_euclid(length);
                last.count < u32::MAX && cell(last.time) == cell(reading.time)
            }
            _ => false,
        };
        if let Some(last) = self.blocks.back_mut().filter(|_| same) {
            return last.add(reading);
        }
        if self.blocks.len() >= most {
            self.blocks.drain(..=self.blocks.len() - most);
            if self.blocks.capacity() > 2 * most {
                self.blocks.shrink_to(most);
            }
        }
        self.blocks.push_back(Block::of(reading));
    }

    /// Forgets all readings; how long intervals are is still known.
    pub fn clear(&mut self) {
        self.blocks.clear();
    }

    /// Notes how a reference states its intervals: the next ones are taken to be as long, and to follow. `None`: it has
    /// none, and each reading counts by itself.
    pub fn learn(&mut self, interval: Option<Interval>) {
        self.interval = interval.map(|interval| {
            let later = self.blocks.iter().rev().take_while(|block| block.first > interval.seqs.1);
            (interval, later.map(|block| u64::from(block.count)).sum())
        });
    }

    /// Where blocks are cut, and how long they are in microseconds; `None`: there is room for each reading.
    ///
    /// An interval, and what comes until its reference does, has three quarters of the room. Its ends are always cuts.
    fn cell(&self, most: usize) -> Option<(Timestamp, i64)> {
        let (interval, after) = self.interval?;
        let (room, readings) = ((most * 3 / 4).max(1) as u64, interval.readings.max(1));
        let length = interval.end.micros_since(interval.begin);
        if readings.saturating_add(after) <= room || length <= 0 {
            return None;
        }
        let parts = room.saturating_mul(readings) / readings.saturating_add(after);
        // A power of two: it stays the same while little changes.
        let parts = 1i64 << parts.clamp(1, 1 << 32).ilog2();
        Some((interval.end, (length / parts).max(1)))
    }

    /// The readings with numbers from the first to the last, each a block of its own; `None` if they are not.
    pub fn single(&self, seqs: (u64, u64)) -> Option<impl Iterator<Item = &Block>> {
        let start = self.blocks.partition_point(|block| block.last < seqs.0);
        let blocks = self.blocks.range(start..).take_while(move |block| block.first <= seqs.1);
        blocks.clone().all(|block| block.count == 1).then_some(blocks)
    }

    /// Means over so many readings with numbers from the first to the last; `None` if they are not all here, or too many
    /// of them in blocks that reach beyond them.
    pub fn sum(&self, seqs: (u64, u64), readings: u64) -> Option<Sum> {
        let start = self.blocks.partition_point(|block| block.last < seqs.0);
        let blocks = self.blocks.range(start..).take_while(|block| block.first <= seqs.1);
        let is_inside = |block: &Block| block.first >= seqs.0 && block.last <= seqs.1;
        let [mut inside, mut beyond] = [0; 2];
        for block in blocks.clone() {
            *(if is_inside(block) { &mut inside } else { &mut beyond }) += u64::from(block.count);
        }
        // Those in blocks that reach beyond: how many these are is known, which ones is not.
        let edge = readings.checked_sub(inside).filter(|edge| *edge <= beyond)?;
        if readings == 0 || edge as f64 > MOST_EDGE * readings as f64 {
            return None;
        }
        let share = if beyond > 0 { edge as f64 / beyond as f64 } else { 0.0 };
        let (mut value, mut others) = (0.0, [[0.0; 2]; MOST_BESIDE]);
        for block in blocks {
            let weight = if is_inside(block) { 1.0 } else { share } / readings as f64;
            if weight == 0.0 {
                continue;
            }
            value += weight * block.value;
            for (place, [other, u]) in others.iter_mut().enumerate() {
                *other += weight * block.others[place];
                *u += weight * f64::from(block.u[place]);
            }
        }
        Some(Sum { value, others, is_exact: edge == 0 })
    }

    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.blocks.capacity() * size_of::<Block>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: i64 = 10_000_000;

    fn reading(seq: u64) -> Shelved {
        let time = Timestamp::from_micros(seq as i64 * STEP).unwrap();
        let others = [[2.0 * seq as f64, 0.5], [f64::NAN; 2]];
        Shelved { seq, time, value: seq as f64, others, usable: true, measured: true }
    }

    fn hour(first: u64) -> Interval {
        let [begin, end] = [first, first + 360].map(|seq| Timestamp::from_micros(seq as i64 * STEP).unwrap());
        Interval { begin, end, seqs: (first, first + 359), readings: 360 }
    }

    fn filled(most: usize, until: u64) -> Blocks {
        let mut blocks = Blocks::default();
        for seq in 0..until {
            if seq > 360 && seq % 360 == 30 {
                blocks.learn(Some(hour(seq - 390)));
            }
            blocks.put(&reading(seq), most);
        }
        blocks
    }

    #[test]
    fn what_fits_is_kept_one_by_one() {
        let blocks = filled(1024, 2000);
        assert_eq!(blocks.sum((976, 1999), 1024).map(|sum| (sum.value, sum.is_exact)), Some((1487.5, true)));
        assert_eq!(blocks.sum((975, 1999), 1025), None, "it is not here any more");
        assert_eq!(blocks.sum((1990, 1999), 9), None, "there are others");
        let two: Vec<_> = blocks.single((1998, 1999)).unwrap().map(|block| block.other(0)).collect();
        assert_eq!(two, [[3996.0, 0.5], [3998.0, 0.5]]);
    }

    #[test]
    fn an_interval_is_exact_however_little_room_there_is() {
        for most in [4, 8, 32, 64] {
            let blocks = filled(most, 1480);
            let found = blocks.sum((1080, 1439), 360).unwrap();
            assert!(found.is_exact && (found.value - 1259.5).abs() < 1e-9, "{most}: {found:?}");
            assert!((found.others[0][0] - 2519.0).abs() < 1e-9 && (found.others[0][1] - 0.5).abs() < 1e-6);
            assert!(found.others[1][0].is_nan());
            assert!(blocks.single((1438, 1439)).is_none());
        }
    }

    #[test]
    fn without_intervals_each_reading_counts_by_itself() {
        let mut blocks = filled(32, 1480);
        assert!(blocks.single((1478, 1479)).is_none());
        blocks.learn(None);
        (1480..1490).for_each(|seq| blocks.put(&reading(seq), 32));
        assert_eq!(blocks.single((1488, 1489)).unwrap().count(), 2);
    }

    #[test]
    fn an_interval_that_is_cut_elsewhere_is_taken_with_what_lies_beside_it() {
        let blocks = filled(64, 1480);
        let found = blocks.sum((1083, 1442), 360).unwrap();
        assert!(!found.is_exact && (found.value - 1262.5).abs() < 6.0, "{found:?}");
        let blocks = filled(8, 1480);
        assert_eq!(blocks.sum((1100, 1459), 360), None, "too little of it is known");
    }
}
