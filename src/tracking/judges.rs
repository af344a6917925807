//! Judging all sensors: from the store and back, forecasts aside, findings to the alerts.

use std::time::Duration;

use super::judging;
use super::run::Tracking;
use super::stored;
use crate::domain::alert::Event;
use crate::domain::calibration::Moment;
use crate::domain::drift::forecast;
use crate::domain::id::SensorId;
use crate::domain::pairing::Pair;
use crate::domain::time::Timestamp;
use crate::store::{Judges, StoreError};

/// What was judged is stored after so many pairs, ...
const PAIRS: u64 = 4096;
/// ... but not before so many of each sensor, for what is stored of one is as much as some forty pairs, ...
const PAIRS_OF_EACH: u64 = 16;
/// ... or after so long; a start takes in the pairs that were stored since.
const AGE: Duration = Duration::from_secs(6 * 3600);
/// Pairs that are read at a time.
const PAGE: usize = 1000;

/// When what was judged has to be stored.
#[derive(Debug, Default)]
pub struct Saving {
    pairs: u64,
    last: Duration,
}

impl Saving {
    /// Notes a pair that was counted.
    pub fn pair(&mut self) {
        self.pairs += 1;
    }
}

impl Tracking {
    /// Goes on from what was judged before the start, or before another configuration.
    pub(super) async fn resume_judges(&mut self, known: Judges) -> Result<(), StoreError> {
        let mut states: std::collections::HashMap<SensorId, String> = known.states.into_iter().collect();
        for (id, tracker) in &mut self.trackers {
            tracker.judging_mut().resume(states.remove(id).as_deref());
        }
        let mut after = known.upto;
        loop {
            let page = self.parts.store.pairs_written_after(after, PAGE).await?;
            let now = self.moment();
            for (number, pair) in &page {
                after = *number;
                if let Some(tracker) = self.trackers.get_mut(&pair.sensor) {
                    tracker.judge(pair, now);
                }
            }
            if page.len() < PAGE {
                break;
            }
        }
        self.judge_anew().await
    }

    /// Tells of sensors that are not compared, that nothing is found of them: what was found before the start, or
    /// before another configuration, is over.
    pub(super) async fn tell_of_others(&mut self) {
        for sensor in self.parts.sensors.all() {
            if self.trackers.contains_key(&sensor.id) {
                continue;
            }
            for kind in judging::KINDS {
                let (sensor, cohort) = (sensor.id.clone(), sensor.comparison.group());
                let event = Event::Judged { sensor, kind, source: None, cohort, finding: None };
                self.parts.alerting.tell(event).await;
            }
        }
    }

    /// Takes in all stored pairs of the sensors of which some were taken away.
    pub(super) async fn judge_anew(&mut self) -> Result<(), StoreError> {
        if self.unknown {
            return Ok(());
        }
        let stale = self.trackers.iter().filter(|(_, tracker)| tracker.judging().is_stale());
        let stale: Vec<SensorId> = stale.map(|(id, _)| id.clone()).collect();
        if stale.is_empty() {
            return Ok(());
        }
        let (now, trackers) = (self.moment(), &mut self.trackers);
        let mut judging =
            |id: &SensorId| trackers.get_mut(id).into_iter().for_each(|it| it.judging_mut().begin());
        stale.iter().for_each(&mut judging);
        let mut take = |pair: &Pair| {
            trackers.get_mut(&pair.sensor).into_iter().for_each(|tracker| tracker.judge(pair, now));
        };
        let all = stale.iter().map(|id| (id.clone(), Timestamp::EPOCH)).collect();
        if let Err(error) = stored::pairs(&self.parts.store, all, &mut take).await {
            stale.iter().for_each(|id| {
                trackers.get_mut(id).into_iter().for_each(|tracker| tracker.judging_mut().make_stale());
            });
            return Err(error);
        }
        // The order in which pairs came is lost with those that were taken away.
        self.save_judges().await
    }

    /// Stores what was judged, if it is time.
    pub(super) async fn save_judges_in_time(&mut self) -> Result<(), StoreError> {
        let age = self.parts.clock.monotonic().saturating_sub(self.saving.last);
        let enough = PAIRS.max(PAIRS_OF_EACH.saturating_mul(self.trackers.len() as u64));
        if self.saving.pairs >= enough || age >= AGE {
            self.save_judges().await?;
        }
        Ok(())
    }

    /// Stores what was judged before something else begins.
    pub(super) async fn finish(&mut self) {
        if self.trackers.is_empty() {
            // Nothing was judged: what is stored holds, up to where it says.
            return;
        }
        if let Err(error) = self.save_judges().await {
            tracing::warn!("what was judged of the sensors is taken in again at the next start: {error}");
        }
    }

    /// Stores what was judged. All pairs that are stored have to have been counted.
    pub(super) async fn save_judges(&mut self) -> Result<(), StoreError> {
        if self.unknown {
            return Ok(());
        }
        let judged = self.trackers.keys().cloned().collect();
        let unsaved = self.trackers.iter().filter_map(|(id, tracker)| {
            let state = tracker.judging().to_save()?;
            Some((id.clone(), state))
        });
        self.parts.store.save_judges(unsaved.collect(), judged).await?;
        self.trackers.values_mut().for_each(|tracker| tracker.judging_mut().saved());
        self.saving = Saving { pairs: 0, last: self.parts.clock.monotonic() };
        Ok(())
    }

    /// Looks once a second at what is due: one activation, one forecast, all judgements.
    pub(super) async fn judge(&mut self) {
        let now = self.moment();
        self.look_activation_up().await;
        self.foretell(now).await;
        let elapsed = self.parts.clock.monotonic();
        for (id, tracker) in &mut self.trackers {
            if tracker.judging().is_due(elapsed) {
                let source = self.parts.sensors.owner(id).map(|owner| owner.source);
                for event in tracker.findings(source, now, elapsed) {
                    self.parts.alerting.tell(event).await;
                }
            }
        }
    }

    async fn look_activation_up(&mut self) {
        let wanted = |(id, digest): (&SensorId, _)| (id.clone(), digest);
        let first = self.trackers.iter().find_map(|(id, it)| Some((id, it.judging().wants_activation()?)));
        let Some((id, digest)) = first.map(wanted) else { return };
        // A ledger that does not answer is asked again; where it knows nothing, the first pair's time does instead.
        let Ok(past) = self.parts.store.activations(id.clone()).await else { return };
        let since = past.iter().rev().find(|put| put.digest == digest).map(|put| put.since);
        if let Some(tracker) = self.trackers.get_mut(&id) {
            tracker.judging_mut().activated(digest, since);
        }
    }

    /// Makes one forecast that is due, beside this thread: it takes milliseconds, in which readings flow on.
    async fn foretell(&mut self, gateway: Moment) {
        let due = self.trackers.iter().find_map(|(id, tracker)| {
            let now = tracker.judged_at(gateway);
            Some((id.clone(), now, tracker.judging().forecast_due(now)?))
        });
        let Some((id, now, (past, question))) = due else { return };
        let made = tokio::task::spawn_blocking(move || forecast::forecast(&past, &question, now)).await;
        if let (Some(tracker), Ok(forecast)) = (self.trackers.get_mut(&id), made) {
            tracker.judging_mut().foretell(forecast, now);
        }
    }
}
