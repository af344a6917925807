//! `GET /v1/watch`: readings as they are made, as server-sent events.
//!
//! Events: `reading` with a reading, its number as `id`.

use std::collections::HashSet;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use serde::Deserialize;

use super::answer::{Answer, Problem};
use super::gateway::Gateway;
use super::readings::known;
use super::stream::{self, Shown};
use crate::domain::id::SensorId;
use crate::domain::sample::Reading;
use crate::runtime::clients::Seat;
use crate::wire::control;

/// Sensors that a client may name.
const NAMED: usize = 1000;

/// The query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Sensors, with commas between them; absent: all.
    sensors: Option<String>,
}

/// Live readings.
pub async fn watch(
    State(gateway): State<Gateway>,
    Extension(seat): Extension<Arc<Seat>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Answer {
    let Query(wanted) = wanted?;
    let sensors = match &wanted.sensors {
        Some(names) => Some(named(&gateway, names).await?),
        None => None,
    };
    stream::answer(&gateway, seat, gateway.live.watch(), None, move |outlet, shown| {
        let Shown::New(readings) = shown else { return };
        for reading in wanted_of(&readings, sensors.as_ref()) {
            outlet.offer(|| event(reading));
        }
    })
}

async fn named(gateway: &Gateway, names: &str) -> Result<HashSet<SensorId>, Problem> {
    let mut sensors = HashSet::new();
    for name in names.split(',') {
        if sensors.len() == NAMED {
            return Err(Problem::bad(format!("more than {NAMED} sensors are named; name none to watch all")));
        }
        sensors.insert(known(gateway, name).await?);
    }
    Ok(sensors)
}

fn wanted_of<'a>(
    readings: &'a [Reading],
    sensors: Option<&'a HashSet<SensorId>>,
) -> impl Iterator<Item = &'a Reading> {
    readings.iter().filter(move |reading| sensors.is_none_or(|sensors| sensors.contains(&reading.sensor)))
}

fn event(reading: &Reading) -> Bytes {
    // Texts, numbers and structs of them always serialise.
    let text = serde_json::to_string(&control::Reading::from(reading)).unwrap_or_default();
    format!("id: {}\nevent: reading\ndata: {text}\n\n", reading.seq).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::quality::{Reasons, State};
    use crate::domain::time::Timestamp;

    fn reading(seq: u64, sensor: &str) -> Reading {
        Reading {
            sensor: SensorId::new(sensor).unwrap(),
            seq,
            after: None,
            time: Timestamp::EPOCH,
            received: Timestamp::EPOCH,
            raw: Some(1.0),
            value: None,
            u: None,
            p0_p1: None,
            event: None,
            unit: "mV".into(),
            state: State::Valid,
            reasons: Reasons::NONE,
            transform: None,
        }
    }

    #[test]
    fn sensors_that_were_not_asked_for_are_left_out() {
        let readings = [reading(1, "a"), reading(2, "b")];
        let asked = HashSet::from([SensorId::new("b").unwrap()]);
        let seqs = |asked| wanted_of(&readings, asked).map(|reading| reading.seq).collect::<Vec<_>>();
        assert_eq!((seqs(Some(&asked)), seqs(None)), (vec![2], vec![1, 2]));
    }

    #[test]
    fn an_event_has_the_number_of_its_reading() {
        let event = String::from_utf8(event(&reading(7, "a")).to_vec()).unwrap();
        assert!(event.starts_with("id: 7\nevent: reading\ndata: {\"sensor\":\"a\",\"seq\":7,"), "{event}");
        assert!(event.ends_with("}\n\n"), "{event}");
    }
}
