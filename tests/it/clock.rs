//! A wall clock that is wrong, or not known to be right: readings are kept, flagged and never reordered.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use calibd::config::load;
use calibd::daemon::run::{DRAIN, Drained, start};
use calibd::domain::quality::{ReasonCode, Reasons};
use calibd::domain::time::Timestamp;
use calibd::runtime::clock::Clock;
use tokio::sync::oneshot;

use crate::support::broker::Broker;
use crate::support::gateway::{Gateway, UP, UPLINK};
use crate::support::mqtt::Subscriber;
use crate::support::process::metric;
use crate::support::tty::Tty;
use crate::support::wait::{until, until_true};

pub const NOW: &str = "2026-11-22T10:00:00Z";

pub fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// A source with a sensor `a` that measures in nA.
fn line(tty: &Tty) -> String {
    format!(
        "[source.line1]\nkind = \"serial\"\nport = \"{}\"\nfirst_line = \"keep\"\nformat = {{ kind = \"csv\" }}\n\
         fields = {{ a = {{ column = 0 }} }}\n[sensor.a]\nsource = \"line1\"\nfield = \"a\"\nunit = \"nA\"\n",
        tty.path().display()
    )
}

/// A daemon in this process, whose clock stands where a test puts it.
pub struct Inside {
    pub clock: Clock,
    tty: Tty,
    pub gateway: Gateway,
    pub http: u16,
    end: oneshot::Sender<()>,
    thread: JoinHandle<Drained>,
    lines: u32,
}

impl Inside {
    fn start(time: &str) -> Inside {
        Inside::of(Gateway::new(), time)
    }

    /// One whose sensor `a` measures in nA.
    pub fn of(gateway: Gateway, time: &str) -> Inside {
        let (tty, clock) = (Tty::new(), Clock::manual(at(time)));
        let gateway = gateway.with(&line(&tty));
        let config = load(&gateway.configured()).unwrap().config;
        let (end, ended) = oneshot::channel();
        let its_clock = clock.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let running = start(config, its_clock, async {}).await.unwrap();
                ended.await.unwrap();
                running.stop(DRAIN).await
            })
        });
        let http = gateway.http;
        until_true("the line to be open", || metric(http, "calibd_source_up{source=\"line1\"}") == 1);
        Inside { clock, tty, gateway, http, end, thread, lines: 0 }
    }

    /// Some lines, which are stored before the clock moves again.
    pub fn measures(&mut self, lines: u32) {
        for _ in 0..lines {
            self.tty.write(format!("{}\n", self.lines));
            self.lines += 1;
        }
        let all = self.lines as usize;
        until_true("the lines to be stored", || self.gateway.history().rows().len() >= all);
    }

    /// Ends in order; everything was kept, in the order in which it came.
    pub fn end(self) -> Vec<Reasons> {
        self.end.send(()).unwrap();
        assert!(self.thread.join().unwrap().closed);
        let rows = self.gateway.history().rows();
        let raw: Vec<_> = rows.iter().map(|row| row.raw.unwrap() as u32).collect();
        assert_eq!(raw, (0..self.lines).collect::<Vec<_>>());
        rows.iter().map(|row| Reasons::from_bits(row.reasons)).collect()
    }
}

fn untrusted(reasons: &[Reasons]) -> Vec<bool> {
    reasons.iter().map(|reasons| reasons.contains(ReasonCode::TimeUntrusted)).collect()
}

#[test]
fn readings_of_1970_are_kept_and_flagged() {
    let mut daemon = Inside::start("1970-01-01T00:00:10Z");
    daemon.measures(3);
    daemon.clock.set(at(NOW));
    daemon.measures(2);
    let http = daemon.http;
    assert_eq!(metric(http, "calibd_clock_jumps_total{direction=\"forward\"}"), 1);
    assert_eq!(untrusted(&daemon.end()), [true, true, true, false, false]);
}

#[test]
fn a_clock_that_jumps_back_reorders_and_drops_nothing() {
    let mut daemon = Inside::start(NOW);
    daemon.measures(2);
    daemon.clock.set(at("2026-11-22T04:00:00Z"));
    daemon.measures(2);
    daemon.clock.set(at("1970-01-01T00:00:00Z"));
    daemon.measures(2);
    daemon.clock.set(at("2026-11-22T10:00:05Z"));
    daemon.measures(2);
    let http = daemon.http;
    assert_eq!(metric(http, "calibd_clock_jumps_total{direction=\"back\"}"), 2);
    assert_eq!(metric(http, "calibd_clock_jumps_total{direction=\"forward\"}"), 1);
    assert_eq!(untrusted(&daemon.end()), [false, false, false, false, true, true, false, false]);
}

#[test]
fn a_clock_far_in_the_future_forgets_no_reading() {
    let mut daemon = Inside::start(NOW);
    daemon.measures(3);
    daemon.clock.set(at("2099-01-01T00:00:00Z"));
    daemon.measures(3);
    daemon.clock.set(at(NOW));
    daemon.measures(3);
    assert_eq!(daemon.end().len(), 9);
}

#[test]
fn from_1970_through_a_saved_time_to_the_synchronised_one() {
    let mut daemon = Inside::of(Gateway::new().without_rtc(), "1970-01-01T00:00:10Z");
    daemon.clock.disciplined(false);
    daemon.measures(2);
    // The time of the last stop, as a service without a battery-backed clock restores it: possible, and wrong.
    daemon.clock.set(at("2026-11-22T03:00:00Z"));
    daemon.measures(2);
    daemon.clock.set(at(NOW));
    daemon.clock.disciplined(true);
    daemon.measures(2);
    // The network is gone: the clock goes on by itself.
    daemon.clock.disciplined(false);
    daemon.measures(2);
    let http = daemon.http;
    assert_eq!(metric(http, "calibd_clock_jumps_total{direction=\"forward\"}"), 2);
    assert_eq!(metric(http, "calibd_clock_jumps_total{direction=\"back\"}"), 0);
    assert_eq!(untrusted(&daemon.end()), [true, true, true, true, false, false, false, false]);
}

#[test]
fn a_good_battery_backed_clock_needs_no_network_but_a_possible_time() {
    let mut daemon = Inside::start("1970-01-01T00:00:10Z");
    daemon.clock.disciplined(false);
    daemon.measures(2);
    daemon.clock.set(at(NOW));
    daemon.measures(2);
    assert_eq!(untrusted(&daemon.end()), [true, true, false, false]);
}

#[test]
fn the_proven_time_grows_by_what_has_passed_and_by_no_clock() {
    let mut daemon = Inside::start(NOW);
    let ledger = daemon.gateway.store().join("ledger.db");
    let floor = || {
        let db = rusqlite::Connection::open(&ledger).unwrap();
        let micros = db.query_row("SELECT value FROM meta WHERE key = 'time_floor'", [], |row| row.get(0));
        micros.ok().and_then(Timestamp::from_micros)
    };
    assert_eq!(floor(), None);
    daemon.clock.advance(Duration::from_secs(3 * 3600));
    let first = until("three hours to be proven", floor);
    daemon.clock.disciplined(true);
    daemon.clock.set(at("2099-01-01T00:00:00Z"));
    daemon.measures(1);
    daemon.clock.advance(Duration::from_secs(2 * 3600));
    until_true("two more hours", || floor() > Some(first));
    // The program itself proves the beginning of 2026; nine tenths of the time are added.
    for (floor, hours) in [(first, 3), (floor().unwrap(), 5)] {
        let proven = floor.micros_since(at("2026-01-01T00:00:00Z"));
        assert_eq!(proven / 60_000_000, hours * 54, "{floor}");
    }
    assert_eq!(untrusted(&daemon.end()), [false]);
}

/// A `timedatectl` that answers with `script`, found before the machine's own.
fn timedatectl(dir: &Path, script: &str) -> String {
    let program = dir.join("timedatectl");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{}", dir.display(), std::env::var("PATH").unwrap())
}

/// Waits until a gateway whose `timedatectl` is `script` publishes the state `awaited`; answers with its log.
fn published(gateway: Gateway, script: &str, awaited: &str) -> String {
    let broker = Broker::start();
    let gateway = gateway.linked_to(&broker).with(UPLINK);
    let above = Subscriber::new(&broker, &[&format!("{UP}/status")]);
    let path = timedatectl(gateway.path("log").parent().unwrap(), script);
    let mut daemon = gateway.start_with(&[("PATH", &path), ("NOTIFY_SOCKET", "/nonexistent")]);
    above.await_on(&format!("{UP}/status"), |status| (status.json()["clock"] == awaited).then_some(()));
    assert!(daemon.process.stop().success());
    daemon.process.log()
}

#[test]
fn the_kernel_is_asked_and_the_answer_published() {
    // It answers only what it is asked, and has no way to the service manager, where it would pass for calibd.
    let yes =
        r#"[ -z "$NOTIFY_SOCKET" ] && [ "$*" = "show --property=NTPSynchronized --value" ] && echo yes"#;
    let log = published(Gateway::new().without_rtc(), yes, "synced");
    assert!(log.contains("the clock is synced"), "{log}");
    published(Gateway::new().without_rtc(), "echo no", "untrusted");
    published(Gateway::new(), "echo no", "holdover");
}

#[test]
fn without_an_answer_a_possible_time_is_believed_and_the_log_says_so_once() {
    let log = published(Gateway::new().without_rtc(), "echo no bus here >&2; exit 1", "holdover");
    assert_eq!(log.matches("timedatectl: no bus here").count(), 1, "{log}");
}

/// Also the first one, while `timedated` has to be started first.
#[test]
fn no_reading_is_believed_before_the_kernel_has_been_asked() {
    let mut tty = Tty::new();
    let gateway = Gateway::new().without_rtc().with(&line(&tty));
    let path = timedatectl(gateway.path("log").parent().unwrap(), "sleep 0.5; echo no");
    let mut daemon = gateway.start_with(&[("PATH", &path)]);
    daemon.reaches("calibd_source_up{source=\"line1\"}", 1);
    tty.write("1\n");
    until_true("the reading to be stored", || !gateway.history().rows().is_empty());
    assert!(daemon.process.stop().success());
    let reasons: Vec<Reasons> =
        gateway.history().rows().iter().map(|row| Reasons::from_bits(row.reasons)).collect();
    assert_eq!(untrusted(&reasons), [true]);
}
