use std::path::Path;

use serde_json::json;
use tokio::sync::{mpsc, watch};

use super::*;
use crate::alerting::Alerting;
use crate::domain::session::{At, Plan};
use crate::domain::time::Timestamp;
use crate::domain::trust::key::PrivateKey;
use crate::pipeline::live::Live;
use crate::pipeline::maintenance::Maintenance;
use crate::pipeline::time::TimeCheck;
use crate::recalibration::Recalibration;
use crate::runtime::clock::Clock;
use crate::source::binding::Sensors;
use crate::store::{self, Opened, Options, SessionStep};
use crate::sync::link::Link;
use crate::telemetry::metrics::Metrics;

const HOUR: Duration = Duration::from_secs(3600);

fn id(text: &str) -> Id {
    Id::new(text).unwrap()
}

/// A session at co-1.
fn session(name: &str) -> Session {
    let plan = json!({
        "fleet": "f", "gateway": "gw-1", "sensor": "co-1", "quantity": "q", "item": {}, "input_unit": "nA",
        "unit": "mg/m3", "mpe": { "absolute": 0.5 }, "rule": "guard_band", "level": 0.95,
        "response_seconds": 30.0, "patience_seconds": 1500.0, "silence_seconds": 30.0, "mode": "adjust",
        "words": {}, "opened": "2026-11-22T12:00:00Z", "clock_trusted": true,
    });
    let plan: Plan = serde_json::from_value(plan).unwrap();
    let at = At { time: plan.opened, passed: Duration::ZERO, by: "user:ada" };
    Session::open(id(name), plan, &at, false).unwrap().0
}

/// What sessions work with, and a desk that does nothing for them.
fn site(dir: &Path) -> Parts {
    let clock = Clock::manual(Timestamp::parse("2026-11-22T12:00:00Z").unwrap());
    let options = Options {
        dir: dir.to_path_buf(),
        commit_interval: HOUR,
        ack_batch: 10,
        max_age: 24 * HOUR,
        max_size: 1 << 30,
        max_pages: None,
    };
    let Opened { store, .. } = store::open(options, clock.clone()).unwrap();
    let (pipeline, _) = mpsc::channel(8);
    let alerting = Alerting::new(&crate::domain::alert::Policy::default()).0;
    let (desk, mut asked) = mpsc::channel(8);
    tokio::spawn(async move {
        while let Some(ask) = asked.recv().await {
            if let DeskAsk::Session(_, _, answer) = ask {
                let _ = answer.send(Err(StoreError::Closed));
            }
        }
    });
    Parts {
        fleet: id("f"),
        gateway: id("gw-1"),
        branch: "up/gw-1".to_owned(),
        sensors: Sensors::default(),
        maintenance: Maintenance::new(Vec::new(), store.clone(), pipeline.clone(), alerting, clock.clone()),
        store,
        link: Link::new(false, clock.clone(), Metrics::new()),
        pipeline,
        desk,
        live: Live::new(),
        time: TimeCheck::new(None, true),
        clock,
        key: PrivateKey::from_seed(&[1; 32]).unwrap(),
        office: watch::channel(None).1,
        held: watch::channel(None).1,
        shown: Recalibration::new().0,
    }
}

/// Why co-1 is in maintenance.
fn reason(parts: &Parts) -> Option<String> {
    parts.maintenance.all().remove(&id("co-1")).map(|upkeep| upkeep.reason.unwrap_or_default())
}

async fn somebody_begins(parts: &Parts, reason: &str) {
    let (reason, by) = (Some(reason.to_owned()), "user:ann".to_owned());
    parts.maintenance.begin(id("co-1"), HOUR, reason, by).await.unwrap();
}

/// The ledger knows the session.
async fn written(parts: &Parts, session: &Session) {
    let step = SessionStep {
        id: session.id.clone(),
        sensor: session.plan.sensor.clone(),
        opened: session.plan.opened,
        ended: None,
        content: "{}".to_owned(),
        actor: "user:ada".to_owned(),
        audits: Vec::new(),
        certificate: None,
    };
    parts.store.write_session(step).await.unwrap();
}

#[tokio::test]
async fn readings_are_flagged_whatever_the_desk_can_do() {
    let dir = tempfile::tempdir().unwrap();
    let parts = site(dir.path());
    let session = session("s-1");
    let outcome = parts.flag(&session, true, "user:ada").await;
    assert!(matches!(outcome, Err(StoreError::Closed)), "{outcome:?}");
    assert_eq!(reason(&parts).as_deref(), Some("recalibration session s-1"));
    let outcome = parts.flag(&session, false, "user:ada").await;
    assert!(matches!(outcome, Err(StoreError::Closed)), "{outcome:?}");
    assert_eq!(reason(&parts), None);
}

#[tokio::test]
async fn what_somebody_began_is_not_ended() {
    let dir = tempfile::tempdir().unwrap();
    let parts = site(dir.path());
    let session = session("s-1");
    somebody_begins(&parts, "new filter").await;
    let _ = parts.flag(&session, true, "user:ada").await;
    parts.tend_flags(&[&session]).await;
    let _ = parts.flag(&session, false, "user:ada").await;
    parts.tend_flags(&[]).await;
    assert_eq!(reason(&parts).as_deref(), Some("new filter"));
    // Nor is one whose reason only looks as if a session had begun it.
    somebody_begins(&parts, "recalibration session monday").await;
    parts.tend_flags(&[]).await;
    assert_eq!(reason(&parts).as_deref(), Some("recalibration session monday"));
}

#[tokio::test]
async fn flags_follow_the_sessions_that_are_open() {
    let dir = tempfile::tempdir().unwrap();
    let parts = site(dir.path());
    let (first, second) = (session("s-1"), session("s-2"));
    written(&parts, &first).await;
    // It was not begun, or was ended by somebody or by its time.
    parts.tend_flags(&[&first]).await;
    assert_eq!(reason(&parts).as_deref(), Some("recalibration session s-1"));
    // The next one takes it over, without a moment between.
    let _ = parts.flag(&second, true, "user:ada").await;
    assert_eq!(reason(&parts).as_deref(), Some("recalibration session s-2"));
    let _ = parts.flag(&first, false, "user:ada").await;
    parts.tend_flags(&[&second]).await;
    assert_eq!(reason(&parts).as_deref(), Some("recalibration session s-2"));
    // It could not be ended.
    let _ = parts.flag(&first, true, "user:ada").await;
    parts.tend_flags(&[]).await;
    assert_eq!(reason(&parts), None);
}
