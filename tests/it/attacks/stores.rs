//! Attacks on what the gateway remembers, and floods.

use serde_json::json;

use super::fleet::*;
use super::scene::{Attack, Scene};
use crate::support::gateway::{DOWN, Gateway};
use crate::support::mqtt::Publisher;

/// Messages that a flood has.
const FLOOD: usize = 120;

fn remove_ledger(gateway: &Gateway) {
    for end in ["", "-wal", "-shm"] {
        let file = gateway.store().join(format!("ledger.db{end}"));
        // The two beside it are there only while it is open.
        if file.exists() {
            std::fs::remove_file(file).unwrap();
        }
    }
}

#[test]
fn ledger_deleted() {
    let mut scene = Scene::new();
    let six = by_fleet(&transform(6));
    scene.accepts(&format!("{DOWN}/co"), &six);
    scene.puts(&transform(7));
    scene.puts(&transform(8));
    // The broker has nothing that would say it again.
    scene.publisher.retain(&format!("{DOWN}/co"), b"");
    scene.restart(remove_ledger);
    assert_eq!(scene.measures("co-1", 1.5)["reasons"], json!(["raw_only"]));
    scene.refuses(&Attack::known("ledger_deleted", "rolled_back_version", by_fleet(&transform(7))));
    scene.refuses(&Attack::known("accepted_before", "rolled_back_version", six));
    scene.puts(&transform(9));
    scene.runs(9, 2.5);
}

#[test]
fn retained_cleared() {
    let mut scene = Scene::new();
    let root = |version| format!("calibd/1/plant-7/down/root/{version}");
    scene.puts(&transform(7));
    scene.accepts(&root(2), &signed_root(&super::fleet::root(2), &[ROOT, ROOT_2]));
    let held = scene.held();
    let topics = [format!("{DOWN}/co"), root(2), "calibd/1/plant-7/down/gw/gw-1/enrolment".to_owned()];
    for (count, topic) in (1..).zip(topics) {
        scene.publisher.retain(&topic, b"");
        scene.daemon.reaches("calibd_downlink_ignored_total{reason=\"emptied\"}", count);
    }
    scene.runs(7, 1.5);
    scene.restart(|_| {});
    scene.runs(7, 2.5);
    assert_eq!(scene.held(), held);
    scene.refuses(&Attack::known("the floor stays", "rolled_back_version", by_fleet(&transform(6))));
    scene.refuses(
        &Attack::known("and so does the root", "conflicting_version", {
            let mut fork = super::fleet::root(2);
            fork["epoch"] = json!(7);
            signed_root(&fork, &[ROOT, ROOT_2])
        })
        .on("root/2"),
    );
}

/// What strangers send costs the ledger one row for each reason and hour, however much it is, and what the fleet
/// signed gets in behind it.
#[test]
fn garbage_flood_ledger() {
    let mut scene = Scene::new();
    scene.puts(&transform(7));
    let (held, rows) = (scene.held(), scene.audit().len());
    for number in 0..FLOOD {
        let payload = match number % 3 {
            0 => format!("garbage number {number}").into_bytes(),
            1 => signed(&transform(number as u64 + 100), &[STRANGER]),
            _ => signed_as("gadget", format!("{number}").as_bytes(), &[FLEET]),
        };
        scene.publisher.publish(&format!("{DOWN}/garbage-{number}"), payload);
    }
    scene.puts(&transform(8));
    scene.runs(8, 1.5);
    assert_eq!(scene.daemon.total("calibd_refusals_total"), FLOOD as i64);
    let audit = scene.audit().split_off(rows);
    let refused: Vec<_> = audit.iter().filter(|row| row.action == "artifact.refused").collect();
    let hours: std::collections::BTreeSet<_> = refused.iter().map(|row| &row.time[..13]).collect();
    assert!(refused.len() <= 3 * hours.len() && hours.len() <= 2, "{refused:?}");
    assert_eq!(scene.held().len(), held.len() + 2, "the transform and its activation");
}

/// Retained messages larger than an artifact may be, or than the connection takes: they come with every connection,
/// and the link stays up.
#[test]
fn oversize_retained_loop() {
    let mut scene = Scene::new();
    scene.puts(&transform(7));
    // The broker keeps this one to itself.
    scene.publisher.retain(&format!("{DOWN}/huge"), vec![b'{'; 700 << 10]);
    let large = Attack::strange("oversize_retained_loop", "too_large", vec![b'{'; 400 << 10]);
    scene.refuses(&Attack { topic: format!("{DOWN}/large"), ..large });
    for version in 8..11 {
        let told = scene.daemon.metric("calibd_refusals_total{reason=\"too_large\"}");
        scene.broker.stop();
        scene.broker.resume();
        scene.publisher = Publisher::new(&scene.broker);
        scene.daemon.reaches("calibd_refusals_total{reason=\"too_large\"}", told + 1);
        let connected = scene.daemon.metric("calibd_link_reconnects_total");
        scene.puts(&transform(version));
        scene.runs(version, version as f64);
        assert_eq!(scene.daemon.metric("calibd_link_reconnects_total"), connected, "the connection stays");
    }
}
