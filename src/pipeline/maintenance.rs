//! Sensors in maintenance: their readings are flagged until somebody ends it or its time is over.
//!
//! Within a run the time that really passes decides, so a clock that is set ends nothing early or late. The
//! ledger's `until` follows the clock; after a restart what is left by it counts, never more than the whole.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, sleep_until};

use super::run::Request;
use crate::alerting::Alerting;
use crate::domain::id::SensorId;
use crate::domain::time::Timestamp;
use crate::runtime::clock::Clock;
use crate::store::{Store, StoreError, Upkeep};

/// Between two looks at whether the clock was set.
const LOOK: Duration = Duration::from_secs(60);
/// The clock was set if the end moved by so many microseconds.
const SET: i64 = 2_000_000;
/// Wait before an end is tried again that the ledger did not take.
const RETRY: Duration = Duration::from_secs(10);

/// Which sensors are in maintenance. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Maintenance(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    pipeline: mpsc::Sender<Request>,
    alerting: Alerting,
    clock: Clock,
    entries: Mutex<BTreeMap<SensorId, Entry>>,
    /// Held over a change, so that the ledger, the pipeline and the entries agree.
    changing: tokio::sync::Mutex<()>,
    changed: Notify,
}

#[derive(Debug, Clone)]
struct Entry {
    upkeep: Upkeep,
    ends: Instant,
}

impl Maintenance {
    /// What the ledger says; the pipeline is told by [`Maintenance::run`], the alerts know it.
    pub fn new(
        stored: Vec<Upkeep>,
        store: Store,
        pipeline: mpsc::Sender<Request>,
        alerting: Alerting,
        clock: Clock,
    ) -> Maintenance {
        let now = clock.now();
        let entry = |upkeep: Upkeep| {
            let whole = upkeep.until.micros_since(upkeep.since).max(0);
            let left = upkeep.until.micros_since(now).clamp(0, whole);
            let ends = Instant::now() + Duration::from_micros(left.unsigned_abs());
            (upkeep.sensor.clone(), Entry { upkeep, ends })
        };
        let mut entries = BTreeMap::new();
        entries.extend(stored.into_iter().map(entry));
        let entries = Mutex::new(entries);
        let (changing, changed) = Default::default();
        Maintenance(Arc::new(Inner { store, pipeline, alerting, clock, entries, changing, changed }))
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<SensorId, Entry>> {
        // No code panics while holding the lock with a half-made change.
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sensors in maintenance, their ends by the clock as it is now.
    pub fn all(&self) -> BTreeMap<SensorId, Upkeep> {
        let show = |(id, entry): (&SensorId, &Entry)| {
            let until = self.by_the_clock(entry.ends);
            (id.clone(), Upkeep { until, ..entry.upkeep.clone() })
        };
        let mut all = BTreeMap::new();
        all.extend(self.entries().iter().map(show));
        all
    }

    fn by_the_clock(&self, ends: Instant) -> Timestamp {
        let left = ends.saturating_duration_since(Instant::now()).as_micros();
        self.0.clock.now().saturating_add_micros(i64::try_from(left).unwrap_or(i64::MAX))
    }

    /// Begins the maintenance of a sensor, or changes how long it lasts and why.
    pub async fn begin(
        &self,
        sensor: SensorId,
        length: Duration,
        reason: Option<String>,
        actor: String,
    ) -> Result<Upkeep, StoreError> {
        let _turn = self.0.changing.lock().await;
        let now = self.0.clock.now();
        let since = self.entries().get(&sensor).map_or(now, |entry| entry.upkeep.since);
        let ends = Instant::now() + length;
        let upkeep = Upkeep { sensor: sensor.clone(), since, until: self.by_the_clock(ends), reason, actor };
        self.0.store.begin_maintenance(upkeep.clone()).await?;
        self.entries().insert(sensor.clone(), Entry { upkeep: upkeep.clone(), ends });
        self.0.alerting.maintained(sensor.clone(), true).await;
        self.tell(sensor, true).await;
        self.0.changed.notify_one();
        Ok(upkeep)
    }

    /// Ends the maintenance of a sensor; says whether it was in any.
    pub async fn end(&self, sensor: SensorId, actor: String) -> Result<bool, StoreError> {
        let _turn = self.0.changing.lock().await;
        if !self.entries().contains_key(&sensor) {
            return Ok(false);
        }
        self.over(sensor, actor, "maintenance.off").await.map(|()| true)
    }

    async fn over(&self, sensor: SensorId, actor: String, action: &'static str) -> Result<(), StoreError> {
        self.0.store.end_maintenance(sensor.clone(), actor, action).await?;
        self.entries().remove(&sensor);
        self.0.alerting.maintained(sensor.clone(), false).await;
        self.tell(sensor, false).await;
        Ok(())
    }

    async fn tell(&self, sensor: SensorId, on: bool) {
        // An error means that the pipeline is ending: the ledger has the change for the next start.
        let _ = self.0.pipeline.send(Request::Maintenance(sensor, on)).await;
    }

    /// Ends what is over, for as long as the daemon runs.
    pub async fn run(self) {
        let begun: Vec<SensorId> = self.entries().keys().cloned().collect();
        for sensor in begun {
            self.tell(sensor, true).await;
        }
        loop {
            let next = self.entries().values().map(|entry| entry.ends).min();
            let look = Instant::now() + LOOK;
            tokio::select! {
                () = sleep_until(next.map_or(look, |next| next.min(look))) => {}
                () = self.0.changed.notified() => continue,
            }
            if let Err(error) = self.look().await {
                tracing::warn!("maintenance stays as it is: {error}; it is tried again");
                sleep(RETRY).await;
            }
        }
    }

    /// Ends what is over, and has the ledger follow a clock that was set.
    async fn look(&self) -> Result<(), StoreError> {
        let _turn = self.0.changing.lock().await;
        let entries: Vec<Entry> = self.entries().values().cloned().collect();
        for Entry { upkeep, ends } in entries {
            let sensor = upkeep.sensor.clone();
            if ends <= Instant::now() {
                tracing::info!(%sensor, "the time of its maintenance is over");
                self.over(sensor, "calibd".to_owned(), "maintenance.expired").await?;
                continue;
            }
            let until = self.by_the_clock(ends);
            if until.micros_since(upkeep.until).abs() > SET {
                self.0.store.move_maintenance(sensor.clone(), until).await?;
                let moved = Entry { upkeep: Upkeep { until, ..upkeep }, ends };
                self.entries().insert(sensor, moved);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
