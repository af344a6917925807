use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::domain::id::Id;
use crate::domain::sample::Sample;
use crate::domain::sensor::{Kind, Monitoring, Sensor};
use crate::domain::time::Timestamp;
use crate::pipeline::calibrate::{Moment, OnExpired};
use crate::runtime::clock::Clock;
use crate::store::{self, Options};

const COUNT: usize = 2 * PAGE + 3;

fn open(dir: &Path) -> Store {
    let options = Options {
        dir: dir.to_path_buf(),
        commit_interval: EVERY,
        ack_batch: 10,
        max_age: 24 * EVERY,
        max_size: 1 << 30,
        max_pages: None,
    };
    store::open(options, Clock::manual(Timestamp::EPOCH)).unwrap().store
}

fn sensor(number: usize) -> Arc<Sensor> {
    Arc::new(Sensor {
        id: Id::new(&format!("s{number}")).unwrap(),
        quantity: "q".to_owned(),
        kind: Kind::Measurement,
        unit: "1".into(),
        model: None,
        serial: None,
        uncertainty: None,
        covariates: Default::default(),
        comparison: Default::default(),
        monitor: Some(Monitoring::default()),
        checks: Default::default(),
    })
}

/// One reading of every sensor.
fn read(it: &mut Calibrator, raw: f64) {
    for number in 0..COUNT {
        let (sensor, now) = (sensor(number).id.clone(), Timestamp::EPOCH);
        let sample = Sample {
            sensor,
            device_time: None,
            gateway_time: now,
            raw: Some(raw),
            u: None,
            event: None,
            ack: None,
        };
        it.reading(&sample, 1, Moment { now, trusted: true }).unwrap();
    }
}

fn by_sensor(states: Vec<(SensorId, Option<String>)>) -> BTreeMap<SensorId, String> {
    states.into_iter().filter_map(|(sensor, state)| Some((sensor, state?))).collect()
}

async fn stored(store: &Store) -> BTreeMap<SensorId, String> {
    store.learnt().await.unwrap().into_iter().collect()
}

#[tokio::test]
async fn pages_are_kept_each_hour_and_everything_at_the_stop() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut it = Calibrator::new(HashMap::new(), OnExpired::Keep);
    (0..COUNT).for_each(|number| it.add(sensor(number)));
    assert!(it.learnt(0..COUNT).iter().all(|(_, state)| state.is_none()));
    read(&mut it, 1.0);
    let mut keeping = Keeping::new(Duration::ZERO);
    keeping.turn(&it, &store, EVERY / 2);
    assert!(keeping.page.is_none());
    for sensors in [PAGE, 2 * PAGE, COUNT] {
        keeping.turn(&it, &store, EVERY);
        keeping.page.as_mut().unwrap().await.unwrap();
        assert_eq!(stored(&store).await.len(), sensors);
    }
    keeping.turn(&it, &store, EVERY);
    assert_eq!((keeping.due, keeping.next), (2 * EVERY, 0));
    read(&mut it, 2.0);
    keeping.finish(&it, &store).await;
    assert_eq!(stored(&store).await, by_sensor(it.learnt(0..COUNT)));
    // What nobody knows any more is forgotten; a sensor that is gone is as well.
    let first = sensor(0).id.clone();
    let known = recover(&store, |sensor| *sensor == first).await;
    assert_eq!(known, stored(&store).await.into_iter().collect::<Vec<_>>());
    assert_eq!(known.len(), 1);
    it.follow(|_| None);
    Keeping::default().finish(&it, &store).await;
    assert!(stored(&store).await.is_empty());
}
