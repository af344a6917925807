use proptest::prelude::*;

use super::*;
use crate::domain::sensor::Kind;

const NOW: &str = "2026-11-22T12:00:00Z";
const HOUR: i64 = 3_600_000_000;

fn now() -> Timestamp {
    Timestamp::parse(NOW).unwrap()
}

fn ago(hours: i64) -> Timestamp {
    now().saturating_add_micros(-hours * HOUR)
}

fn week() -> Labels {
    Labels::new(Span::week(Kind::Measurement))
}

#[test]
fn a_share_of_the_readings_has_a_reference() {
    let mut labels = week();
    assert_eq!(labels.scores(now()), LabelScores::default());
    assert!(labels.readings(ago(30), 360, now()) && labels.readings(ago(1), 40, now()));
    assert_eq!(labels.scores(now()).completeness, Some(0.0));
    assert!(labels.labelled(ago(30), 300, now()));
    assert_eq!(labels.scores(now()).completeness, Some(0.75));
    // counted twice by mistake
    assert!(labels.labelled(ago(30), 300, now()));
    assert_eq!(labels.scores(now()).completeness, Some(1.0));
    // six days later the first ones are gone
    assert_eq!(labels.scores(ago(-132)).completeness, Some(0.0));
    assert_eq!(labels.scores(ago(-200)), LabelScores::default());
    labels.clear();
    assert_eq!(labels.scores(now()), LabelScores::default());
}

#[test]
fn latencies_count_when_the_reference_arrives() {
    let mut labels = week();
    // a month late, which no window of readings would show
    assert!(labels.reference(ago(720), ago(2), now()));
    let scores = labels.scores(now());
    assert_eq!(scores.completeness, None);
    assert!((scores.latency_p50.unwrap() / (718.0 * 3600.0) - 1.0).abs() < 0.18);
    for _ in 0..18 {
        labels.reference(ago(3), ago(2), now());
    }
    let scores = labels.scores(now());
    assert!((scores.latency_p50.unwrap() / 3600.0 - 1.0).abs() < 0.18);
    // 19 references: the 95th percentile is the 19th
    assert!(scores.latency_p95.unwrap() > 86_400.0);
}

#[test]
fn clocks_that_disagree_spoil_nothing() {
    let mut labels = week();
    assert!(labels.reference(ago(0), ago(1), now()));
    assert_eq!(labels.scores(now()).latency_p50, Some(0.5));
    assert!(labels.reference(Timestamp::EPOCH.saturating_add_micros(i64::MIN), now(), now()));
    assert_eq!(labels.scores(now()).latency_p95, Some(8_388_608.0));
    // neither from before the window nor from the future
    assert!(!labels.reference(ago(400), ago(399), now()) && !labels.readings(ago(-40), 1, now()));
    assert!(!labels.labelled(ago(400), 1, now()));
    // a clock that was years ahead is forgotten once it is right again
    let ahead = ago(-100_000);
    assert!(labels.readings(ahead, 5, ahead));
    for hours in 0..200 {
        labels.readings(ago(hours), 1, now());
        labels.labelled(ago(hours), 1, now());
    }
    assert_eq!(labels.scores(now()).completeness, Some(1.0));
    assert!(labels.readings(now(), u64::MAX, now()) && labels.readings(now(), 1, now()));
    assert!(labels.scores(now()).completeness.unwrap() < 1e-9);
}

#[test]
fn middles_are_within_their_bins() {
    for bin in 1..BINS - 1 {
        let micros = (middle(bin) * 1e6) as i64;
        assert_eq!(place(micros), bin);
    }
    assert_eq!((place(-1), place(999_999), place(1_000_000), place(i64::MAX)), (0, 0, 1, BINS - 1));
    assert_eq!((place(8_388_608_000_000), place(8_388_607_999_999)), (BINS - 1, BINS - 2));
}

proptest! {
    #[test]
    fn quantiles_are_18_percent_off_at_most(seconds in prop::collection::vec(0.0..13.0f64, 1..200)) {
        let mut micros: Vec<i64> = seconds.iter().map(|power| (power.exp() * 1e6) as i64).collect();
        let mut labels = week();
        for late in &micros {
            labels.reference(now().saturating_add_micros(-late), now(), now());
        }
        micros.sort_unstable();
        let scores = labels.scores(now());
        for (share, found) in [(0.5, scores.latency_p50), (0.95, scores.latency_p95)] {
            let rank = (share * micros.len() as f64).ceil() as usize;
            let exact = micros[rank - 1] as f64 / 1e6;
            prop_assert!((found.unwrap() / exact - 1.0).abs() < 0.18, "{found:?} {exact}");
        }
    }
}
