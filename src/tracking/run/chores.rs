//! What is done bit by bit, so that neither readings nor people have to wait for it.

use super::{LATE, Tracking};
use crate::domain::id::SensorId;
use crate::domain::pairing::{Decision, Outcome, Window};
use crate::domain::reference::Reference;
use crate::domain::time::Timestamp;
use crate::store::{Range, ReferenceRange, StoreError};
use crate::tracking::follow::reference_of;

/// Readings that are read at a time.
const PAGE: usize = 1000;
/// References that are looked at at a time.
const FEW: usize = 200;
/// Readings of one reference that are looked through.
const MOST: usize = 20_000;
/// Late references that are looked up at a time.
const TOGETHER: usize = 64;

/// Something to be looked for in the store, and how far that has come.
#[derive(Debug)]
pub(super) enum Chore {
    /// The latest readings of a sensor that is a reference, the newest first: some may have been followed by
    /// nobody. Those that were change nothing.
    Readings { reference: SensorId, window: Window, before: Option<u64>, done: usize },
    /// References that came at or after a time.
    References { automatic: bool, came: Timestamp, after: u64 },
}

impl Chore {
    /// Whether what is to be done for the other is yet to be done for this one.
    pub(super) fn is_like(&self, other: &Chore) -> bool {
        match (self, other) {
            (Chore::Readings { reference, before: None, .. }, Chore::Readings { reference: same, .. }) => {
                reference == same
            }
            (Chore::References { automatic, after: 0, .. }, Chore::References { automatic: same, .. }) => {
                automatic == same
            }
            _ => false,
        }
    }
}

impl Tracking {
    /// Whether there is something to do, and the store has not just refused.
    pub(super) fn has_work(&self) -> bool {
        !self.resting && (self.behind || !self.late.is_empty() || !self.chores.is_empty())
    }

    /// Does a bit of what there is to do.
    pub(super) async fn work(&mut self) {
        let done = if self.behind {
            self.catch_up().await
        } else if !self.late.is_empty() {
            self.look_up().await
        } else {
            self.do_chore().await
        };
        match done {
            Ok(()) => self.failing = false,
            Err(error) => self.failed(&error),
        }
    }

    /// Rests until the next tick, since the store does not answer.
    pub(super) fn failed(&mut self, error: &StoreError) {
        self.resting = true;
        if !std::mem::replace(&mut self.failing, true) {
            tracing::warn!("comparing sensors with references waits for the store: {error}");
        }
    }

    /// Reads what was shown while this task was busy; the store has it, if not yet then soon.
    async fn catch_up(&mut self) -> Result<(), StoreError> {
        let mut page = self.parts.store.read_after(self.last, PAGE, u64::MAX).await?;
        if page.len() < PAGE {
            self.parts.store.flush().await?;
            page = self.parts.store.read_after(self.last, PAGE, u64::MAX).await?;
        }
        self.readings(&page);
        // What has come since is on its way here.
        self.behind = page.len() >= PAGE;
        self.keep().await;
        Ok(())
    }

    /// Looks late references up.
    async fn look_up(&mut self) -> Result<(), StoreError> {
        self.parts.store.flush().await?;
        for _ in 0..self.late.len().min(TOGETHER) {
            let Some(reference) = self.late.pop_front() else { break };
            match self.outcome(&reference).await {
                Ok(Some(Outcome::Waiting { until })) => self.wait(reference, until),
                Ok(Some(outcome)) => self.settled(reference, outcome),
                Ok(None) => {}
                Err(error) => {
                    // Behind the others, which may fare better.
                    self.late.push_back(reference);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Has a label wait with the others of its sensor, where the reading of its event is noticed; aside, where those
    /// are too many. Any other reference waits aside: what it waits for is known from the store.
    fn wait(&mut self, reference: Reference, until: Timestamp) {
        if reference.event.is_none() {
            return self.set_aside(until, reference);
        }
        let (now, id) = (self.now(), reference.id.clone());
        let Some(tracker) = self.trackers.get_mut(&reference.sensor) else { return };
        for decision in tracker.reference(reference, now) {
            match decision {
                // To look it up at once would find the same.
                Decision::Look(reference, _) if reference.id == id => self.set_aside(until, reference),
                decision => self.decided(vec![decision]),
            }
        }
    }

    /// Sets a reference aside until a time; of too many the one that waits longest goes.
    fn set_aside(&mut self, until: Timestamp, reference: Reference) {
        if self.aside.len() >= LATE {
            // It is stored, and found again at the next start.
            self.aside.pop_front();
        }
        self.aside.push_back((until, reference));
    }

    /// Has those looked up that were set aside until now.
    pub(super) fn take_up_aside(&mut self, now: Timestamp) {
        for (until, reference) in std::mem::take(&mut self.aside) {
            let tracker = self.trackers.get(&reference.sensor);
            if tracker.is_none_or(|tracker| until <= tracker.now(now)) {
                self.delay(reference);
            } else {
                self.aside.push_back((until, reference));
            }
        }
    }

    /// What comes of a reference with the stored readings; `None` where its sensor is gone.
    async fn outcome(&mut self, reference: &Reference) -> Result<Option<Outcome>, StoreError> {
        // A reload may have let go of a sensor that has no pairs yet.
        if !self.trackers.contains_key(&reference.sensor) {
            self.take_up_by_hand(&reference.sensor).await?;
        }
        let Some(tracker) = self.trackers.get(&reference.sensor) else { return Ok(None) };
        let (how, now) = (*tracker.how(), tracker.now(self.now()));
        self.parts.store.pair(reference, &how, now).await.map(Some)
    }

    /// Has a reference looked up; if too many wait already, it is looked for again when they do not.
    pub(super) fn delay(&mut self, reference: Reference) {
        if self.late.len() < 2 * LATE {
            self.late.push_back(reference);
        } else {
            self.sweep(self.now());
        }
    }

    async fn do_chore(&mut self) -> Result<(), StoreError> {
        let Some(chore) = self.chores.pop_front() else { return Ok(()) };
        let next = match &chore {
            Chore::Readings { reference, window, before, done } => {
                self.follow_up(reference, *window, *before, *done).await
            }
            Chore::References { automatic, came, after } => self.pair_stored(*automatic, *came, *after).await,
        };
        match next {
            Ok(Some(next)) => self.chores.push_front(next),
            Ok(None) => {}
            Err(error) => {
                // Behind the others, which may fare better.
                self.chores.push_back(chore);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Makes references of a page of stored readings.
    async fn follow_up(
        &mut self,
        reference: &SensorId,
        window: Window,
        before: Option<u64>,
        done: usize,
    ) -> Result<Option<Chore>, StoreError> {
        let sensors = self.followers.of(reference).to_vec();
        let limit = (PAGE / sensors.len().max(1)).max(1);
        let (since, until) = (Some(window.since), Some(window.until));
        let range = Range { sensor: Some(reference.clone()), since, until, before, limit };
        let page = self.parts.store.select(range).await?;
        for reading in page.readings.iter().rev() {
            let references = sensors.iter().filter_map(|sensor| reference_of(sensor, reading));
            references.flatten().for_each(|reference| self.pending.reference(reference));
        }
        let done = done + page.readings.len();
        self.keep_references().await?;
        let before = page.before.filter(|_| done < MOST);
        Ok(before.map(|_| Chore::Readings { reference: reference.clone(), window, before, done }))
    }

    /// Pairs those of a page of stored references that nobody has paired.
    async fn pair_stored(
        &mut self,
        automatic: bool,
        came: Timestamp,
        after: u64,
    ) -> Result<Option<Chore>, StoreError> {
        self.keep_references().await?;
        let came = Some(came);
        let range = ReferenceRange { automatic, came, after, limit: FEW, ..ReferenceRange::default() };
        let page = self.parts.store.references(range).await?;
        let references = page.references.into_iter().map(|stored| stored.reference);
        let references = references.filter(|reference| !self.has(reference)).collect();
        self.compare_all(references).await?;
        Ok(page.after.zip(came).map(|(after, came)| Chore::References { automatic, came, after }))
    }
}
