//! What other transforms make of the readings of a sensor, beside the one in force: nothing that goes out changes by it.
//!
//! The pipeline fills a [`Shelf`] for each sensor with a rollout; whoever makes pairs looks their readings up there;
//! whoever decides takes what was seen. All of it is bounded, and gone with the process: a pair whose readings are not on
//! the shelf any more says nothing of a transform that was not in force.
//!
//! However many sensors there are, and however many readings in the interval of a reference, the interval fits: where its
//! readings are more than the share of the sensor they are summed up in blocks, cut where intervals begin and end, by
//! the pair before.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::active::Active;
use super::blocks::{Blocks, Interval};
use crate::domain::digest::Digest;
use crate::domain::id::SensorId;
use crate::domain::pairing::Observed;
use crate::domain::quality::ReasonCode;
use crate::domain::rollout::Paired;
use crate::domain::rollout::evidence::Readings;
use crate::domain::sample::Reading;
use crate::domain::time::Timestamp;

/// Transforms that are computed beside the one in force: a candidate, and the last good one.
pub const MOST_BESIDE: usize = 2;
/// Blocks of readings on the shelf of one sensor ...
const MOST_OF_ONE: usize = 8192;
/// ... and of all together: 64 bytes each.
const MOST: usize = 32_768;
/// Pairs that may wait to be taken.
const MOST_PAIRS: usize = 4096;

/// Two transforms that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versus {
    /// The one in question.
    pub of: Digest,
    /// The one beside it.
    pub beside: Option<Digest>,
    /// Whether both give values in the same unit.
    pub alike: bool,
}

/// What is to be computed at a sensor.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    /// What is compared; nothing: no rollout goes on.
    pub versus: Vec<Versus>,
    /// The transforms of it that are not in force, at most [`MOST_BESIDE`].
    pub others: Vec<Arc<Active>>,
}

/// A reading by the transform in force and by the others; NaN where there is no value.
#[derive(Debug, Clone, Copy)]
pub struct Shelved {
    /// Its number.
    pub seq: u64,
    /// When it was measured.
    pub time: Timestamp,
    /// The value that went out.
    pub value: f64,
    /// Values of the others, and their standard uncertainties.
    pub others: [[f64; 2]; MOST_BESIDE],
    /// Whether it may be compared with a reference.
    pub usable: bool,
    /// Whether a value is expected of it.
    pub measured: bool,
}

/// What is kept of one sensor.
#[derive(Debug, Default)]
pub struct Shelf {
    watch: Watch,
    /// What was in force in the readings on the shelf.
    active: Option<Digest>,
    readings: Blocks,
    seen: Vec<(Digest, Readings)>,
}

/// All shelves, shared. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Beside(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    inner: Mutex<Inner>,
    /// Whether a rollout goes on anywhere.
    any: AtomicBool,
}

#[derive(Debug, Default)]
struct Inner {
    shelves: HashMap<SensorId, Shelf>,
    pairs: VecDeque<(SensorId, Paired)>,
}

/// What was seen since it was taken last.
#[derive(Debug, Default)]
pub struct Seen {
    /// Readings, of a transform at a sensor.
    pub readings: Vec<(SensorId, Digest, Readings)>,
    /// Pairs.
    pub pairs: VecDeque<(SensorId, Paired)>,
}

impl Beside {
    /// Changes what is computed at a sensor.
    pub fn watch(&self, sensor: &SensorId, watch: Watch) {
        let mut inner = self.inner();
        match watch.versus.is_empty() {
            true => drop(inner.shelves.remove(sensor)),
            false => {
                let shelf = inner.shelves.entry(sensor.clone()).or_default();
                let mut readings = std::mem::take(&mut shelf.readings);
                readings.clear();
                *shelf = Shelf { watch, readings, ..Shelf::default() };
            }
        }
        self.0.any.store(!inner.shelves.is_empty(), Ordering::Release);
    }

    /// Whether a rollout goes on anywhere.
    pub fn is_needed(&self) -> bool {
        self.0.any.load(Ordering::Acquire)
    }

    /// Puts readings on the shelves of their sensors.
    pub fn put(&self, readings: &mut Vec<(SensorId, Option<Digest>, Shelved)>) {
        if readings.is_empty() {
            return;
        }
        let mut inner = self.inner();
        let most = (MOST / inner.shelves.len().max(1)).clamp(1, MOST_OF_ONE);
        // Powers of two, as the queue grows: nothing is left over.
        let most = 1 << most.ilog2();
        for (sensor, active, reading) in readings.drain(..) {
            if let Some(shelf) = inner.shelves.get_mut(&sensor) {
                shelf.put(active, reading, most);
            }
        }
    }

    /// Looks something up on the shelf of a sensor with a rollout.
    pub fn look<T>(&self, sensor: &SensorId, look: impl FnOnce(&mut Shelf) -> T) -> Option<T> {
        if !self.is_needed() {
            return None;
        }
        self.inner().shelves.get_mut(sensor).map(look)
    }

    /// Adds a pair of a transform that is watched; of too many the first goes.
    pub fn pair(&self, sensor: SensorId, paired: Paired) {
        let mut inner = self.inner();
        if inner.pairs.len() >= MOST_PAIRS {
            inner.pairs.pop_front();
        }
        inner.pairs.push_back((sensor, paired));
    }

    /// Takes what was seen.
    pub fn take(&self) -> Seen {
        if !self.is_needed() {
            return Seen::default();
        }
        let mut inner = self.inner();
        let pairs = std::mem::take(&mut inner.pairs);
        let mut readings = Vec::new();
        for (sensor, shelf) in &mut inner.shelves {
            readings.extend(shelf.seen.drain(..).map(|(of, seen)| (sensor.clone(), of, seen)));
        }
        Seen { readings, pairs }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while holding the lock.
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    /// What is computed.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// What was in force in the readings on the shelf.
    pub fn active(&self) -> Option<Digest> {
        self.active
    }

    /// The readings that can be compared.
    pub fn readings(&self) -> &Blocks {
        &self.readings
    }

    /// Notes how a reference that counts states its intervals; `None`: it has none.
    pub fn learn(&mut self, interval: Option<Interval>) {
        self.readings.learn(interval);
    }

    fn put(&mut self, active: Option<Digest>, reading: Shelved, most: usize) {
        if self.active != active {
            self.readings.clear();
            self.active = active;
        }
        if reading.measured {
            self.note(&reading);
        }
        if reading.usable {
            self.readings.put(&reading, most);
        }
    }

    /// Counts a reading for all that is compared.
    fn note(&mut self, reading: &Shelved) {
        for Versus { of, beside, alike } in &self.watch.versus {
            let Some(value) = self.value(*of, reading) else { continue };
            let beside_it = match beside {
                None => f64::NAN,
                Some(beside) => match self.value(*beside, reading) {
                    Some(other) if !other.is_nan() => other,
                    // There is nothing to compare with.
                    _ => continue,
                },
            };
            let place = self.seen.iter().position(|(digest, _)| digest == of).unwrap_or_else(|| {
                self.seen.push((*of, Readings::default()));
                self.seen.len() - 1
            });
            let seen = &mut self.seen[place].1;
            seen.readings += 1;
            seen.lost += u64::from(value.is_nan());
            let step = (value - beside_it).abs();
            if *alike && !step.is_nan() {
                seen.largest_step = seen.largest_step.max(step);
            }
        }
    }

    /// The value that a transform gives for a reading; `None` where it is not computed.
    fn value(&self, digest: Digest, reading: &Shelved) -> Option<f64> {
        if self.active == Some(digest) {
            return Some(reading.value);
        }
        Some(reading.others[self.place(digest)?][0])
    }

    /// The place of a transform among those that are computed beside the one in force.
    pub fn place(&self, digest: Digest) -> Option<usize> {
        self.watch.others.iter().position(|other| other.reference.digest == digest)
    }
}

/// The reading as it is shelved, with the values of the others yet to come.
pub fn shelved(reading: &Reading) -> Shelved {
    let value = if reading.transform.is_some() { reading.value } else { None };
    let apart = reading.reasons.are_apart() || reading.reasons.contains(ReasonCode::WarmUp);
    Shelved {
        seq: reading.seq,
        time: reading.time,
        value: value.unwrap_or(f64::NAN),
        others: [[f64::NAN; 2]; MOST_BESIDE],
        usable: Observed::from(reading).is_usable(),
        measured: reading.raw.is_some() && !apart,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF: Digest = Digest([1; 32]);

    fn sensor() -> SensorId {
        SensorId::new("co-1").unwrap()
    }

    /// A trial with nothing beside it.
    fn alone() -> Watch {
        Watch { versus: vec![Versus { of: OF, beside: None, alike: true }], others: Vec::new() }
    }

    fn reading(seq: u64, value: f64) -> Shelved {
        let others = [[f64::NAN; 2]; MOST_BESIDE];
        Shelved { seq, time: Timestamp::EPOCH, value, others, usable: true, measured: true }
    }

    fn put(shelves: &Beside, active: Digest, seqs: std::ops::Range<u64>) {
        let mut readings = seqs.map(|seq| (sensor(), Some(active), reading(seq, 1.0))).collect();
        shelves.put(&mut readings);
        assert!(readings.is_empty());
    }

    #[test]
    fn nothing_is_kept_where_no_rollout_goes_on() {
        let shelves = Beside::default();
        assert!(!shelves.is_needed());
        put(&shelves, OF, 0..10);
        assert_eq!(shelves.look(&sensor(), |_| ()), None);
        shelves.watch(&sensor(), alone());
        assert!(shelves.is_needed());
        shelves.watch(&sensor(), Watch::default());
        assert!(!shelves.is_needed());
    }

    #[test]
    fn what_another_transform_made_is_compared_with_nothing() {
        let shelves = Beside::default();
        shelves.watch(&sensor(), alone());
        put(&shelves, OF, 0..10);
        let last = |seqs, count| shelves.look(&sensor(), |shelf| shelf.readings().sum(seqs, count).is_some());
        assert_eq!((last((5, 9), 5), last((5, 9), 6)), (Some(true), Some(false)));
        put(&shelves, Digest([2; 32]), 10..12);
        assert_eq!((last((9, 11), 3), last((10, 11), 2)), (Some(false), Some(true)));
    }

    #[test]
    fn an_hour_of_each_of_a_thousand_sensors_fits() {
        let shelves = Beside::default();
        let name = |number: usize| SensorId::new(&format!("s-{number}")).unwrap();
        (0..1000).for_each(|number| shelves.watch(&name(number), alone()));
        let (hour, step) = (3_600_000_000, 10_000_000);
        // Each sensor has a reading each ten seconds; the reference speaks five minutes after the hour.
        let mut seq = 0;
        let mut first = [0; 1000];
        for hours in 0..4 {
            for ten in 0..360i64 {
                let time = Timestamp::from_micros(hours * hour + ten * step).unwrap();
                let mut readings = Vec::new();
                for (number, first) in first.iter_mut().enumerate() {
                    *first = if ten == 0 { seq } else { *first };
                    readings.push((name(number), Some(OF), Shelved { time, ..reading(seq, 1.0) }));
                    seq += 1;
                }
                shelves.put(&mut readings);
            }
            let (begin, end) = (hours * hour, (hours + 1) * hour);
            let span = [begin, end].map(|at| Timestamp::from_micros(at).unwrap());
            for (number, first) in first.iter().enumerate() {
                let seqs = (*first, first + 359_000);
                let interval = Interval { begin: span[0], end: span[1], seqs, readings: 360 };
                let found = shelves.look(&name(number), |shelf| {
                    let found = shelf.readings().sum(seqs, 360).map(|sum| sum.is_exact);
                    shelf.learn(Some(interval));
                    found
                });
                // The first one tells how long they are.
                assert_eq!(found, Some((hours > 0).then_some(true)), "sensor {number}, hour {hours}");
            }
        }
        let held: usize = shelves.inner().shelves.values().map(|shelf| shelf.readings.bytes()).sum();
        assert!(held <= MOST * 64, "{held} bytes");
    }

    #[test]
    fn lost_values_are_counted_and_taken_once() {
        let shelves = Beside::default();
        shelves.watch(&sensor(), alone());
        put(&shelves, OF, 0..3);
        shelves.put(&mut vec![(sensor(), Some(OF), reading(3, f64::NAN))]);
        let seen = shelves.take().readings;
        let wanted = Readings { readings: 4, lost: 1, largest_step: 0.0 };
        assert_eq!(seen, [(sensor(), OF, wanted)]);
        assert!(shelves.take().readings.is_empty());
    }
}
