//! Once a second: measure, note what the brokers have acknowledged, and now and then say that the gateway is well.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::commits::Aftermath;
use super::presence::Presence;
use crate::pipeline::run::Request;
use crate::pipeline::time::{Passing, TimeCheck};
use crate::runtime::clock::Clock;
use crate::store::Store;
use crate::sync::link::Link;
use crate::telemetry::clock::ClockEvents;

/// Between two measurements of the backlog, and of the moved cursors.
const TICK: Duration = Duration::from_secs(1);
/// Ticks between two status messages.
const STATUS_TICKS: u32 = 60;

/// Adds the time that calibd runs to the newest proven time.
pub struct Uptime {
    time: TimeCheck,
    store: Store,
    clock: Clock,
    passing: Passing,
}

impl Uptime {
    /// Counts from now.
    pub fn new(time: TimeCheck, store: Store, clock: Clock) -> Uptime {
        let passing = Passing::new(time.floor(), clock.monotonic());
        Uptime { time, store, clock, passing }
    }

    /// Adds what has passed, once it is an hour.
    async fn count(&mut self) {
        // Before the clock is read: what is proven in between is newer than that.
        let floor = self.time.floor();
        let Some(proven) = self.passing.proves(floor, self.clock.monotonic()) else { return };
        self.time.prove(proven);
        if let Err(error) = self.store.raise_time_floor(self.time.floor()).await {
            tracing::warn!(%error, "the time that has passed is not noted");
        }
    }
}

/// Measures, writes cursors, and says now and then that the gateway is well.
pub async fn tick(
    aftermath: Arc<Aftermath>,
    mut clock: ClockEvents,
    mut uptime: Uptime,
    uplink: Link,
    presence: Presence,
    pipeline: mpsc::Sender<Request>,
) {
    let mut ticks = 0u32;
    let mut root = presence.root_version();
    let mut look = || {
        let (wall, proven) = (presence.clock.now(), presence.time.floor());
        clock.state(presence.clock_state(), wall, proven, presence.clock.monotonic())
    };
    look();
    loop {
        tokio::time::sleep(TICK).await;
        aftermath.progress().await;
        uptime.count().await;
        aftermath.measure();
        // A pipeline that has other things to do is asked again at the next tick.
        let _ = pipeline.try_send(Request::Look);
        let before = std::mem::replace(&mut root, presence.root_version());
        let changed = look() || before != root;
        if !uplink.is_configured() {
            continue;
        }
        uplink.pump();
        let backlog = uplink.measure();
        ticks = ticks.wrapping_add(1);
        if changed || ticks.is_multiple_of(STATUS_TICKS) {
            let mut status = presence.status(true);
            let oldest = aftermath.store.read_after(0, 1, u64::MAX).await.ok();
            status.store.oldest = oldest.and_then(|rows| rows.first().map(|row| row.time));
            status.store.backlog = backlog;
            uplink.retain(presence.topic.clone(), serde_json::to_vec(&status).unwrap_or_default());
        }
    }
}
