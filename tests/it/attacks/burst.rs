//! A thousand artifacts at once: each is judged, in order, and readings go on meanwhile.

use serde_json::json;

use super::fleet::*;
use super::scene::Scene;
use crate::support::gateway::{DOWN, UP};
use crate::support::mqtt::Publisher;

const ARTIFACTS: u64 = 1000;

#[test]
fn a_burst_of_a_thousand_artifacts_is_applied_in_order_and_delays_no_reading() {
    let mut scene = Scene::new();
    let envelopes: Vec<_> = (1..=ARTIFACTS).map(|version| by_fleet(&transform(version))).collect();
    let mut control = Publisher::new(&scene.broker);
    let burst = std::thread::spawn(move || {
        for envelope in envelopes {
            control.retain(&format!("{DOWN}/co"), envelope);
        }
    });
    let (ack, reading) = (format!("{UP}/ack"), format!("{UP}/reading/co-1"));
    let mut sent = 0;
    while scene.above.on(&ack).len() < ARTIFACTS as usize {
        sent += 1;
        scene.measures("co-1", f64::from(sent) / 100.0);
    }
    burst.join().unwrap();
    let answered: Vec<_> =
        scene.acks().iter().map(|ack| (ack["version"].as_u64(), ack["verdict"].clone())).collect();
    assert_eq!(
        answered,
        (1..=ARTIFACTS).map(|version| (Some(version), json!("accepted"))).collect::<Vec<_>>()
    );
    scene.runs(ARTIFACTS, 50.5);

    let readings: Vec<_> = scene.above.on(&reading).iter().map(|message| message.json()).collect();
    for pair in readings.windows(2) {
        assert_eq!(
            (&pair[1]["after"], pair[1]["seq"].as_u64()),
            (&pair[0]["seq"], pair[0]["seq"].as_u64().map(|seq| seq + 1))
        );
        assert!(
            pair[1]["transform"]["version"].as_u64() >= pair[0]["transform"]["version"].as_u64(),
            "{pair:?}"
        );
    }
    assert_eq!(readings.len(), sent as usize + 1);
    // They did not wait for the end of it, nor for one artifact each.
    let all = scene.above.all();
    let end = all.iter().rposition(|message| message.topic == ack).unwrap();
    let meanwhile = all[..end].iter().filter(|message| message.topic == reading).count();
    assert!(meanwhile >= 10, "{meanwhile} of {sent} readings during the burst");
}
