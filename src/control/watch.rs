//! `GET /v1/watch`: readings as they are made, as server-sent events.
//!
//! Events: `reading` with a reading, its number as `id`; `lost` with a count, where the client was too
//! slow. A comment now and then shows that the connection stands.

use std::collections::HashSet;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use hyper::body::Frame;
use prometheus_client::metrics::counter::Counter;
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast, mpsc};
use tokio::time::Instant;

use super::answer::{Answer, Problem};
use super::gateway::Gateway;
use super::readings::known;
use crate::domain::id::SensorId;
use crate::domain::sample::Reading;
use crate::runtime::clients::Seat;
use crate::wire::control::{self, Lost};

/// Events that may wait for a client.
const BEHIND: usize = 256;
/// Between two signs of life.
const ALIVE: Duration = Duration::from_secs(15);
/// A client that takes nothing for so long is sent away.
const STUCK: Duration = Duration::from_secs(60);
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
    let full = |_| Problem::unavailable("too many clients watch already; close one and try again");
    let permit = gateway.watchers().clone().try_acquire_owned().map_err(full)?;
    seat.stay();
    let (sender, events) = mpsc::channel(BEHIND);
    let all_lost = gateway.metrics.watch_lost.clone();
    let watcher = Watcher { sensors, events: sender, lost: 0, all_lost, stuck_since: None, seat };
    tokio::spawn(watcher.run(gateway.live.watch()));
    let mut response = Response::new(Body::new(Events { events, _permit: permit }));
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
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

/// Turns readings into events for one client, and never waits for it.
struct Watcher {
    sensors: Option<HashSet<SensorId>>,
    events: mpsc::Sender<Bytes>,
    /// Not told yet.
    lost: u64,
    /// Of all clients.
    all_lost: Counter,
    stuck_since: Option<Instant>,
    seat: Arc<Seat>,
}

impl Watcher {
    async fn run(mut self, mut live: broadcast::Receiver<Arc<[Reading]>>) {
        let mut alive = tokio::time::interval(ALIVE);
        loop {
            tokio::select! {
                () = self.events.closed() => return,
                _ = alive.tick() => self.tick(),
                batch = live.recv() => match batch {
                    Ok(readings) => self.show(&readings),
                    // How many readings the batches held is not known: at least one each.
                    Err(RecvError::Lagged(batches)) => self.lose(batches),
                    Err(RecvError::Closed) => return,
                },
            }
            if self.stuck_since.is_some_and(|since| since.elapsed() > STUCK) {
                self.seat.leave();
                return;
            }
        }
    }

    fn show(&mut self, readings: &[Reading]) {
        for reading in readings {
            if self.sensors.as_ref().is_some_and(|sensors| !sensors.contains(&reading.sensor)) {
                continue;
            }
            if !self.tell_lost() || !self.send(event(reading)) {
                self.lose(1);
            }
        }
    }

    fn lose(&mut self, count: u64) {
        self.lost += count;
        self.all_lost.inc_by(count);
    }

    fn tick(&mut self) {
        if self.tell_lost() {
            self.send(Bytes::from_static(b": alive\n\n"));
        }
    }

    /// Tells what was lost; says whether the client knows all of it.
    fn tell_lost(&mut self) -> bool {
        if self.lost > 0 {
            let text = serde_json::to_string(&Lost { count: self.lost }).unwrap_or_default();
            if !self.send(format!("event: lost\ndata: {text}\n\n").into()) {
                return false;
            }
            self.lost = 0;
        }
        true
    }

    fn send(&mut self, event: Bytes) -> bool {
        let sent = self.events.try_send(event).is_ok();
        self.stuck_since = if sent { None } else { Some(self.stuck_since.unwrap_or_else(Instant::now)) };
        sent
    }
}

fn event(reading: &Reading) -> Bytes {
    // Texts, numbers and structs of them always serialise.
    let text = serde_json::to_string(&control::Reading::from(reading)).unwrap_or_default();
    format!("id: {}\nevent: reading\ndata: {text}\n\n", reading.seq).into()
}

/// The events of one client as the body of its answer.
struct Events {
    events: mpsc::Receiver<Bytes>,
    _permit: OwnedSemaphorePermit,
}

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.events.poll_recv(context).map(|event| event.map(|bytes| Ok(Frame::data(bytes))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::quality::{Reasons, State};
    use crate::domain::time::Timestamp;
    use crate::pipeline::live::Live;

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
            unit: "mV".into(),
            state: State::Valid,
            reasons: Reasons::NONE,
            transform: None,
        }
    }

    fn watcher(room: usize, sensors: &[&str]) -> (Watcher, mpsc::Receiver<Bytes>) {
        let (sender, events) = mpsc::channel(room);
        let sensors = sensors.iter().map(|name| SensorId::new(name).unwrap()).collect();
        let watcher = Watcher {
            sensors: Some(sensors),
            events: sender,
            lost: 0,
            all_lost: Counter::default(),
            stuck_since: None,
            seat: Arc::default(),
        };
        (watcher, events)
    }

    fn text(events: &mut mpsc::Receiver<Bytes>) -> String {
        String::from_utf8(events.try_recv().unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_slow_client_loses_readings_and_is_told_how_many() {
        let (mut watcher, mut events) = watcher(2, &["a"]);
        let readings: Vec<Reading> = (1..=5).map(|seq| reading(seq, "a")).collect();
        watcher.show(&readings);
        assert_eq!(watcher.all_lost.get(), 3);
        assert!(text(&mut events).starts_with("id: 1\nevent: reading\ndata: {\"sensor\":\"a\",\"seq\":1,"));
        assert!(text(&mut events).starts_with("id: 2\n"));
        watcher.show(&[reading(6, "a")]);
        assert_eq!(text(&mut events), "event: lost\ndata: {\"count\":3}\n\n");
        assert!(text(&mut events).starts_with("id: 6\n"));
    }

    #[tokio::test]
    async fn sensors_that_were_not_asked_for_are_left_out() {
        let (mut watcher, mut events) = watcher(9, &["b"]);
        watcher.show(&[reading(1, "a"), reading(2, "b")]);
        assert!(text(&mut events).starts_with("id: 2\n"));
        assert!(events.try_recv().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_sent_away() {
        let (watcher, _events) = watcher(1, &["a"]);
        let (live, seat) = (Live::new(), watcher.seat.clone());
        let run = tokio::spawn(watcher.run(live.watch()));
        tokio::task::yield_now().await;
        let start = Instant::now();
        tokio::select! {
            () = seat.taken() => {}
            () = async { loop { live.show(&[reading(1, "a")]); tokio::time::sleep(Duration::from_secs(1)).await; } } => {}
        }
        let waited = start.elapsed();
        assert!(waited > STUCK && waited < STUCK + ALIVE * 2, "{waited:?}");
        run.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_watcher_ends_with_its_client() {
        let (watcher, events) = watcher(1, &["a"]);
        let live = Live::new();
        let run = tokio::spawn(watcher.run(live.watch()));
        drop(events);
        run.await.unwrap();
    }
}
