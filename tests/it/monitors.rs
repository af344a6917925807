//! What the daemon finds in readings without any reference.

use calibd::domain::quality::{ReasonCode, Reasons};

use crate::support::gateway::Gateway;
use crate::support::process::metrics;

/// A sensor that is noisy for 2,000 seconds, then has a spike, and is stuck from 3,000 to 4,000.
fn gateway(monitor: &str) -> Gateway {
    Gateway::new().with(&format!(
        r#"
        [source.game]
        kind = "synthetic"
        speed = "max"
        for = "5000s"
        start = "2026-01-01T00:00:00Z"
        [source.game.fields.raw]
        level = 20
        noise = {{ std = 1, phi = 0.5 }}
        faults = [
            {{ kind = "spike", at = "2000s", by = 30 }},
            {{ kind = "stuck", at = "3000s", until = "4000s" }},
        ]

        [sensor.a]
        source = "game"
        field = "raw"
        unit = "nA"
        monitor = {{ learn = "20m"{monitor} }}
        "#
    ))
}

/// The readings that have this reason.
fn flagged(gateway: &Gateway, reason: ReasonCode) -> Vec<u64> {
    let has = |bits: u32| Reasons::from_bits(bits).contains(reason);
    gateway.history().rows().into_iter().filter(|row| has(row.reasons)).map(|row| row.seq).collect()
}

#[test]
fn a_stuck_sensor_is_found_and_its_readings_stay_as_they_are() {
    let gateway = gateway("");
    let mut daemon = gateway.start();
    daemon.reaches("calibd_readings_stored_total", 5000);
    assert_eq!(daemon.metric("calibd_findings_total{sensor=\"a\",kind=\"stuck\"}"), 1);
    assert_eq!(daemon.total("calibd_findings_total"), 1, "{}", metrics(gateway.http).unwrap());
    daemon.says("the sensor a has given");
    for reason in [ReasonCode::Stuck, ReasonCode::Spike] {
        assert_eq!(flagged(&gateway, reason), [0; 0]);
    }
}

#[test]
fn readings_are_flagged_where_that_is_wished() {
    let gateway = gateway(", flag = true, noise = false");
    let mut daemon = gateway.start();
    daemon.reaches("calibd_readings_stored_total", 5000);
    assert_eq!(daemon.total("calibd_findings_total"), 1);
    assert_eq!(flagged(&gateway, ReasonCode::Spike), [2001]);
    // The value before the fault and twenty like it are not enough.
    assert_eq!(flagged(&gateway, ReasonCode::Stuck), (3020..=4000).collect::<Vec<_>>());
}

/// Four sensors of one quantity, of which the last jumps after 2,000 seconds.
fn side_by_side() -> Gateway {
    let mut text = String::from(
        r#"
        [source.game]
        kind = "synthetic"
        speed = "max"
        for = "3000s"
        start = "2026-01-01T00:00:00Z"
        [source.game.fields.truth]
        walk = { std = 5, per = "1h" }
        [peers.hall]
        sensors = ["a", "b", "c", "d"]
        unit = "Cel"
        learn = "20m"
        "#,
    );
    for (place, name) in ["a", "b", "c", "d"].iter().enumerate() {
        let faults = if *name == "d" { r#"[{ kind = "step", at = "2000s", by = 5 }]"# } else { "[]" };
        text += &format!(
            "[source.game.fields.{name}]\nlevel = {place}\nfollows = \"truth\"\nnoise = {{ std = 0.3 }}\n\
             faults = {faults}\n[sensor.{name}]\nsource = \"game\"\nfield = \"{name}\"\nunit = \"Cel\"\n\
             monitor = {{ enabled = false }}\n"
        );
    }
    Gateway::new().with(&text)
}

#[test]
fn the_one_that_disagrees_with_the_others_is_found() {
    let gateway = side_by_side();
    let mut daemon = gateway.start();
    daemon.reaches("calibd_readings_stored_total", 4 * 3000);
    assert_eq!(daemon.metric("calibd_findings_total{sensor=\"d\",kind=\"peers\"}"), 1);
    assert_eq!(daemon.total("calibd_findings_total"), 1);
    daemon.says("the sensor d disagrees with the sensors beside it");
}

#[test]
fn a_sensor_that_falls_silent_is_found() {
    let gateway = Gateway::new().with(
        r#"
        [source.game]
        kind = "synthetic"
        period = "50ms"
        fields = { raw = { faults = [{ kind = "gap", at = "500ms" }] } }
        [sensor.a]
        source = "game"
        field = "raw"
        unit = "nA"
        monitor = { silence = "1s" }
        "#,
    );
    let mut daemon = gateway.start();
    daemon.reaches("calibd_findings_total{sensor=\"a\",kind=\"silent\"}", 1);
    daemon.says("the sensor a has been silent for");
    assert_eq!(gateway.history().raw_of("a").len(), 10);
}
