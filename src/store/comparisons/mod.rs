//! References, standards and pairs: what sensors are compared with, and what comes of it.
//!
//! What people enter, import or measure in a session stays in the ledger; what comes by itself, and all
//! pairs, are in the history, and go with their age.

mod judges;
mod pairs;
mod references;

pub use self::judges::Judges;
pub(super) use self::judges::{judge_tables, judges, save_judges, written_after};
pub use self::pairs::{PairPage, PairRange, Paired};
pub(super) use self::pairs::{
    SHARED, delete_pairs, insert_pairs, pair_page, pair_tables, paired, with_pairs,
};
pub use self::references::{
    Added, ReferencePage, ReferenceRange, StoredReference, StoredStandard, Withdrawal,
};
pub(super) use self::references::{add_reference, counting, reference_page, reference_tables, withdraw};
use super::error::{FailureKind, StoreError};
use super::history::History;
use super::mailbox::Request;
use super::{Range, Store};
use crate::domain::id::{Id, SensorId};
use crate::domain::pairing::{Gather, How, Observed, Outcome, Pair, Window};
use crate::domain::reference::{Reference, Span, Standard};
use crate::domain::time::Timestamp;

/// Readings read at a time.
const PAGE: usize = 1000;

impl Store {
    /// Has the store's thread do something with the history.
    pub(super) async fn with_history<T: Send + 'static>(
        &self,
        work: impl FnOnce(&History) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.ask(|reply| {
            Request::History(Box::new(move |history| {
                let done = work(history);
                let broken = done.as_ref().is_err_and(|error| error.kind() == FailureKind::Corrupt);
                // A reply that nobody waits for any more is no fault.
                drop(reply.send(done));
                broken
            }))
        })
        .await
    }

    /// Adds references that somebody entered, imported or measured in a session: one durable transaction
    /// with its audit row for each sensor. One that is there already changes nothing; another value under
    /// the same id is a revision, which counts from then on. Says of each what it was, in their order.
    pub async fn add_references(
        &self,
        references: Vec<Reference>,
        actor: &str,
    ) -> Result<Vec<Added>, StoreError> {
        let actor = actor.to_owned();
        self.with_ledger(move |ledger, now| ledger.add_references(now, &references, &actor)).await
    }

    /// Keeps references that came by themselves, with the readings and as long as they; else as
    /// [`Store::add_references`], without audit rows. The pair of a version that was revised goes with that.
    pub async fn keep_references(&self, references: Vec<Reference>) -> Result<Vec<Added>, StoreError> {
        self.with_history(move |history| history.keep_references(&references)).await
    }

    /// References, a page of them.
    pub async fn references(&self, range: ReferenceRange) -> Result<ReferencePage, StoreError> {
        if range.automatic {
            return self.with_history(move |history| history.references(&range)).await;
        }
        self.with_ledger(move |ledger, _| ledger.references(&range)).await
    }

    /// Those of these references that still count: neither withdrawn nor revised since.
    pub async fn counting(&self, references: Vec<Reference>) -> Result<Vec<Reference>, StoreError> {
        let (kept, given): (Vec<_>, Vec<_>) =
            references.into_iter().partition(|reference| reference.origin.is_automatic());
        let mut counting = Vec::new();
        if !given.is_empty() {
            counting = self.with_ledger(move |ledger, _| ledger.counting(given)).await?;
        }
        if !kept.is_empty() {
            counting.extend(self.with_history(move |history| history.counting(kept)).await?);
        }
        Ok(counting)
    }

    /// Says of each reference whether it has its pair. One that was made of another version of it counts no
    /// more and is deleted, durably.
    pub async fn paired(&self, references: Vec<Reference>) -> Result<Vec<Paired>, StoreError> {
        self.with_history(move |history| history.paired(&references)).await
    }

    /// Withdraws references of a sensor, and the pairs made with them; gives back the ids of those that were
    /// not withdrawn already. Withdrawing again is harmless, and deletes pairs that came meanwhile.
    ///
    /// The pairs go first: a crash between the two leaves references without pairs, not the reverse.
    pub async fn withdraw_references(
        &self,
        sensor: SensorId,
        ids: Vec<Id>,
        actor: &str,
        reason: Option<String>,
    ) -> Result<Vec<Id>, StoreError> {
        let now = self.with_ledger(|ledger, now| ledger.usable().map(|_| now)).await?;
        let withdrawal = Withdrawal { at: now, actor: actor.to_owned(), reason };
        let (of, named, by) = (sensor.clone(), ids.clone(), withdrawal.clone());
        let kept = self.with_history(move |history| history.withdraw(&of, &named, &by)).await?;
        self.with_ledger(move |ledger, _| ledger.withdraw(&sensor, &ids, kept, &withdrawal)).await
    }

    /// Adds a reference standard, or what is new of a known one: one durable transaction with its audit row.
    /// Says whether anything was new.
    pub async fn add_standard(&self, standard: Standard, actor: &str) -> Result<bool, StoreError> {
        let actor = actor.to_owned();
        self.with_ledger(move |ledger, now| ledger.add_standard(now, &standard, &actor)).await
    }

    /// The reference standards as they are now, by id.
    pub async fn standards(&self) -> Result<Vec<StoredStandard>, StoreError> {
        self.with_ledger(|ledger, _| ledger.standards()).await
    }

    /// What comes of a reference with the stored readings: with that of its event, if there is one; else they
    /// are read a page at a time, the newest first.
    pub async fn pair(
        &self,
        reference: &Reference,
        how: &How,
        now: Timestamp,
    ) -> Result<Outcome, StoreError> {
        if let Some(outcome) = self.pair_by_event(reference, how, now).await? {
            return Ok(outcome);
        }
        let gather = self.gathered(&reference.sensor, Gather::of(reference, how)).await?;
        Ok(gather.finish(reference, now))
    }

    /// What comes of a label with the stored reading of its event; `None`: it names none, or no reading that
    /// can be used names that.
    pub async fn pair_by_event(
        &self,
        label: &Reference,
        how: &How,
        now: Timestamp,
    ) -> Result<Option<Outcome>, StoreError> {
        let Some(event) = label.event.clone() else { return Ok(None) };
        let sensor = label.sensor.clone();
        let named = self.with_history(move |history| history.of_event(&sensor, &event)).await?;
        let mut gather = Gather::of(label, how);
        named.iter().for_each(|reading| gather.push(&Observed::from(reading)));
        Ok(gather.is_certain().then(|| gather.finish(label, now)))
    }

    /// The value of a covariate's sensor beside a reference of this time.
    pub async fn beside(&self, sensor: &SensorId, span: Span) -> Result<Option<f64>, StoreError> {
        Ok(self.gathered(sensor, Gather::beside(span)).await?.value())
    }

    async fn gathered(&self, sensor: &SensorId, mut gather: Gather) -> Result<Gather, StoreError> {
        let Window { since, until } = gather.window();
        let (since, until) = (Some(since), Some(until));
        let mut range = Range { sensor: Some(sensor.clone()), since, until, before: None, limit: PAGE };
        loop {
            let page = self.select(range.clone()).await?;
            page.readings.iter().rev().for_each(|reading| gather.push(&Observed::from(reading)));
            if page.before.is_none() {
                return Ok(gather);
            }
            range.before = page.before;
        }
    }

    /// Keeps pairs: one durable transaction. The pair of a reference takes the place of an earlier one; says of
    /// each whether there was one.
    pub async fn insert_pairs(&self, pairs: Vec<Pair>) -> Result<Vec<bool>, StoreError> {
        self.with_history(move |history| history.insert_pairs(&pairs)).await
    }

    /// Those of these sensors that have pairs.
    pub async fn with_pairs(&self, sensors: Vec<SensorId>) -> Result<Vec<SensorId>, StoreError> {
        self.with_history(move |history| history.with_pairs(sensors)).await
    }

    /// A sensor's pairs from a time on, ascending, a page of them.
    pub async fn pairs(&self, range: PairRange) -> Result<PairPage, StoreError> {
        self.with_history(move |history| history.pairs(&range)).await
    }
}
