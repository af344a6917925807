//! What a broker may hold that nobody should have put there.

use serde_json::json;

use super::road::{FLEET, Road, code};
use crate::support::desk::stderr;
use crate::support::mqtt::Publisher;

#[test]
fn everything_that_is_retained_arrives_before_the_answer() {
    const GATEWAYS: usize = 3_000;
    let road = Road::new();
    assert_eq!(road.json(&["list"], 0)["gateways"], json!([]), "nothing is retained");
    let mut publisher = Publisher::new(&road.broker);
    for number in 0..GATEWAYS {
        publisher.retain(&format!("{FLEET}/up/gw-{number}/status"), r#"{"online":true,"version":"0.1.0"}"#);
    }
    let list = road.json(&["list"], 0);
    assert_eq!(list["gateways"].as_array().unwrap().len(), GATEWAYS);
    assert_eq!(list["ignored"], json!([]));
}

#[test]
fn nonsense_is_counted_and_named_and_the_rest_is_shown() {
    let road = Road::new();
    let mut publisher = Publisher::new(&road.broker);
    let deep = "[".repeat(100_000);
    let large = "x".repeat(300 * 1024);
    let huge = "x".repeat(700 * 1024);
    for (path, payload) in [
        ("up/good/status", r#"{"online":true,"version":"9\u001b[2J","future":{"a":[1]}}"#),
        ("up/deep/status", deep.as_str()),
        ("up/large/reported/s", large.as_str()),
        ("up/huge/status", huge.as_str()),
        (
            "up/bad/reported/s",
            r#"{"payload":"e30=","payloadType":"application/vnd.calibd.reported+json","signatures":[]}"#,
        ),
        ("up/odd name/status", "{}"),
        ("down/gw/x/enrolment", "{}"),
    ] {
        publisher.retain(&format!("{FLEET}/{path}"), payload);
    }
    publisher.retain(&format!("{FLEET}/up/bytes/status"), b"\xff\xfe\x00");
    let list = road.json(&["list"], 0);
    let names: Vec<_> =
        list["gateways"].as_array().unwrap().iter().map(|row| row["gateway"].clone()).collect();
    assert!(names.contains(&json!("good")), "{list}");
    let problems: Vec<_> =
        list["ignored"].as_array().unwrap().iter().map(|it| it["problem"].clone()).collect();
    assert_eq!(problems, [json!("unknown topic"), json!("unreadable")], "{list}");
    let said = road.run(&["list"]);
    assert_eq!(code(&said), 0);
    assert!(
        stderr(&said).contains("messages are left out, unreadable: calibd/1/plant-7/"),
        "{}",
        stderr(&said)
    );
    assert!(!String::from_utf8_lossy(&said.stdout).contains('\u{1b}'));

    // Of what gateways that are known say, too.
    publisher.retain(&format!("{FLEET}/up/large/status"), r#"{"online":true}"#);
    let list = road.json(&["list"], 0);
    let large = list["ignored"].as_array().unwrap().iter().find(|it| it["problem"] == "too large");
    assert_eq!(large.unwrap()["topics"], json!([format!("{FLEET}/up/large/reported/s")]));
    for args in [&["drift"][..], &["status", "co"], &["archive", "kept"]] {
        assert!(code(&road.run(args)) <= 1, "{args:?}");
    }
    assert!(road.files("kept").iter().all(|name| !name.contains("odd") && !name.contains("..")));
}
