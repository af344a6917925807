//! `/healthz` says whether somebody must act, and the log and the status say the same.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use rusqlite::Connection;

use crate::support::broker::Broker;
use crate::support::control::get;
use crate::support::gateway::{Gateway, MQTT_SOURCE, UPLINK};
use crate::support::process::{Daemon, page};
use crate::support::tty::Tty;
use crate::support::wait::{until, until_true};

fn serial(tty: &Tty) -> String {
    format!(
        "[source.line1]\nkind = \"serial\"\nport = \"{}\"\nfirst_line = \"keep\"\nformat = {{ kind = \"csv\" }}\n\
         fields = {{ a = {{ column = 0 }} }}\n[sensor.a]\nsource = \"line1\"\nfield = \"a\"\nunit = \"nA\"\n",
        tty.path().display()
    )
}

/// Waits until the three judgements are the same: healthy if `cause` is `None`, else because of it alone.
fn is_healthy_but_for(gateway: &Gateway, daemon: &Daemon, cause: Option<&str>) {
    let (status, reasons) = until("the health", || {
        page(daemon.http, "/healthz").filter(|(status, _)| (*status == 200) == cause.is_none())
    });
    let control = get(&gateway.path("run/control.sock"), "/v1/health");
    let said = get(&gateway.path("run/control.sock"), "/v1/status").json();
    let all = said["attention"].as_array().unwrap();
    let pages: Vec<&str> = all
        .iter()
        .filter(|entry| entry["severity"] == "page")
        .map(|entry| entry["message"].as_str().unwrap())
        .collect();
    assert_eq!(control.status, status);
    assert_eq!(control.json()["healthy"], cause.is_none());
    match cause {
        None => assert_eq!((status, reasons.as_str(), pages), (200, "ok\n", vec![])),
        Some(cause) => {
            assert_eq!((status, reasons.lines().count(), pages.len()), (503, 1, 1), "{reasons} {pages:?}");
            assert!(reasons.contains(cause) && pages[0].contains(cause), "{reasons} {pages:?}");
            assert_eq!(control.json()["attention"][0]["message"], pages[0]);
            let errors = daemon.process.log();
            let errors: Vec<&str> = errors.lines().filter(|line| line.contains(" ERROR ")).collect();
            assert!(errors.last().unwrap().contains(cause), "{errors:?}");
        }
    }
}

fn errors(log: &str) -> usize {
    log.lines().filter(|line| line.contains(" ERROR ")).count()
}

#[test]
fn a_source_that_is_unplugged_is_for_somebody_until_it_is_back() {
    let mut tty = Tty::new();
    let gateway = Gateway::new().with(&serial(&tty));
    let mut daemon = gateway.start();
    daemon.reaches("calibd_source_up{source=\"line1\"}", 1);
    is_healthy_but_for(&gateway, &daemon, None);
    tty.unplug();
    is_healthy_but_for(&gateway, &daemon, Some("the source line1 is not connected"));
    assert_eq!(daemon.metric("calibd_alarms"), 1);
    // However often it is tried again, it is said once.
    daemon.reaches("calibd_source_reconnects_total{source=\"line1\"}", 3);
    tty.plug();
    daemon.reaches("calibd_source_up{source=\"line1\"}", 1);
    is_healthy_but_for(&gateway, &daemon, None);
    assert_eq!(errors(&daemon.process.log()), 1);
    assert!(daemon.process.stop().success());
}

#[test]
fn a_store_that_takes_nothing_is_for_somebody_until_it_does() {
    let mut tty = Tty::new();
    let gateway = Gateway::new().with(&serial(&tty));
    let mut daemon = gateway.start();
    daemon.reaches("calibd_source_up{source=\"line1\"}", 1);
    tty.write("1\n");
    daemon.reaches("calibd_readings_stored_total", 1);
    let other = Connection::open(gateway.store().join("history.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    tty.write("2\n");
    is_healthy_but_for(&gateway, &daemon, Some("readings cannot be written (busy); 1 wait"));
    daemon.reaches("calibd_commit_failures_total{reason=\"busy\"}", 1);
    daemon.reaches("calibd_waiting_readings", 1);
    other.execute_batch("ROLLBACK").unwrap();
    daemon.reaches("calibd_readings_stored_total", 2);
    is_healthy_but_for(&gateway, &daemon, None);
}

#[test]
fn a_broken_ledger_is_for_somebody() {
    let gateway = Gateway::new();
    assert!(started(&gateway).process.stop().success());
    let ledger = gateway.store().join("ledger.db");
    tear(&ledger);
    let daemon = started(&gateway);
    is_healthy_but_for(&gateway, &daemon, Some("ledger.db"));
}

fn tear(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[100..].fill(0x5a);
    std::fs::write(path, bytes).unwrap();
}

fn started(gateway: &Gateway) -> Daemon {
    let daemon = gateway.start();
    daemon.says("started: gateway");
    daemon
}

#[test]
fn a_broker_that_is_away_can_wait() {
    let mut broker = Broker::start();
    let gateway = Gateway::new().linked_to(&broker).with(MQTT_SOURCE).with(UPLINK);
    let mut daemon = gateway.start();
    daemon.linked();
    is_healthy_but_for(&gateway, &daemon, None);
    broker.stop();
    until_true("the link to be lost", || daemon.metric("calibd_link_up") == 0);
    is_healthy_but_for(&gateway, &daemon, None);
    // First that it was lost, then that it can't be had again.
    until_true("the reason", || {
        let said = get(&gateway.path("run/control.sock"), "/v1/status").json();
        let first = said["attention"][0]["message"].as_str().unwrap();
        first.starts_with("the broker is not connected (") && first.contains("refused")
    });
    assert_eq!(errors(&daemon.process.log()), 0);
}

#[test]
fn a_root_that_is_not_there_is_for_somebody() {
    let gateway = Gateway::new().with("[trust]\nroot = \"/nowhere/root.json\"\n");
    let daemon = started(&gateway);
    is_healthy_but_for(&gateway, &daemon, Some("trust.root /nowhere/root.json"));
}

fn client(daemon: &Daemon) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", daemon.http)).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    stream
}

#[test]
fn clients_of_the_listener_are_bounded_as_those_of_the_sockets_are() {
    let gateway = Gateway::new();
    let daemon = started(&gateway);
    let silent: Vec<TcpStream> = (0..200).map(|_| client(&daemon)).collect();
    assert_eq!(page(daemon.http, "/healthz").unwrap(), (200, "ok\n".to_owned()));
    assert_eq!((&silent[0]).read(&mut [0]).unwrap(), 0);
    until_true("the count of those pushed out", || {
        daemon.metric("calibd_clients_dropped_total{listener=\"http\",reason=\"pushed_out\"}") >= 100
    });
    assert_eq!(page(daemon.http, &format!("/{}", "x".repeat(5000))).unwrap().0, 404);
    let mut large = client(&daemon);
    // It may be answered and closed before it has said everything.
    let _ = large.write_all(format!("GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(20_000)).as_bytes());
    let mut start = [0; 12];
    large.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 431");
    assert!(daemon.metric("calibd_requests_total{listener=\"http\",status=\"404\"}") == 1);
}
