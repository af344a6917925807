//! Tests of the book.

use proptest::prelude::*;

use super::*;
use crate::ctl::fleet::said::Text;
use crate::domain::trust::envelope::{payload_type, sign};
use crate::domain::trust::key::PrivateKey;
use crate::wire::message::Verdict;

fn id(text: &str) -> Id {
    Id::new(text).unwrap()
}

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from_seed(&[seed; 32]).unwrap()
}

fn book() -> Book {
    Book::new(id("f"), Trust::new(None), Some(id("co")))
}

fn take(book: &mut Book, path: &str, payload: &[u8]) -> News {
    book.take(format!("calibd/1/f/{path}").as_bytes(), payload, Timestamp::EPOCH)
}

fn enrolled(book: &mut Book, gateway: &str, seed: u8, groups: &str, verified: bool) {
    let text = format!(
        r#"{{"schema":1,"fleet":"f","gateway":"{gateway}","version":1,"public_key":{},"groups":[{groups}],"issued_at":"2026-01-01T00:00:00Z"}}"#,
        serde_json::to_string(key(seed).public()).unwrap()
    );
    let bytes = sign(&payload_type("enrolment"), text.as_bytes(), &[]);
    let enrolled = book.trust.enrolment(&id(gateway), &bytes).unwrap();
    book.enrol(&id(gateway), Enrolled { verified, ..enrolled });
}

fn reported(seed: u8, active: u64) -> Vec<u8> {
    let digest = Digest::of(&[b"x"]);
    let ack = format!(
        r#"{{"digest":"{digest}","id":"co","version":9,"verdict":"refused","reason":"expired","message":"m","stage":null,"time":"2026-01-01T00:00:00Z"}}"#
    );
    let text = format!(
        r#"{{"sensor":"s","active":{{"id":"co","version":{active},"digest":"{digest}"}},"candidate":null,"floors":{{}},"drift":null,"verdicts":[{ack}]}}"#
    );
    sign(&payload_type("reported"), text.as_bytes(), &[key(seed)])
}

#[test]
fn a_report_is_verified_by_the_enrolled_key_only() {
    let mut book = book();
    enrolled(&mut book, "g", 1, "", true);
    enrolled(&mut book, "h", 1, "", false);
    for (gateway, seed, verified) in [("g", 1, true), ("g", 2, false), ("h", 1, false), ("i", 1, false)] {
        take(&mut book, &format!("up/{gateway}/reported/s"), &reported(seed, 7));
        let sensor = &book.gateways[&id(gateway)].sensors[&id("s")];
        assert_eq!(sensor.verified, verified, "{gateway} {seed}");
        assert_eq!(sensor.active.as_ref().unwrap().version, 7);
        let answer = sensor.answer.as_ref().unwrap();
        assert_eq!(
            (answer.verdict, answer.reason.as_ref().map(Text::as_str)),
            (Verdict::Refused, Some("expired"))
        );
    }
}

#[test]
fn a_report_about_another_sensor_is_left_out() {
    let mut book = book();
    take(&mut book, "up/g/reported/other", &reported(1, 7));
    assert!(book.gateways.values().all(|gateway| gateway.reported().count() == 0));
    assert_eq!(book.ignored["unreadable"].count, 1);
}

#[test]
fn an_emptied_message_takes_back_what_was_said() {
    let mut book = book();
    take(&mut book, "up/g/reported/s", &reported(1, 7));
    take(&mut book, "up/g/status", br#"{"online":true}"#);
    take(
        &mut book,
        "up/g/alert/a1",
        br#"{"severity":"page","cause":"drift s","sensors":["s"],"cleared":null,"message":"m"}"#,
    );
    assert_eq!(book.gateways[&id("g")].standing().count(), 1);
    for path in [
        "up/g/reported/s",
        "up/g/status",
        "up/g/alert/a1",
        "down/gw/g/enrolment",
        "down/root/2",
        "down/all/order/x",
    ] {
        take(&mut book, path, b"");
    }
    let gateway = &book.gateways[&id("g")];
    assert_eq!((gateway.standing().count(), gateway.reported().count(), gateway.is_online()), (0, 0, false));
    assert!(book.ignored.is_empty(), "{:?}", book.ignored);
}

#[test]
fn replies_to_commands_are_answers_too() {
    let mut book = book();
    let digest = Digest::of(&[b"x"]);
    let text = format!(
        r#"{{"digest":"{digest}","command":"log_level","serial":3,"verdict":"accepted","reason":null,"message":"m","sensors":[],"time":"2026-01-01T00:00:00Z"}}"#
    );
    let bytes = sign(&payload_type("reply"), text.as_bytes(), &[key(1)]);
    let News::Answer(gateway, answer, verified) = take(&mut book, "up/g/reply", &bytes) else {
        panic!("no answer")
    };
    assert_eq!((gateway, answer.digest, answer.version, verified), (id("g"), Some(digest), Some(3), false));
}

#[test]
fn hostile_messages_are_counted_and_named() {
    let mut book = book();
    let deep = "[".repeat(200_000);
    for (path, payload) in [
        ("up/g/status", deep.as_bytes()),
        ("up/g/status", b"\xff\xfe"),
        ("up/g/reported/s", b"{}"),
        ("up/g/ack", b"not an envelope"),
        ("up/g/status/deeper", b"{}"),
        ("up/../status", b"{}"),
        ("down/all/transform/co", b"{}"),
        ("up/g/metrics/s", br#"{"sensor":"t","calibrated":{"n":1,"bias":null,"rmse":null}}"#),
    ] {
        assert!(matches!(take(&mut book, path, payload), News::None), "{path}");
    }
    take(&mut book, "up/g/status", &vec![b' '; MAX_ARTIFACT + 1]);
    book.take(b"calibd/1/f/\xff", b"", Timestamp::EPOCH);
    let counts: Vec<_> = book.ignored.values().map(|it| (it.problem, it.count)).collect();
    assert_eq!(
        counts,
        [("about another sensor", 1), ("too large", 1), ("unknown topic", 3), ("unreadable", 5)]
    );
    assert_eq!(book.ignored["too large"].topics, [Text::new("calibd/1/f/up/g/status")]);
}

#[test]
fn names_of_ignored_messages_are_few() {
    let mut book = book();
    for number in 0..1000 {
        take(&mut book, &format!("up/g{number}/nonsense"), b"");
    }
    assert_eq!(
        (book.ignored["unknown topic"].count, book.ignored["unknown topic"].topics.len()),
        (1000, NAMED)
    );
}

#[test]
fn who_hears_a_branch_is_known_from_the_enrolments() {
    let mut book = book();
    enrolled(&mut book, "a", 1, r#""north""#, true);
    enrolled(&mut book, "b", 2, "", true);
    take(&mut book, "up/c/status", br#"{"online":true}"#);
    assert_eq!(book.on(&Branch::All), [id("a"), id("b"), id("c")]);
    assert_eq!(book.on(&Branch::Group(id("north"))), [id("a")]);
    assert_eq!(book.on(&Branch::Gateway(id("b"))), [id("b")]);
    assert_eq!(book.on(&Branch::Gateway(id("new"))), [id("new")]);
}

#[test]
fn retained_artifacts_are_known_by_version_and_serial() {
    let mut book = book();
    let transform = sign(&payload_type("transform"), br#"{"id":"co","version":7}"#, &[]);
    let order = sign(&payload_type("order"), br#"{"id":"co","serial":4,"action":"abort"}"#, &[]);
    take(&mut book, "down/all/transform/co", &transform);
    take(&mut book, "down/group/north/order/co", &order);
    // What a topic is for, the envelope has to be.
    take(&mut book, "down/all/order/co", &transform);
    let numbers: Vec<_> = book.desired.values().map(|kept| (kept.number, kept.verified)).collect();
    assert_eq!(numbers, [(7, false), (4, false)]);
    assert_eq!(book.ignored["unreadable"].count, 1);
}

proptest! {
    #[test]
    fn any_message_is_taken(
        path in "(up|down)/(g|[.]{2}|all|gw/g|group/n|root)/(status|ack|reported/s|alert/a|enrolment|transform/co|order/co|2|[a-z]{0,3})",
        payload in proptest::collection::vec(any::<u8>(), 0..120),
        json in "[{}\\[\\]\":,0-9a-z]{0,60}",
    ) {
        let mut book = book();
        take(&mut book, &path, &payload);
        take(&mut book, &path, json.as_bytes());
        take(&mut book, &path, &sign(&payload_type("ack"), json.as_bytes(), &[]));
        prop_assert!(book.gateways.len() <= 1);
    }
}
