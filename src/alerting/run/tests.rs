use std::path::Path;

use super::*;
use crate::domain::alert::{Finding, Kind, Severity, Verdict};
use crate::domain::id::Id;
use crate::domain::sensor;
use crate::source::binding::{Binding, Template};
use crate::store::{self, Opened, Options, StoredAlert};

const MINUTE: Duration = Duration::from_secs(60);

fn noon() -> Timestamp {
    Timestamp::parse("2026-11-22T12:00:00Z").unwrap()
}

/// A template that can make any sensor.
fn any() -> Template {
    let model = sensor::Sensor {
        id: Id::new("any").unwrap(),
        quantity: "temperature".into(),
        kind: sensor::Kind::Measurement,
        unit: "Cel".into(),
        model: None,
        serial: None,
        uncertainty: None,
        covariates: Default::default(),
        comparison: Default::default(),
        monitor: None,
        checks: Default::default(),
    };
    let (source, field) = (Id::new("broker").unwrap(), "value".to_owned());
    Template { pattern: "{name}".to_owned(), source, field, model, max: usize::MAX }
}

/// A gateway's alerts with a store, and a link to a broker that is away.
struct Site {
    task: Task,
    store: Store,
    link: Link,
    clock: Clock,
    metrics: Metrics,
    sensors: Sensors,
}

fn judged(sensor: &str, found: bool) -> Event {
    let finding = Finding {
        severity: Severity::Page,
        message: "has given 3.5 for 10 minutes".to_owned(),
        remedy: "look at its power and its line".to_owned(),
        snapshot: None,
    };
    let (sensor, finding) = (Id::new(sensor).unwrap(), found.then(|| Box::new(finding)));
    Event::Judged { sensor, kind: Kind::Stuck, source: None, cohort: None, finding }
}

impl Site {
    fn start(dir: &Path, clock: Clock) -> Site {
        Site::with(dir, clock, Sensors::new(Vec::new(), vec![any()]))
    }

    fn with(dir: &Path, clock: Clock, sensors: Sensors) -> Site {
        let options = Options {
            dir: dir.to_path_buf(),
            commit_interval: MINUTE,
            ack_batch: 10,
            max_age: 24 * 60 * MINUTE,
            max_size: 1 << 30,
            max_pages: None,
        };
        let Opened { store, recovered, .. } = store::open(options, clock.clone()).unwrap();
        let metrics = Metrics::new();
        let link = Link::new(true, clock.clone(), metrics.clone());
        let parts = Parts {
            store: store.clone(),
            link: link.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            branch: "up/gw-1".to_owned(),
            policy: Policy::default(),
            in_maintenance: recovered.maintenance.iter().map(|upkeep| upkeep.sensor.clone()).collect(),
            sensors: sensors.clone(),
        };
        let task = Task::new(parts, recovered.alerts);
        Site { task, store, link, clock, metrics, sensors }
    }

    /// The same site after the power was cut.
    fn crash(self, dir: &Path) -> (tempfile::TempDir, Site) {
        let to = tempfile::tempdir().unwrap();
        for name in ["history.db", "history.db-wal", "ledger.db", "ledger.db-wal"] {
            if dir.join(name).exists() {
                std::fs::copy(dir.join(name), to.path().join(name)).unwrap();
            }
        }
        let site = Site::start(to.path(), self.clock.clone());
        (to, site)
    }

    fn judge(&mut self, sensor: &str, found: bool) {
        self.task.apply(judged(sensor, found)).unwrap();
    }

    fn standing(&self) -> Vec<String> {
        let open = self.task.alerts.alerts().filter(|alert| alert.cleared.is_none());
        open.map(|alert| alert.cause.to_string()).collect()
    }

    async fn pass(&mut self, time: Duration) {
        self.clock.advance(time);
        self.task.tick().await;
    }

    /// A sensor is found stuck, and the alert is raised.
    async fn raise(&mut self, sensor: &str) -> Alert {
        self.judge(sensor, true);
        self.pass(MINUTE).await;
        self.task.alerts.alerts().last().unwrap().clone()
    }

    async fn rows(&self) -> Vec<Alert> {
        let rows = self.store.past_alerts(None, 100).await.unwrap();
        rows.into_iter().map(|StoredAlert { alert, .. }| alert).collect()
    }

    fn holds(&self, alert: &Alert) -> bool {
        self.link.holds(&format!("up/gw-1/alert/{}", alert.id))
    }

    fn acknowledged(alert: &Alert, verdict: Option<Verdict>) -> Event {
        Event::Acknowledged { id: alert.id.clone(), by: "user:ada".to_owned(), verdict }
    }

    /// Lets go of the files, so that they can be opened again.
    async fn close(mut self) {
        let (done, _) = tokio::sync::oneshot::channel();
        self.task.serve(Ask::Finish(done)).await;
        self.store.close(MINUTE).await.unwrap();
    }
}

#[tokio::test]
async fn an_alert_is_in_the_ledger_before_the_broker_is_told_and_after_the_power_was_cut() {
    let dir = tempfile::tempdir().unwrap();
    let mut site = Site::start(dir.path(), Clock::manual(noon()));
    let alert = site.raise("co-1").await;
    assert_eq!(site.rows().await, std::slice::from_ref(&alert));
    assert!(site.holds(&alert));
    let (dir, mut site) = site.crash(dir.path());
    site.task.tick().await;
    assert_eq!(site.task.alerts.alerts().collect::<Vec<_>>(), [&alert]);
    assert!(site.holds(&alert));
    // Cleared by time, then acknowledged: let go of, and taken away at the broker, even after another cut.
    site.judge("co-1", false);
    site.pass(15 * MINUTE).await;
    let done = site.task.command(Site::acknowledged(&alert, Some(Verdict::Real))).await.unwrap().unwrap();
    assert!(done.cleared.is_some() && done.acknowledged.is_some());
    assert_eq!(site.rows().await, [done]);
    let (_dir, mut site) = site.crash(dir.path());
    assert_eq!((site.task.alerts.alerts().count(), site.task.alerts.tally().real), (0, 1));
    site.task.tick().await;
    assert!(site.holds(&alert), "an empty message waits for the broker");
    // An identifier is never given twice, at a clock that stands still either.
    let again = site.raise("co-1").await;
    assert_ne!(again.id, alert.id);
    let text = site.metrics.text();
    assert!(text.contains("calibd_alerts_raised_total{severity=\"page\"} 2"), "{text}");
    assert!(text.contains("calibd_alerts_open{severity=\"page\"} 1"), "{text}");
}

#[tokio::test]
async fn judgements_that_change_nothing_cost_no_write() {
    let dir = tempfile::tempdir().unwrap();
    let mut site = Site::start(dir.path(), Clock::manual(noon()));
    site.raise("co-1").await;
    let wal = dir.path().join("ledger.db-wal");
    let written = || std::fs::metadata(&wal).map(|file| (file.len(), file.modified().unwrap())).unwrap();
    let before = written();
    for _ in 0..1000 {
        site.judge("co-1", true);
        site.judge("co-2", false);
        site.pass(Duration::from_secs(1)).await;
    }
    assert_eq!(written(), before);
    site.raise("co-2").await;
    assert_ne!(written(), before);
}

#[tokio::test]
async fn a_large_state_is_written_seldom_unless_somebody_waits() {
    let dir = tempfile::tempdir().unwrap();
    let mut site = Site::start(dir.path(), Clock::manual(noon()));
    for sensor in 0..1000 {
        site.judge(&format!("s{sensor}"), true);
    }
    site.pass(MINUTE).await;
    let bytes = serde_json::to_string(site.task.alerts.stored()).unwrap().len();
    assert!((200_000..600_000).contains(&bytes), "{bytes}");
    assert_eq!(site.rows().await.len(), 100);
    // Nothing is told of what is not written: it waits for seconds, not for minutes.
    let sensor = Id::new("s0").unwrap();
    site.task.apply(Event::Removed { sensor }).unwrap();
    site.pass(Duration::from_secs(1)).await;
    assert!(!site.task.messages.is_empty());
    site.pass(Duration::from_secs(20)).await;
    assert!(site.task.messages.is_empty());
    site.task.apply(Event::Removed { sensor: Id::new("s1").unwrap() }).unwrap();
    let alert = site.task.alerts.alerts().nth(9).unwrap().clone();
    site.task.command(Site::acknowledged(&alert, None)).await.unwrap();
    assert!(site.task.messages.is_empty());
}

#[tokio::test]
async fn a_clock_that_begins_in_1970_and_is_set_neither_raises_nor_clears() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(Timestamp::EPOCH);
    let mut site = Site::start(dir.path(), clock.clone());
    let alert = site.raise("co-1").await;
    site.judge("co-1", false);
    site.judge("co-2", true);
    site.pass(MINUTE / 2).await;
    clock.set(noon());
    site.task.tick().await;
    site.pass(MINUTE / 3).await;
    let standing: Vec<Alert> = site.task.alerts.alerts().cloned().collect();
    assert_eq!(standing.len(), 1);
    assert_eq!((&standing[0].id, standing[0].cleared), (&alert.id, None));
    // Half a minute ago by either clock.
    assert!((noon().micros_since(standing[0].raised) - 30_000_000).abs() < 5_000_000, "{:?}", standing[0]);
    assert_eq!(site.rows().await, standing);
    site.pass(MINUTE / 3).await;
    assert_eq!(site.task.alerts.alerts().count(), 2);
    site.pass(15 * MINUTE).await;
    assert!(site.task.alerts.alerts().any(|it| it.id == alert.id && it.cleared.is_some()));
}

#[tokio::test]
async fn a_ledger_that_takes_nothing_stops_no_alert_and_gets_all_once_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let mut site = Site::start(dir.path(), Clock::manual(noon()));
    let first = site.raise("co-1").await;
    let other = rusqlite::Connection::open(dir.path().join("ledger.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let second = site.raise("co-2").await;
    assert!(site.holds(&second), "it is told all the same");
    site.pass(Duration::from_secs(1)).await;
    let text = site.metrics.text();
    assert!(text.contains("calibd_alert_write_failures_total 1"), "not more often than every 10 s: {text}");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(site.rows().await, std::slice::from_ref(&first));
    site.pass(Duration::from_secs(10)).await;
    assert_eq!(site.rows().await, [second.clone(), first]);
    let (_dir, site) = site.crash(dir.path());
    assert!(site.task.alerts.alert(&second.id).is_some());
}

#[tokio::test]
async fn a_broken_ledger_leaves_the_alerts_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("ledger.db"), "this is no database, however long it may be").unwrap();
    let mut site = Site::start(dir.path(), Clock::manual(noon()));
    for sensor in 0..50 {
        let alert = site.raise(&format!("s{sensor}")).await;
        assert!(site.holds(&alert));
    }
}

#[tokio::test]
async fn maintenance_is_what_the_ledger_says_whatever_was_written_of_it_here() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(noon());
    let mut site = Site::start(dir.path(), clock.clone());
    let (worked_on, done) = (Id::new("co-1").unwrap(), Id::new("co-2").unwrap());
    let suppressed = |sensor: &SensorId| Event::Suppressed {
        scope: Scope::Sensor(sensor.clone()),
        reason: MAINTENANCE.to_owned(),
        kinds: Vec::new(),
        until: None,
    };
    site.task.apply(suppressed(&done)).unwrap();
    let upkeep = store::Upkeep {
        sensor: worked_on.clone(),
        since: noon(),
        until: noon().saturating_add_micros(7_200_000_000),
        reason: None,
        actor: "user:ada".to_owned(),
    };
    site.store.begin_maintenance(upkeep).await.unwrap();
    site.close().await;
    let mut site = Site::start(dir.path(), clock);
    site.judge("co-1", true);
    assert_eq!(site.raise("co-2").await.cause.to_string(), "stuck co-2");
    assert_eq!(site.task.alerts.alerts().count(), 1, "nothing is raised of co-1");
    let lifted = Event::Lifted { scope: Scope::Sensor(worked_on), reason: MAINTENANCE.to_owned() };
    site.task.apply(lifted).unwrap();
    site.pass(MINUTE).await;
    assert_eq!(site.task.alerts.alerts().count(), 2);
    // What is no longer configured has no alerts after a restart.
    site.close().await;
    let ones = Template { pattern: "{name}-1".to_owned(), ..any() };
    let site = Site::with(dir.path(), Clock::manual(noon()), Sensors::new(Vec::new(), vec![ones]));
    assert_eq!(site.standing(), ["stuck co-1"]);
}

#[tokio::test]
async fn a_sensor_of_a_template_that_does_not_come_for_a_week_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let mut site = Site::start(dir.path(), Clock::manual(noon()));
    site.raise("co-1").await;
    site.raise("co-2").await;
    site.close().await;
    let mut site = Site::start(dir.path(), Clock::manual(noon()));
    let mut binding = Binding::new(&site.sensors, any().source, vec![any().field]);
    assert_eq!(binding.sensors(0, &[("name", "co-1")]).0.len(), 1);
    site.pass(GONE - MINUTE).await;
    assert_eq!(site.standing(), ["stuck co-1", "stuck co-2"]);
    site.pass(MINUTE).await;
    site.pass(MINUTE).await;
    assert_eq!(site.standing(), ["stuck co-1"]);
}

#[tokio::test]
async fn a_judgement_that_comes_late_does_not_revive_a_sensor_that_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let mut site = Site::start(dir.path(), Clock::manual(noon()));
    site.raise("co-1").await;
    site.sensors.replace(Vec::new(), Vec::new());
    let removed = Event::Removed { sensor: Id::new("co-1").unwrap() };
    for event in [removed, judged("co-1", true)] {
        site.task.serve(Ask::Event(event)).await;
        site.pass(2 * MINUTE).await;
        assert_eq!(site.standing(), [""; 0]);
    }
}

#[test]
fn what_waits_to_be_taken_away_is_kept_until_a_broker_was_told() {
    let clock = Clock::manual(noon());
    let link = Link::new(false, clock, Metrics::new());
    let mut publisher = Publisher::new("up/gw-1".to_owned(), link.clone());
    publisher.empty("0a".to_owned());
    assert_eq!(publisher.emptied(), [""; 0]);
    // Between the reload of the link and that of the alerts.
    link.configure(true);
    assert_eq!(publisher.emptied(), [""; 0]);
    assert!(link.holds("up/gw-1/alert/0a"));
    // What waited at the link went with its broker.
    link.configure(false);
    link.configure(true);
    publisher.empty_again();
    assert!(link.holds("up/gw-1/alert/0a"));
    for id in 0..1100 {
        publisher.empty(format!("{id:04}"));
    }
    assert_eq!(publisher.emptied(), [""; 0], "what is given up is not done");
}

#[tokio::test]
async fn what_a_ledger_does_not_take_has_a_bound_and_the_last_word_counts() {
    let dir = tempfile::tempdir().unwrap();
    let mut site = Site::start(dir.path(), Clock::manual(noon()));
    let keeper = &mut site.task.keeper;
    keeper.emptied("0a".to_owned());
    keeper.retained("0a");
    keeper.changed();
    let stored = site.task.alerts.stored().clone();
    keeper.write(&stored, Duration::ZERO, true).await;
    let (_dir, mut site) = site.crash(dir.path());
    assert_eq!(site.task.messages.keys().collect::<Vec<_>>(), ["0a"], "it is to be taken away");
    for id in 0..3000 {
        site.task.keeper.retained(&format!("{id:04}"));
        site.task.keeper.emptied(format!("e{id:04}"));
    }
    assert_eq!(site.task.keeper.waiting(), (1024, 1024));
}

#[tokio::test]
async fn a_deploy_at_very_many_sensors_is_one_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let mut site = Site::start(dir.path(), Clock::manual(noon()));
    let until = Some(noon().saturating_add_micros(600_000_000));
    for sensor in 0..1100 {
        let scope = Scope::Sensor(Id::new(&format!("s{sensor}")).unwrap());
        let (reason, kinds) = (DEPLOY.to_owned(), vec![Kind::Stuck]);
        site.task.serve(Ask::Event(Event::Suppressed { scope, reason, kinds, until })).await;
    }
    assert_eq!(site.task.alerts.suppressions().count(), MOST_DEPLOYS + 1);
    site.judge("s1099", true);
    site.pass(9 * MINUTE).await;
    assert_eq!(site.task.alerts.alerts().count(), 0);
    site.pass(2 * MINUTE).await;
    assert_eq!(site.task.alerts.alerts().count(), 1);
}
