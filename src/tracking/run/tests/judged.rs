//! What was judged, from start to start.

use super::*;
use crate::domain::comparison::Expected;
use crate::domain::drift::judge::Judge;
use crate::domain::uncertainty::decision::Mpe;

/// Sensors that are compared with `ref`, and judged from their first 50 pairs on.
fn judged(names: &[&str]) -> Sensors {
    let sensor = |name: &&str| {
        let sensor = sensor(name, Some("ref"));
        let mpe = Some(Mpe { absolute: Some(1.0), relative: None, combine: Default::default() });
        let expected = Expected { baseline: Some(50), ..Expected::default() };
        let comparison = Arc::new(Comparison { mpe, expected, ..(*sensor.comparison).clone() });
        owned(Sensor { comparison, ..sensor })
    };
    let all = names.iter().map(sensor).chain([owned(super::sensor("ref", None))]);
    Sensors::new(all.collect(), Vec::new())
}

impl Rig {
    /// So many pairs of a sensor, a hundred seconds apart, which scatter and rise.
    async fn pairs(&mut self, name: &str, numbers: std::ops::Range<i64>) {
        for number in numbers {
            let error = (number * 7 % 11) as f64 / 20.0 + number as f64 / 200.0;
            for (sensor, raw) in [(name, 20.0 + error), ("ref", 20.0)] {
                let reading = self.reading(sensor, 100 * number, 100 * number, raw);
                self.takes(reading).await;
            }
            self.tick(100 * number + 99).await;
        }
    }

    fn judge(&self, name: &str) -> &Judge {
        let judging = self.tracking.trackers[&id(name)].judging();
        assert!(!judging.is_stale());
        judging.judge()
    }
}

#[tokio::test]
async fn it_goes_on_exactly_after_a_power_cut() {
    let (mut whole, mut cut) = (Rig::new(judged(&["s"])).await, Rig::new(judged(&["s"])).await);
    whole.pairs("s", 0..200).await;
    cut.pairs("s", 0..120).await;
    cut.tracking.save_judges().await.unwrap();
    cut.pairs("s", 120..160).await;
    // What has come since is in the pairs only.
    cut.restart(judged(&["s"])).await;
    cut.pairs("s", 160..200).await;
    assert_eq!(cut.judge("s").detection().learnt, 50);
    assert_eq!(cut.judge("s"), whole.judge("s"));
    // Nothing is taken in twice.
    cut.restart(judged(&["s"])).await;
    for rig in [&mut whole, &mut cut] {
        rig.tick(100 * 200).await;
    }
    assert_eq!(cut.judge("s"), whole.judge("s"));
}

#[tokio::test]
async fn a_sensor_that_was_away_is_judged_by_all_its_pairs() {
    let both = || judged(&["s", "t"]);
    let mut rig = Rig::new(both()).await;
    rig.pairs("s", 0..20).await;
    rig.tracking.save_judges().await.unwrap();
    rig.pairs("s", 20..30).await;
    // It is not configured while another one is judged and stored.
    rig.restart(judged(&["t"])).await;
    rig.pairs("t", 130..140).await;
    rig.tracking.save_judges().await.unwrap();
    rig.restart(both()).await;
    assert_eq!((rig.judge("s").detection().learnt, rig.judge("t").detection().learnt), (30, 10));
    // Away again, and nothing has come meanwhile: it goes on.
    let before = rig.judge("s").clone();
    rig.tracking.save_judges().await.unwrap();
    rig.restart(judged(&["t"])).await;
    rig.pairs("t", 150..160).await;
    rig.tracking.save_judges().await.unwrap();
    rig.restart(both()).await;
    assert_eq!(*rig.judge("s"), before);
}

#[tokio::test]
async fn another_instrument_begins_anew_and_a_restart_knows_of_it() {
    let mut rig = Rig::new(judged(&["s"])).await;
    rig.pairs("s", 0..20).await;
    rig.tracking.serve(Ask::Mounted(id("s"), at(1950))).await;
    rig.pairs("s", 20..35).await;
    assert_eq!(rig.judge("s").detection().learnt, 15);
    rig.tracking.save_judges().await.unwrap();
    let before = rig.judge("s").clone();
    let mounted = rig.tracking.parts.mounted.clone();
    rig.tracking = tracking(judged(&["s"]), rig.tracking.parts.store.clone(), &rig.clock);
    rig.tracking.parts.mounted = mounted;
    rig.tracking.begin().await;
    assert_eq!(*rig.judge("s"), before);
}

#[tokio::test]
async fn a_withdrawn_reference_is_taken_out_of_what_was_judged() {
    let mut rig = Rig::new(judged(&["s"])).await;
    rig.pairs("s", 0..10).await;
    rig.gives(given(1000, 25.0)).await;
    let reading = rig.reading("s", 1000, 1000, 20.0);
    rig.takes(reading).await;
    rig.tick(1000 + NONE_COMES).await;
    assert_eq!(rig.judge("s").detection().learnt, 11);
    rig.withdraw(vec![id("r-1")]).await;
    rig.tick(1001 + NONE_COMES).await;
    assert_eq!(rig.judge("s").detection().learnt, 10);
    rig.restart(judged(&["s"])).await;
    assert_eq!(rig.judge("s").detection().learnt, 10);
}

#[tokio::test]
async fn a_start_without_a_store_writes_nothing_over_what_was_judged() {
    let clock = Clock::manual(at(0));
    let (store, _dir) = closed(&clock).await;
    let mut tracking = tracking(judged(&["s"]), store, &clock);
    tracking.begin().await;
    assert!(tracking.unknown && tracking.trackers.is_empty());
    assert!(tracking.save_judges().await.is_ok(), "nothing is tried");
}
