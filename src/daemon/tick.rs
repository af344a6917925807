//! Once a second: measure, note what the brokers have acknowledged, and now and then say that the gateway is well.

use std::sync::Arc;
use std::time::Duration;

use super::commits::Aftermath;
use crate::sync::link::Link;
use crate::telemetry::clock::ClockEvents;
use crate::wire::message::Status;

/// Between two measurements of the backlog, and of the moved cursors.
const TICK: Duration = Duration::from_secs(1);
/// Ticks between two status messages.
const STATUS_TICKS: u32 = 60;

/// Measures, writes cursors, and says now and then that the gateway is well.
pub async fn tick(
    aftermath: Arc<Aftermath>,
    mut clock: ClockEvents,
    uplink: Option<Link>,
    topic: String,
    status: impl Fn() -> Status,
) {
    let mut ticks = 0u32;
    let mut look = || clock.state(status().clock, aftermath.clock.now(), aftermath.clock.monotonic());
    look();
    loop {
        tokio::time::sleep(TICK).await;
        aftermath.progress().await;
        aftermath.measure();
        let changed = look();
        let Some(link) = &uplink else { continue };
        link.pump();
        let backlog = link.measure();
        ticks = ticks.wrapping_add(1);
        if changed || ticks.is_multiple_of(STATUS_TICKS) {
            let mut status = status();
            let oldest = aftermath.store.read_after(0, 1, u64::MAX).await.ok();
            status.store.oldest = oldest.and_then(|rows| rows.first().map(|row| row.time));
            status.store.backlog = backlog;
            link.retain(topic.clone(), serde_json::to_vec(&status).unwrap_or_default());
        }
    }
}
