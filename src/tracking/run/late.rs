//! References that are looked up in the store: they came late, or by the name of an event.

use std::collections::VecDeque;

use super::Tracking;
use crate::domain::id::{Id, SensorId};
use crate::domain::pairing::{Decision, Outcome};
use crate::domain::reference::Reference;
use crate::domain::time::Timestamp;
use crate::store::StoreError;

/// References that may wait to be looked up before no more are taken.
const MOST: usize = 4096;

/// References that are to be looked up.
#[derive(Debug, Default)]
pub(super) struct Late {
    due: VecDeque<Reference>,
    /// Those whose sensor has too many that wait, with the time when they are looked up again.
    aside: VecDeque<(Timestamp, Reference)>,
}

impl Late {
    /// Whether more may come.
    pub(super) fn has_room(&self) -> bool {
        self.due.len() < MOST
    }

    /// Whether there is one to look up now.
    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Adds one to be looked up now.
    pub(super) fn push(&mut self, reference: Reference) {
        self.due.push_back(reference);
    }

    /// The next to look up.
    fn next(&mut self) -> Option<Reference> {
        self.due.pop_front()
    }

    /// Sets one aside until a time; of too many the one that waits longest goes.
    fn set_aside(&mut self, until: Timestamp, reference: Reference) {
        self.aside.retain(|(_, other)| (&other.sensor, &other.id) != (&reference.sensor, &reference.id));
        if self.aside.len() >= MOST
            && let Some((_, gone)) = self.aside.pop_front()
        {
            tracing::warn!(sensor = %gone.sensor, "too many references wait for readings: one waits until calibd starts again");
        }
        self.aside.push_back((until, reference));
    }

    /// Forgets these references of a sensor.
    pub(super) fn withdraw(&mut self, sensor: &SensorId, ids: &[Id]) {
        let stays = |it: &Reference| it.sensor != *sensor || !ids.contains(&it.id);
        self.due.retain(stays);
        self.aside.retain(|(_, reference)| stays(reference));
    }
}

impl Tracking {
    pub(super) async fn compare_all(&mut self, references: Vec<Reference>) -> Result<(), StoreError> {
        for reference in references {
            self.compare(reference).await?;
        }
        Ok(())
    }

    /// Takes up a sensor that names no reference, and has got one all the same.
    async fn take_up_by_hand(&mut self, id: &SensorId) -> Result<(), StoreError> {
        let newest = self.parts.store.latest(Some(vec![id.clone()])).await?;
        // One that a template made before the last start may not have been seen again yet.
        let past = || newest.first().and_then(|_| self.parts.sensors.known_or_possible(id));
        let Some(sensor) = self.parts.sensors.get(id).or_else(past) else { return Ok(()) };
        self.take_up(sensor, newest.first(), true).await
    }

    /// Pairs a reference that is stored.
    pub(super) async fn compare(&mut self, reference: Reference) -> Result<(), StoreError> {
        let (id, now) = (reference.sensor.clone(), self.now());
        if !self.trackers.contains_key(&id) {
            self.take_up_by_hand(&id).await?;
        }
        let Some(tracker) = self.trackers.get_mut(&id) else { return Ok(()) };
        if reference.event.is_some() {
            // The reading of its event may be of any time.
            self.late.push(reference);
            return Ok(());
        }
        let mut settled = tracker.reference(reference, now);
        settled.append(&mut tracker.settle(now));
        self.decided(settled);
        Ok(())
    }

    /// Looks one late reference up.
    pub(super) async fn look_up(&mut self) {
        let Some(reference) = self.late.next() else { return };
        // A reload may have let go of a sensor that has no pairs yet.
        if !self.trackers.contains_key(&reference.sensor)
            && let Err(error) = self.take_up_by_hand(&reference.sensor).await
        {
            tracing::warn!("a reference of {} is not paired: {error}", reference.sensor);
        }
        let Some(tracker) = self.trackers.get(&reference.sensor) else { return };
        let (how, now) = (*tracker.how(), tracker.now(self.now()));
        let store = &self.parts.store;
        let found = async {
            // Nothing that is yet to be written can change it.
            if let Some(found) = store.pair_by_event(&reference, &how, now).await? {
                return Ok(found);
            }
            store.flush().await?;
            store.pair(&reference, &how, now).await
        };
        match found.await {
            Ok(Outcome::Waiting { until }) => self.wait(reference, until),
            Ok(outcome) => self.settled(&reference, outcome),
            Err(error) => tracing::warn!("a reference of {} is not paired: {error}", reference.sensor),
        }
    }

    /// Has a reference wait with the others of its sensor; aside, where those are too many.
    fn wait(&mut self, reference: Reference, until: Timestamp) {
        let (now, id) = (self.now(), reference.id.clone());
        let Some(tracker) = self.trackers.get_mut(&reference.sensor) else { return };
        for decision in tracker.reference(reference, now) {
            match decision {
                // To look it up at once would find the same.
                Decision::Look(reference, _) if reference.id == id => self.late.set_aside(until, reference),
                decision => self.decided(vec![decision]),
            }
        }
    }

    /// Has those looked up that were set aside until now.
    pub(super) fn take_up_aside(&mut self, now: Timestamp) {
        let trackers = &self.trackers;
        let is_due = |until: Timestamp, reference: &Reference| {
            trackers.get(&reference.sensor).is_none_or(|tracker| until <= tracker.now(now))
        };
        for (until, reference) in std::mem::take(&mut self.late.aside) {
            if is_due(until, &reference) {
                self.late.due.push_back(reference);
            } else {
                self.late.aside.push_back((until, reference));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::quality::State;
    use crate::domain::reference::{Origin, Span};

    fn reference(id: usize) -> Reference {
        Reference {
            id: Id::new(&format!("r-{id}")).unwrap(),
            sensor: Id::new("leak-1").unwrap(),
            span: Span::point(Timestamp::EPOCH),
            value: 1.0,
            u: None,
            unit: "1".into(),
            given: None,
            standard: None,
            due: None,
            flag: State::Valid,
            origin: Origin::Mqtt,
            source: None,
            event: None,
            received: Timestamp::EPOCH,
        }
    }

    #[test]
    fn what_is_set_aside_is_bounded_and_one_of_a_name() {
        let mut late = Late::default();
        for id in (0..MOST + 2).chain([MOST + 1]) {
            late.set_aside(Timestamp::EPOCH, reference(id));
        }
        assert_eq!((late.aside.len(), &late.aside[0].1.id), (MOST, &reference(2).id));
        late.withdraw(&reference(0).sensor, &[reference(2).id]);
        assert_eq!((late.aside.len(), late.has_room(), late.is_due()), (MOST - 1, true, false));
    }
}
