//! `GET /v1/status`: answered whatever else does not work.

use axum::extract::State;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::alerts;
use super::answer::{Answer, json};
use super::attention::{Seen, attention, restores};
use super::gateway::{Gateway, PATIENCE};
use crate::domain::id::Id;
use crate::domain::time::Timestamp;
use crate::store::Health;
use crate::sync::link::Link;
use crate::telemetry::metrics::Labels;
use crate::wire::control::{
    CheckStatus, DiskStatus, LinkStatus, OpenedSession, SensorCounts, SourceStatus, Status, StoreStatus,
};

/// The gateway's state.
pub async fn show(State(gateway): State<Gateway>) -> Answer {
    let oldest = tokio::time::timeout(PATIENCE, gateway.store.read_after(0, 1, u64::MAX));
    let (oldest, in_force, alerts, sessions) = tokio::join!(
        oldest,
        gateway.in_force(),
        alerts::standing(&gateway, None, PATIENCE),
        sessions(&gateway)
    );
    let oldest = oldest.ok().and_then(Result::ok).and_then(|rows| Some(rows.first()?.time));
    let in_force = in_force.ok();
    let alerts = alerts.ok().map(|(alerts, _)| alerts);
    let now = gateway.clock.now();
    let health = gateway.store.health();
    let root = *gateway.root.borrow();
    let mut status = Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        gateway: gateway.gateway.clone(),
        fleet: gateway.fleet.clone(),
        started: gateway.started,
        time: now,
        clock: gateway.time.of(&gateway.clock),
        root_version: root.map(|root| root.version),
        incarnation: gateway.incarnation.to_string(),
        link: link(&gateway.link),
        store: store(&health, oldest),
        sources: gateway.sources.borrow().iter().map(|(name, kind)| source(&gateway, name, kind)).collect(),
        sensors: SensorCounts {
            known: gateway.sensors.count() as u64,
            calibrated: in_force.as_ref().map(|in_force| in_force.len() as u64),
            in_maintenance: gateway.maintenance.all().len() as u64,
            alerts: alerts.as_deref().map(alerts::open),
        },
        sessions,
        attention: Vec::new(),
    };
    let seen = Seen {
        in_force: in_force.as_ref(),
        alarms: &gateway.metrics.alarms,
        alerts: alerts.as_deref(),
        health: &health,
        root,
    };
    status.attention = attention(&status, &seen);
    let restores = restores(now, gateway.restored, gateway.store.restore_waits());
    status.attention.extend(restores);
    json(&status)
}

async fn sessions(gateway: &Gateway) -> Option<Vec<OpenedSession>> {
    let open = tokio::time::timeout(PATIENCE, gateway.recalibration.open(false)).await.ok().flatten()?;
    Some(open.sessions.into_iter().map(OpenedSession::from).collect())
}

fn link(link: &Link) -> Option<LinkStatus> {
    link.is_configured().then(|| LinkStatus {
        connected: link.is_connected(),
        backlog: link.measure(),
        problem: link.problem(),
    })
}

fn store(health: &Health, oldest: Option<Timestamp>) -> StoreStatus {
    StoreStatus {
        written: health.rows,
        waiting: health.waiting,
        dropped: health.dropped,
        expired: health.expired,
        failing: health.failing.map(|kind| kind.as_str().to_owned()),
        oldest,
        disk: health.disk.map(|disk| DiskStatus {
            stage: disk.stage.as_str().to_owned(),
            free: disk.space.free,
            total: disk.space.total,
        }),
        checked: health
            .checked
            .map(|check| CheckStatus { time: check.at, result: check.result.as_str().to_owned() }),
    }
}

fn source(gateway: &Gateway, name: &Id, kind: &str) -> SourceStatus {
    let labels: Labels = vec![("source", name.to_string())];
    let count = |of: &Family<Labels, Counter>| of.get(&labels).map_or(0, |counter| counter.get());
    let metrics = &gateway.metrics;
    SourceStatus {
        name: name.clone(),
        kind: kind.to_owned(),
        up: metrics.source_up.get(&labels).is_some_and(|up| up.get() == 1),
        samples: count(&metrics.readings),
        reconnects: count(&metrics.source_reconnects),
    }
}
