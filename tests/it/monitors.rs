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
fn sensors_that_fall_silent_or_never_speak_are_found_and_it_is_told_when_that_is_over() {
    let gateway = Gateway::new().with(
        r#"
        [source.game]
        kind = "synthetic"
        period = "50ms"
        [source.game.fields.raw]
        faults = [{ kind = "gap", at = "500ms", until = "4s" }]
        [source.game.fields.never]
        faults = [{ kind = "gap", at = "0s" }]
        [sensor.a]
        source = "game"
        field = "raw"
        unit = "nA"
        monitor = { silence = "1s" }
        [sensor.b]
        source = "game"
        field = "never"
        unit = "nA"
        monitor = { silence = "1s" }
        "#,
    );
    let mut daemon = gateway.start();
    daemon.reaches("calibd_findings_total{sensor=\"a\",kind=\"silent\"}", 1);
    daemon.says("the sensor a has been silent for");
    daemon.says("the sensor b has been silent for");
    daemon.says("no longer the matter with the sensor a: silent");
    assert!(!daemon.process.log().contains("no longer the matter with the sensor b"));
}

#[test]
fn readings_of_a_check_are_flagged_and_its_result_is_held_against_its_limits() {
    let gateway = Gateway::new().with(
        r#"
        [source.game]
        kind = "synthetic"
        speed = "max"
        for = "3000s"
        start = "2026-01-01T00:00:00Z"
        [source.game.fields.raw]
        level = 20
        noise = { std = 0.1 }
        faults = [{ kind = "step", at = "1190s", until = "1400s", by = 5 }]
        [sensor.a]
        source = "game"
        field = "raw"
        unit = "nA"
        [sensor.a.check.often]
        kind = "span"
        target = 20
        warning = 1
        action = 2
        every = "20m"
        at = "00:00"
        for = "100s"
        settle = "10s"
        "#,
    );
    let mut daemon = gateway.start();
    daemon.reaches("calibd_readings_stored_total", 3000);
    let flagged = flagged(&gateway, ReasonCode::SpanCheck);
    assert_eq!(flagged, [1..=100u64, 1201..=1300, 2401..=2500].into_iter().flatten().collect::<Vec<_>>());
    for (state, count) in [("ok", 2), ("out", 1)] {
        let name = format!("calibd_checks_total{{kind=\"span\",state=\"{state}\"}}");
        assert_eq!(daemon.metric(&name), count, "{state}");
    }
    daemon.says("the span check often of a is off by");
}
