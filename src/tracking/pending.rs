//! References and pairs that wait to be written.

use std::collections::HashSet;

use crate::domain::id::{Id, SensorId};
use crate::domain::pairing::Pair;
use crate::domain::reference::Reference;

/// How many of each may wait.
const MOST: usize = 10_000;

/// A pair that waits.
#[derive(Debug)]
pub struct Made {
    /// The pair.
    pub pair: Pair,
    /// The covariates beside it that have to be looked up, by role.
    pub beside: Vec<(String, SensorId)>,
}

/// What waits, in the order in which it came.
#[derive(Debug, Default)]
pub struct Pending {
    references: Vec<Reference>,
    pairs: Vec<Made>,
    /// Which references those pairs are of.
    of: HashSet<(SensorId, Id)>,
}

impl Pending {
    /// Takes a reference.
    pub fn reference(&mut self, reference: Reference) {
        self.references.push(reference);
    }

    /// Takes a pair, in the place of one of the same reference.
    pub fn pair(&mut self, made: Made) {
        self.forget(&made.pair.sensor, &made.pair.reference);
        self.of.insert((made.pair.sensor.clone(), made.pair.reference.clone()));
        self.pairs.push(made);
    }

    /// Forgets the pair of a reference.
    pub fn forget(&mut self, sensor: &SensorId, reference: &Id) {
        if self.of.remove(&(sensor.clone(), reference.clone())) {
            self.pairs.retain(|made| made.pair.sensor != *sensor || made.pair.reference != *reference);
        }
    }

    /// Whether the pair of a reference waits.
    pub fn has(&self, reference: &Reference) -> bool {
        self.of.contains(&(reference.sensor.clone(), reference.id.clone()))
    }

    /// The first references, at most so many.
    pub fn first_references(&self, most: usize) -> &[Reference] {
        &self.references[..self.references.len().min(most)]
    }

    /// Gives back the first references: they are written.
    pub fn wrote_references(&mut self, count: usize) -> Vec<Reference> {
        self.references.drain(..count).collect()
    }

    /// The first pairs, at most so many.
    pub fn first_pairs(&mut self, most: usize) -> &mut [Made] {
        let count = self.pairs.len().min(most);
        &mut self.pairs[..count]
    }

    /// Gives back the first pairs: they are written.
    pub fn wrote_pairs(&mut self, count: usize) -> Vec<Pair> {
        let written: Vec<Pair> = self.pairs.drain(..count).map(|made| made.pair).collect();
        for pair in &written {
            self.of.remove(&(pair.sensor.clone(), pair.reference.clone()));
        }
        written
    }

    /// Forgets the youngest of what is too much; says how many those were.
    pub fn shorten(&mut self) -> usize {
        let left_out = [self.references.len(), self.pairs.len()].map(|waiting| waiting.saturating_sub(MOST));
        self.references.truncate(MOST);
        for made in self.pairs.drain(self.pairs.len().min(MOST)..) {
            self.of.remove(&(made.pair.sensor, made.pair.reference));
        }
        left_out.iter().sum()
    }
}
