//! Once a second: measure, note what the brokers have acknowledged, and now and then say that the gateway is well.

use std::sync::Arc;
use std::time::Duration;

use super::commits::Aftermath;
use super::presence::Presence;
use crate::pipeline::time::TimeCheck;
use crate::runtime::clock::Clock;
use crate::store::disk::Stage;
use crate::store::{CheckResult, Health, Store};
use crate::sync::link::Link;
use crate::telemetry::metrics::Metrics;

/// Between two measurements of the backlog, and of the moved cursors.
const TICK: Duration = Duration::from_secs(1);
/// Ticks between two status messages.
const STATUS_TICKS: u32 = 60;
/// How much time has to have passed before it is added to the proven time.
const HOUR: Duration = Duration::from_secs(3600);

/// Adds the time that calibd runs to the newest proven time: what was proven cannot be later than that.
pub struct Uptime {
    time: TimeCheck,
    store: Store,
    clock: Clock,
    since: Duration,
}

impl Uptime {
    /// Counts from now.
    pub fn new(time: TimeCheck, store: Store, clock: Clock) -> Uptime {
        let since = clock.monotonic();
        Uptime { time, store, clock, since }
    }

    /// Adds what has passed, once it is an hour.
    async fn count(&mut self) {
        let now = self.clock.monotonic();
        let passed = now.saturating_sub(self.since);
        if passed < HOUR {
            return;
        }
        self.since = now;
        let micros = i64::try_from(passed.as_micros()).unwrap_or(i64::MAX);
        self.time.prove(self.time.floor().saturating_add_micros(micros));
        if let Err(error) = self.store.raise_time_floor(self.time.floor()).await {
            tracing::warn!(%error, "the time that has passed is not noted");
        }
    }
}

/// Shows the state of the store's files.
fn show(health: &Health, metrics: &Metrics) {
    if let Some(disk) = health.disk {
        metrics.store_free.set(i64::try_from(disk.space.free).unwrap_or(i64::MAX));
        for stage in Stage::ALL {
            let label = vec![("stage", stage.as_str().to_owned())];
            metrics.store_stage.get_or_create(&label).set(i64::from(stage == disk.stage));
        }
    }
    if let Some(check) = health.checked {
        metrics.store_check_time.set(check.at.as_micros() / 1_000_000);
        metrics.store_check_ok.set(i64::from(check.result == CheckResult::Ok));
    }
}

/// Measures, writes cursors, and says now and then that the gateway is well.
pub async fn tick(
    aftermath: Arc<Aftermath>,
    store: Store,
    mut uptime: Uptime,
    uplink: Link,
    presence: Presence,
) {
    let mut ticks = 0u32;
    let mut clock = presence.clock_state();
    loop {
        tokio::time::sleep(TICK).await;
        aftermath.progress().await;
        uptime.count().await;
        show(&store.health(), &aftermath.metrics);
        let now = presence.clock_state();
        let changed = std::mem::replace(&mut clock, now) != now;
        if changed {
            tracing::info!("the clock is now {now}");
        }
        if !uplink.is_configured() {
            continue;
        }
        uplink.pump();
        let backlog = uplink.measure();
        ticks = ticks.wrapping_add(1);
        if changed || ticks.is_multiple_of(STATUS_TICKS) {
            let mut status = presence.status(true);
            let oldest = store.read_after(0, 1, u64::MAX).await.ok();
            status.store.oldest = oldest.and_then(|rows| rows.first().map(|row| row.time));
            status.store.backlog = backlog;
            uplink.retain(presence.topic.clone(), serde_json::to_vec(&status).unwrap_or_default());
        }
    }
}
