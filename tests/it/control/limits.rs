//! What a client can do to the others: nothing.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::{gateway, socket, started};
use crate::support::control::{connect, get, send};
use crate::support::wait::{rest, until_true};

#[test]
fn a_thousand_silent_clients_stop_nobody() {
    let gateway = gateway();
    let _daemon = started(&gateway);
    let silent: Vec<UnixStream> = (0..1000).map(|_| connect(&socket(&gateway))).collect();
    for _ in 0..20 {
        assert_eq!(get(&socket(&gateway), "/v1/status").status, 200);
    }
    // The one that has waited longest was sent away; the newest may still ask.
    assert_eq!((&silent[0]).read(&mut [0]).unwrap(), 0);
    let mut newest = &silent[999];
    newest.write_all(b"GET /v1/transforms HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    let mut text = String::new();
    newest.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
}

#[test]
fn what_is_too_large_is_refused() {
    let gateway = gateway();
    let _daemon = started(&gateway);
    let head = format!("GET /v1/status HTTP/1.1\r\nHost: test\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    assert_eq!(send(&socket(&gateway), head.as_bytes()).status, 431);
    let path = format!("GET /v1/{} HTTP/1.1\r\nHost: test\r\n\r\n", "x".repeat(40_000));
    assert!([414, 431].contains(&send(&socket(&gateway), path.as_bytes()).status));
    let body = b"GET /v1/status HTTP/1.1\r\nHost: test\r\nContent-Length: 600000\r\n\r\n";
    assert_eq!(send(&socket(&gateway), body).status, 413);
    assert_eq!(get(&socket(&gateway), "/v1/status").status, 200);
}

#[test]
fn more_watchers_than_there_is_room_for_are_told_so() {
    let gateway = gateway();
    let _daemon = started(&gateway);
    let watch = || {
        let mut stream = connect(&socket(&gateway));
        stream.write_all(b"GET /v1/watch HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
        let mut start = [0; 12];
        stream.read_exact(&mut start).unwrap();
        (stream, String::from_utf8(start.to_vec()).unwrap())
    };
    let watchers: Vec<_> = (0..16).map(|_| watch()).collect();
    assert!(watchers.iter().all(|(_, start)| start == "HTTP/1.1 200"));
    assert_eq!(watch().1, "HTTP/1.1 503");
    assert_eq!(get(&socket(&gateway), "/v1/status").status, 200);
}

#[test]
fn clients_that_ask_and_leave_while_the_store_is_held_up_end_nothing() {
    let gateway = gateway();
    let mut daemon = started(&gateway);
    // Whatever is to be written to the ledger now takes the store two seconds.
    let ledger = rusqlite::Connection::open(gateway.store().join("ledger.db")).unwrap();
    ledger.execute_batch("BEGIN IMMEDIATE").unwrap();
    let standard = |at| {
        let body = format!(r#"{{"id": "s-{at}", "values": [{{"value": 1, "unit": "mV", "u": 0.1}}]}}"#);
        let mut client = connect(&gateway.path("run/maintenance.sock"));
        let head = "POST /v1/standards HTTP/1.1\r\nHost: test\r\nContent-Length:";
        client.write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes()).unwrap();
        client
    };
    let held: Vec<UnixStream> = (0..8).map(standard).collect();
    for _ in 0..1300 {
        let mut client = connect(&socket(&gateway));
        client.write_all(b"GET /v1/readings?limit=1 HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
        rest(Duration::from_millis(4));
    }
    let busy = get(&socket(&gateway), "/v1/readings?limit=1");
    assert!(busy.status == 200 || busy.text().contains("too much to do"), "{}", busy.text());
    ledger.execute_batch("ROLLBACK").unwrap();
    drop(held);
    until_true("an answer", || get(&socket(&gateway), "/v1/readings?limit=1").status == 200);
    assert!(daemon.process.runs(), "{}", daemon.process.log());
}

#[test]
fn health_and_status_are_told_though_all_places_are_taken_and_one_socket_takes_none_of_another() {
    let gateway = gateway();
    let _daemon = started(&gateway);
    let maintenance = gateway.path("run/maintenance.sock");
    // Their bodies never come.
    let slow: Vec<UnixStream> = (0..16)
        .map(|_| {
            let mut client = connect(&maintenance);
            let head = b"POST /v1/standards HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n";
            client.write_all(head).unwrap();
            client
        })
        .collect();
    until_true("all places to be taken", || get(&maintenance, "/v1/sensors").status == 503);
    for path in ["/v1/health", "/v1/status"] {
        assert_eq!(get(&maintenance, path).status, 200, "{path}");
    }
    assert_eq!(get(&socket(&gateway), "/v1/sensors").status, 200);
    drop(slow);
    until_true("places", || get(&maintenance, "/v1/sensors").status == 200);
}
