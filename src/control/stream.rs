//! Server-sent events for one client: what is shown to it never waits for it.
//!
//! A client that is too slow loses events and is told by `lost` how many. A comment now and then shows
//! that the connection stands.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use prometheus_client::metrics::counter::Counter;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio::time::Instant;

use super::answer::{Answer, Problem};
use super::gateway::Gateway;
use super::pieces::{EVENTS, event, streamed};
use crate::runtime::clients::Seat;
use crate::runtime::task;
use crate::wire::control::Lost;

/// Events that may wait for a client.
const BEHIND: usize = 256;
/// Between two signs of life.
const ALIVE: Duration = Duration::from_secs(15);
/// A client that takes nothing for so long is sent away.
const STUCK: Duration = Duration::from_secs(60);

/// What there is to show.
#[derive(Debug)]
pub enum Shown<T> {
    /// The client is there.
    Begin,
    /// Something new.
    New(T),
    /// Nothing new for as long as was asked.
    Silence,
}

/// The answer that shows all that `live` has to one client; `show` makes the events of it.
pub fn answer<T: Clone + Send + 'static>(
    gateway: &Gateway,
    seat: Arc<Seat>,
    live: broadcast::Receiver<T>,
    silence: Option<Duration>,
    show: impl FnMut(&mut Outlet, Shown<T>) + Send + 'static,
) -> Answer {
    let full = |_| Problem::unavailable("too many clients watch already; close one and try again");
    let permit = gateway.watchers().clone().try_acquire_owned().map_err(full)?;
    seat.stay();
    let (outlet, events) = Outlet::new(BEHIND, seat, gateway.metrics.watch_lost.clone());
    task::spawn(outlet.run(live, silence, show));
    Ok(streamed(EVENTS, events, Some(permit)))
}

/// Where one client's events go.
#[derive(Debug)]
pub struct Outlet {
    events: mpsc::Sender<Bytes>,
    /// Not told yet.
    lost: u64,
    /// Of all clients.
    all_lost: Counter,
    stuck_since: Option<Instant>,
    seat: Arc<Seat>,
}

impl Outlet {
    fn new(room: usize, seat: Arc<Seat>, all_lost: Counter) -> (Outlet, mpsc::Receiver<Bytes>) {
        let (sender, events) = mpsc::channel(room);
        (Outlet { events: sender, lost: 0, all_lost, stuck_since: None, seat }, events)
    }

    fn lose(&mut self, count: u64) {
        self.lost += count;
        self.all_lost.inc_by(count);
    }

    async fn run<T: Clone>(
        mut self,
        mut live: broadcast::Receiver<T>,
        silence: Option<Duration>,
        mut show: impl FnMut(&mut Outlet, Shown<T>),
    ) {
        let mut alive = tokio::time::interval(ALIVE);
        show(&mut self, Shown::Begin);
        let mut silent_at = silence.map(|silence| Instant::now() + silence);
        loop {
            tokio::select! {
                () = self.events.closed() => return,
                _ = alive.tick() => self.tick(),
                () = at(silent_at) => {
                    silent_at = None;
                    show(&mut self, Shown::Silence);
                }
                next = live.recv() => {
                    silent_at = silence.map(|silence| Instant::now() + silence);
                    match next {
                        Ok(new) => show(&mut self, Shown::New(new)),
                        // How much was in each is not known: at least one.
                        Err(RecvError::Lagged(missed)) => self.lose(missed),
                        Err(RecvError::Closed) => return,
                    }
                }
            }
            if self.stuck_since.is_some_and(|since| since.elapsed() > STUCK) {
                self.seat.leave();
                return;
            }
        }
    }

    /// Shows an event, or counts it as lost.
    pub fn offer(&mut self, event: impl FnOnce() -> Bytes) {
        if !self.tell_lost() || !self.send(event()) {
            self.lose(1);
        }
    }

    fn tick(&mut self) {
        if self.tell_lost() {
            self.send(Bytes::from_static(b": alive\n\n"));
        }
    }

    /// Tells what was lost; says whether the client knows all of it.
    fn tell_lost(&mut self) -> bool {
        if self.lost > 0 {
            if !self.send(event("lost", &Lost { count: self.lost })) {
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

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outlet(room: usize) -> (Outlet, mpsc::Receiver<Bytes>) {
        Outlet::new(room, Arc::default(), Counter::default())
    }

    fn text(events: &mut mpsc::Receiver<Bytes>) -> String {
        String::from_utf8(events.try_recv().unwrap().to_vec()).unwrap()
    }

    fn number(outlet: &mut Outlet, shown: Shown<u64>) {
        match shown {
            Shown::Begin => {}
            Shown::New(number) => outlet.offer(|| format!("id: {number}\n").into()),
            Shown::Silence => outlet.offer(|| "silence\n".into()),
        }
    }

    #[tokio::test]
    async fn a_slow_client_loses_events_and_is_told_how_many() {
        let (mut outlet, mut events) = outlet(2);
        (1..=5).for_each(|id| number(&mut outlet, Shown::New(id)));
        assert_eq!((text(&mut events), text(&mut events)), ("id: 1\n".into(), "id: 2\n".into()));
        number(&mut outlet, Shown::New(6));
        assert_eq!(text(&mut events), "event: lost\ndata: {\"count\":3}\n\n");
        assert_eq!(text(&mut events), "id: 6\n");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_shown_once_until_something_comes() {
        let (outlet, mut events) = outlet(99);
        let live = broadcast::Sender::new(9);
        let run = tokio::spawn(outlet.run(live.subscribe(), Some(Duration::from_secs(5)), number));
        tokio::time::sleep(Duration::from_secs(14)).await;
        live.send(7).unwrap();
        tokio::time::sleep(Duration::from_secs(6)).await;
        let mut found = Vec::new();
        while let Ok(event) = events.try_recv() {
            found.push(String::from_utf8(event.to_vec()).unwrap());
        }
        found.retain(|event| !event.starts_with(':'));
        assert_eq!(found, ["silence\n", "id: 7\n", "silence\n"]);
        drop(events);
        run.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_sent_away() {
        let (outlet, _events) = outlet(1);
        let (live, seat) = (broadcast::Sender::new(9), outlet.seat.clone());
        let run = tokio::spawn(outlet.run(live.subscribe(), None, number));
        let start = Instant::now();
        let feed = async {
            loop {
                let _ = live.send(1);
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        tokio::select! {
            () = seat.taken() => {}
            () = feed => {}
        }
        let waited = start.elapsed();
        assert!(waited > STUCK && waited < STUCK + ALIVE * 2, "{waited:?}");
        run.await.unwrap();
    }
}
