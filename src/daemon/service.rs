//! Life as a service: one line on how it goes, and the watchdog, which is fed while every part is alive.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use crate::runtime::notify::Notifier;
use crate::runtime::pulse::{Pulse, Pulses};
use crate::source::binding::Sensors;
use crate::store::{FailureKind, Store, StoreError};
use crate::sync::link::Link;
use crate::telemetry::alarm::Alarms;

/// Between two looks at the parts, unless the watchdog wants more.
const LOOK: Duration = Duration::from_secs(10);
/// A part may be silent for half of the watchdog's time, but for this long in any case.
const LEAST_LIMIT: Duration = Duration::from_secs(5);
/// The watchdog's time that decides when a part is stuck where no service manager names one.
const USUAL_WATCHDOG: Duration = Duration::from_secs(60);

/// What the health of a running daemon is read from. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Vitals {
    /// The parts that have to be alive.
    pub pulses: Pulses,
    /// The store.
    pub store: Store,
    /// The uplink.
    pub uplink: Link,
    /// All sensors.
    pub sensors: Sensors,
    /// Where a stuck part is made known.
    pub alarms: Alarms,
}

/// What the status line says.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    sensors: usize,
    rate: f64,
    link: Option<(bool, u64)>,
    failing: Option<FailureKind>,
}

impl Line {
    fn text(&self) -> String {
        let plural = if self.sensors == 1 { "" } else { "s" };
        let mut text = format!("{} sensor{plural}, {:.0} readings/s, ", self.sensors, self.rate);
        text.push_str(&match self.link {
            Some((up, backlog)) => format!("link {}, backlog {backlog}", if up { "up" } else { "down" }),
            None => "local only".to_owned(),
        });
        if let Some(kind) = self.failing {
            text.push_str(&format!(", the store takes nothing: {}", kind.as_str()));
        }
        text
    }
}

/// Looks after the parts until it is dropped.
pub async fn attend(notifier: &Notifier, vitals: &Vitals) {
    let watchdog = notifier.watchdog();
    let limit = (watchdog.unwrap_or(USUAL_WATCHDOG) / 2).max(LEAST_LIMIT);
    let mut looks = tokio::time::interval(watchdog.map_or(LOOK, |time| LOOK.min(time / 2)));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut rows, mut since, mut watch) =
        (vitals.store.health().rows, Instant::now(), Watch::new(&vitals.alarms));
    loop {
        looks.tick().await;
        let health = vitals.store.health();
        let seconds = since.elapsed().as_secs_f64().max(1e-3);
        let line = Line {
            sensors: vitals.sensors.count(),
            rate: health.rows.saturating_sub(rows) as f64 / seconds,
            link: vitals
                .uplink
                .is_configured()
                .then(|| (vitals.uplink.is_connected(), vitals.uplink.measure())),
            failing: health.failing,
        };
        (rows, since) = (health.rows, Instant::now());
        notifier.tell(&watch.look(&vitals.pulses.stuck(limit), &line.text()));
    }
}

/// What was stuck at the last look.
#[derive(Debug)]
struct Watch {
    stuck: Vec<String>,
    alarms: Alarms,
}

impl Watch {
    fn new(alarms: &Alarms) -> Watch {
        Watch { stuck: Vec::new(), alarms: alarms.clone() }
    }

    /// What to tell: the status, and a sign of life only where no part is stuck.
    fn look(&mut self, stuck: &[String], line: &str) -> String {
        for part in stuck {
            let remedy = "the watchdog is not fed, and systemd will start calibd again; look at the disk, and report it \
                          if that is well";
            self.alarms.life(part).raise("stuck", format!("stuck: {part}"), remedy);
        }
        for part in self.stuck.iter().filter(|part| !stuck.contains(part)) {
            self.alarms.life(part).clear();
        }
        stuck.clone_into(&mut self.stuck);
        match stuck {
            [] => format!("STATUS={line}\nWATCHDOG=1"),
            _ => format!("STATUS={line}, stuck: {}", stuck.join(", ")),
        }
    }
}

/// Asks the store's thread for signs of life until the store is closed.
pub async fn ping(store: Store, pulse: Pulse) {
    loop {
        match store.ping().await {
            Ok(()) => pulse.beat(),
            Err(StoreError::Closed) => return,
            Err(error) => tracing::warn!("no sign of life of the store: {error}"),
        }
        tokio::time::sleep(crate::runtime::pulse::BEAT).await;
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;
    use crate::domain::time::Timestamp;
    use crate::runtime::clock::Clock;
    use crate::store::{self, Options};

    const LINE: Line = Line { sensors: 12, rate: 33.96, link: Some((true, 0)), failing: None };

    #[test]
    fn the_line_says_how_it_goes() {
        assert_eq!(LINE.text(), "12 sensors, 34 readings/s, link up, backlog 0");
        let alone = Line { sensors: 1, link: None, failing: Some(FailureKind::DiskFull), ..LINE };
        assert_eq!(alone.text(), "1 sensor, 34 readings/s, local only, the store takes nothing: disk_full");
        assert!(Line { link: Some((false, 7)), ..LINE }.text().ends_with("link down, backlog 7"));
    }

    #[tokio::test]
    async fn only_the_end_of_the_store_ends_the_asking() {
        let dir = tempfile::tempdir().unwrap();
        let hour = Duration::from_secs(3600);
        let options = Options {
            dir: dir.path().to_path_buf(),
            commit_interval: hour,
            ack_batch: 10,
            max_age: 24 * hour,
            max_size: 1 << 30,
            max_pages: None,
        };
        let store = store::open(options, Clock::manual(Timestamp::EPOCH)).unwrap().store;
        // The store's thread waits for the ledger, for at most two seconds.
        let ledger = rusqlite::Connection::open(dir.path().join("ledger.db")).unwrap();
        ledger.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut asked: Vec<_> = (0..3000).map(|_| Box::pin(store.audit("ann", "asked", "", ""))).collect();
        for asked in &mut asked {
            tokio::select! {
                biased;
                _ = asked => {}
                () = std::future::ready(()) => {}
            }
        }
        let busy = store.ping().await;
        assert!(matches!(busy, Err(StoreError::Busy)), "{busy:?}");
        let asking = tokio::spawn(ping(store.clone(), Pulse::new()));
        tokio::task::yield_now().await;
        assert!(!asking.is_finished());
        drop(asked);
        ledger.execute_batch("ROLLBACK").unwrap();
        store.close(hour).await.unwrap();
        asking.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_stuck_part_stops_the_feeding_and_is_named_until_it_goes_on() {
        let limit = Duration::from_secs(30);
        let pulses = Pulses::default();
        let mut pipeline = pulses.part("pipeline").waits();
        let store = pulses.part("store");
        tokio::spawn(async move { pipeline.on(pending::<()>()).await });
        let alarms = Alarms::default();
        let mut watch = Watch::new(&alarms);
        assert_eq!(watch.look(&pulses.stuck(limit), "well"), "STATUS=well\nWATCHDOG=1");
        tokio::time::sleep(limit * 2).await;
        for _ in 0..2 {
            assert_eq!(watch.look(&pulses.stuck(limit), "well"), "STATUS=well, stuck: store");
            assert_eq!(alarms.standing()[0].message, "stuck: store");
        }
        store.beat();
        assert_eq!(watch.look(&pulses.stuck(limit), "well"), "STATUS=well\nWATCHDOG=1");
        assert_eq!(alarms.count(), 0);
    }
}
