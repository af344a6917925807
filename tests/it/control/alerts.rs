//! What people see of alerts, and say to them.

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;

use calibd::domain::alert::{
    Alerts, Event, Finding, Kind, Policy, Severity, Shown, Snapshot, Stored, Timing,
};
use calibd::domain::id::Id;
use calibd::domain::time::Timestamp;
use calibd::runtime::clock::system_now;
use calibd::store::AlertChanges;
use serde_json::{Value, json};

use super::ctl::{calibctl, prints};
use super::described::is_described;
use super::{gateway, socket, started};
use crate::alerts::with_store;
use crate::support::control::{get, post};
use crate::support::gateway::Gateway;
use crate::support::process::Daemon;
use crate::support::wait::until_true;

const MINUTE: i64 = 60_000_000;

fn ago(minutes: i64) -> Timestamp {
    system_now().saturating_add_micros(-minutes * MINUTE)
}

fn judged(kind: Kind, severity: Option<Severity>) -> Event {
    let finding = |severity| Finding {
        severity,
        message: format!("past is no good: {}", kind.as_str()),
        remedy: "look at it".to_owned(),
        snapshot: Some(Snapshot {
            transform: None,
            window: Some([ago(60), ago(30)]),
            statistics: BTreeMap::from([("bias".to_owned(), 0.421)]),
            pairs: vec![Shown { time: ago(31), value: 5.5, reference: 5.0 }],
        }),
    };
    let sensor = Id::new("past").unwrap();
    Event::Judged { sensor, kind, source: None, cohort: None, finding: severity.map(finding).map(Box::new) }
}

/// What the alerts' task knows after an hour in which the spikes of `past` came and went, its standard was overdue and,
/// later, drift was found.
fn an_hour() -> Alerts {
    let timing = Timing { raise_after: 0, clear_after: 0, group_within: 0 };
    let mut alerts = Alerts::new(
        Policy { timing, of_kind: BTreeMap::new(), group_from: 3, settling: 0 },
        Stored::default(),
    );
    for (minutes, kind, severity) in [
        (60, Kind::Spikes, Some(Severity::Page)),
        (50, Kind::Spikes, None),
        (40, Kind::StandardOverdue, Some(Severity::Ticket)),
        (30, Kind::Drift, Some(Severity::Page)),
    ] {
        alerts.apply(judged(kind, severity), ago(minutes)).unwrap();
    }
    alerts
}

/// Writes it where calibd goes on from.
fn seed(gateway: &Gateway, alerts: &Alerts) {
    let rows = alerts.alerts().cloned().collect();
    let state = serde_json::to_string(alerts.stored()).unwrap();
    let changes = AlertChanges { rows, state, ..AlertChanges::default() };
    with_store(&gateway.store(), async |store, _| store.keep_alerts(changes).await.unwrap());
}

/// A gateway that goes on from there.
fn troubled() -> (Gateway, Daemon) {
    let gateway = gateway();
    started(&gateway).process.stop();
    seed(&gateway, &an_hour());
    let daemon = again(&gateway);
    (gateway, daemon)
}

fn again(gateway: &Gateway) -> Daemon {
    let daemon = gateway.start();
    until_true("an answer", || UnixStream::connect(socket(gateway)).is_ok());
    daemon
}

fn listed(gateway: &Gateway, query: &str) -> Vec<Value> {
    let answer = get(&socket(gateway), &format!("/v1/alerts{query}")).json();
    answer["alerts"].as_array().unwrap().clone()
}

fn causes(alerts: &[Value]) -> Vec<&str> {
    alerts.iter().map(|alert| alert["cause"].as_str().unwrap()).collect()
}

/// As many digits as people are shown.
fn short(alert: &Value) -> &str {
    &alert["id"].as_str().unwrap()[..8]
}

/// What the audit has of alerts: action, subject and detail.
fn audited(gateway: &Gateway) -> Vec<(String, String, Value)> {
    let audit = get(&socket(gateway), "/v1/audit").json();
    let rows = audit["rows"].as_array().unwrap().iter();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let ours = rows.filter(|row| row["action"].as_str().unwrap().starts_with("alert."));
    ours.map(|row| {
        let actor = text(row, "actor");
        assert!(actor.starts_with("user:") || actor.starts_with("uid:"), "{actor}");
        let detail = serde_json::from_str(&text(row, "detail")).unwrap_or(Value::Null);
        (text(row, "action"), text(row, "subject"), detail)
    })
    .collect()
}

#[test]
fn alerts_are_seen_acknowledged_and_silenced_also_after_a_restart() {
    let (gateway, mut daemon) = troubled();
    let maintenance = gateway.path("run/maintenance.sock");
    let ctl = |words: &[&str]| prints(words, &socket(&gateway));
    let says = |words: &[&str]| prints(words, &maintenance);
    let alerts = listed(&gateway, "");
    assert_eq!(causes(&alerts), ["drift past", "standard_overdue past", "spikes past"]);
    let [drift, overdue, spikes] = [0, 1, 2].map(|at| short(&alerts[at]));

    let text = ctl(&["alerts"]);
    assert!(text.starts_with(&format!("!! {drift}  drift past, page since ")), "{text}");
    assert!(
        text.contains(&format!("\n ! {overdue}  ")) && text.contains(&format!("\n - {spikes}  ")),
        "{text}"
    );
    let text = ctl(&["sensor", "past"]);
    assert!(text.contains("drift past: past is no good") && !text.contains("spikes"), "{text}");
    let text = ctl(&["status"]);
    assert!(text.contains(&format!("!! drift past: past is no good: drift (alert {drift})")), "{text}");
    assert!(
        text.contains("an alert is over, and nobody has looked") && text.contains("2 alerts stand"),
        "{text}"
    );
    assert_eq!(get(&socket(&gateway), "/v1/health").status, 200);

    assert!(says(&["alerts", "ack", drift, "--real"]).contains("acknowledged as real; it stands"));
    let text = ctl(&["alerts", "show", drift]);
    assert!(text.contains("acknowledged as real by ") && text.contains("bias  0.421"), "{text}");
    assert!(says(&["alerts", "ack", spikes, "--false"]).contains("as false; it is over"));
    assert!(
        says(&["alerts", "silence", overdue, "--for", "1h", "--reason", "a fan"]).contains("silent until 20")
    );
    assert!(ctl(&["alerts"]).contains(": a fan\n"));
    assert!(ctl(&["alerts"]).contains("\n50 % of 2 judged alerts were real\n"));
    assert!(!ctl(&["status"]).contains("past is no good"));
    assert!(says(&["alerts", "missed", "now"]).contains("now: noted; 1 missed"));
    daemon.process.stop();

    let _daemon = again(&gateway);
    let kept = listed(&gateway, "?sensor=past");
    assert_eq!(causes(&kept), ["drift past", "standard_overdue past"]);
    assert_eq!((&kept[0]["verdict"], &kept[1]["silence"]["reason"]), (&json!("real"), &json!("a fan")));
    assert_eq!(causes(&listed(&gateway, "?history=true")), ["spikes past"]);
    assert_eq!(get(&socket(&gateway), &format!("/v1/alerts/{spikes}")).json()["verdict"], "false");
    assert!(
        says(&["alerts", "silence", overdue, "--for", "0s", "--reason", "it is off"])
            .contains("not silenced")
    );
    assert_eq!(listed(&gateway, "")[1]["silence"], Value::Null);

    let audit = audited(&gateway);
    let acts: Vec<(&str, &str)> =
        audit.iter().map(|(action, subject, _)| (&**action, &subject[..3])).collect();
    assert_eq!(
        acts,
        [
            ("alert.acknowledged", &drift[..3]),
            ("alert.acknowledged", &spikes[..3]),
            ("alert.silenced", &overdue[..3]),
            ("alert.missed", "now"),
            ("alert.silenced", &overdue[..3]),
        ]
    );
    assert_eq!(audit[0].2, json!({"cause": "drift past", "verdict": "real"}));
    assert_eq!(audit[2].2["reason"], "a fan");
}

#[test]
fn what_cannot_be_is_refused_with_a_sentence_and_not_audited() {
    let (gateway, _daemon) = troubled();
    let document = get(&socket(&gateway), "/v1/openapi.json").json();
    let maintenance = gateway.path("run/maintenance.sock");
    let id = listed(&gateway, "")[0]["id"].as_str().unwrap().to_owned();
    let (acknowledge, silence) = (format!("/v1/alerts/{id}/acknowledge"), format!("/v1/alerts/{id}/silence"));
    let of = |act: &str| format!("/v1/alerts/{{id}}/{act}");
    for (path, request, body, status, says) in [
        (of("acknowledge"), acknowledge.as_str(), json!({"verdict": "maybe"}), 400, "maybe"),
        (of("acknowledge"), &acknowledge, json!({"who": "me"}), 400, "who"),
        (
            of("acknowledge"),
            "/v1/alerts/0123456789abcdef/acknowledge",
            json!({}),
            404,
            "no alert 0123456789abcdef",
        ),
        (of("acknowledge"), "/v1/alerts/x/acknowledge", json!({}), 404, "hexadecimal digits"),
        (of("silence"), &silence, json!({"for_seconds": 60}), 400, "reason"),
        (of("silence"), &silence, json!({"for_seconds": 60, "reason": " "}), 400, "reason: give"),
        (
            of("silence"),
            &silence,
            json!({"for_seconds": -1, "reason": "x"}),
            400,
            "-1 is not a whole number of at least 0",
        ),
        (of("silence"), &silence, json!({"for_seconds": 1.5, "reason": "x"}), 400, "1.5 is not"),
        (of("silence"), &silence, json!({"for_seconds": 2_592_001, "reason": "x"}), 400, "30 days at most"),
        (of("silence"), &silence, json!({"for_seconds": u64::MAX, "reason": "x"}), 400, "30 days at most"),
        (of("silence"), "/v1/alerts/0000/silence", json!({"reason": "x"}), 404, "no alert 0000"),
        ("/v1/alerts/missed".to_owned(), "/v1/alerts/missed", json!({}), 400, "sensor"),
        ("/v1/alerts/missed".to_owned(), "/v1/alerts/missed", json!({"sensor": "nobody"}), 404, "`nobody`"),
        (
            "/v1/alerts/missed".to_owned(),
            "/v1/alerts/missed",
            json!({"sensor": "past"}),
            409,
            "acknowledge that",
        ),
    ] {
        let answer = post(&maintenance, request, body.to_string().as_bytes());
        let error = answer.json()["error"].as_str().unwrap_or_default().to_owned();
        assert!(
            answer.status == status && error.contains(says),
            "{request} {body}: {} {error}",
            answer.status
        );
        is_described(&document, &path, "post", &answer);
        let answer = post(&socket(&gateway), request, body.to_string().as_bytes());
        assert_eq!(answer.status, 403, "{}", answer.text());
        is_described(&document, &path, "post", &answer);
    }
    for (words, at, code, says) in [
        (&["alerts", "ack", &id][..], socket(&gateway), 4, "use maintenance.sock"),
        (&["alerts", "ack", "0000"], maintenance.clone(), 1, "there is no alert 0000"),
        (&["alerts", "silence", &id, "--for", "31d", "--reason", "x"], maintenance, 2, "30 days at most"),
        (&["alerts", "show", "0000"], socket(&gateway), 1, "there is no alert `0000`"),
        (&["alerts", "--sensor", "nobody"], socket(&gateway), 1, "there is no sensor `nobody`"),
    ] {
        let output = calibctl(words, &at);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code() == Some(code) && error.contains(says),
            "{words:?}: {} {error}",
            output.status
        );
    }
    assert_eq!(audited(&gateway), []);
    assert_eq!(listed(&gateway, "")[0]["acknowledged"], Value::Null);
}

#[test]
fn what_is_said_of_alerts_is_as_described() {
    let (gateway, _daemon) = troubled();
    let (control, maintenance) = (socket(&gateway), gateway.path("run/maintenance.sock"));
    let document = get(&control, "/v1/openapi.json").json();
    let alerts = listed(&gateway, "");
    let path = |at: usize, act: &str| format!("/v1/alerts/{}{act}", short(&alerts[at]));
    let (list, one, silence) = ("/v1/alerts", "/v1/alerts/{id}", "/v1/alerts/{id}/silence");
    let quiet = br#"{"for_seconds": 60.0, "reason": "a fan"}"#;
    for (described, method, answer) in [
        (silence, "post", post(&maintenance, &path(1, "/silence"), quiet)),
        ("/v1/alerts/{id}/acknowledge", "post", post(&maintenance, &path(0, "/acknowledge"), b"")),
        ("/v1/alerts/missed", "post", post(&maintenance, "/v1/alerts/missed", br#"{"sensor": "now"}"#)),
        (list, "get", get(&control, list)),
        (list, "get", get(&control, "/v1/alerts?history=true&limit=1&sensor=past")),
        (list, "get", get(&control, "/v1/alerts?history=true&before=0")),
        (one, "get", get(&control, &path(0, ""))),
        ("/v1/status", "get", get(&control, "/v1/status")),
    ] {
        assert_eq!(answer.status, 200, "{method} {described}: {}", answer.text());
        is_described(&document, described, method, &answer);
    }
    for (described, request, status) in [
        (one, "/v1/alerts/0000", 404),
        (one, "/v1/alerts/x", 404),
        (list, "/v1/alerts?limit=0", 400),
        (list, "/v1/alerts?history=often", 400),
        (list, "/v1/alerts?sensor=nobody", 404),
    ] {
        let answer = get(&control, request);
        assert_eq!(answer.status, status, "{request}: {}", answer.text());
        is_described(&document, described, "get", &answer);
    }
}
