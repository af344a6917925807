//! Signs of life: every part of the process beats, and one that has stopped is found.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior};

/// Between two beats of a part that waits.
pub const BEAT: Duration = Duration::from_secs(1);

/// One part's signs of life. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pulse {
    started: Instant,
    /// Milliseconds from `started` to the last beat.
    last: Arc<AtomicU64>,
}

impl Pulse {
    /// A part that is alive now.
    pub fn new() -> Pulse {
        Pulse { started: Instant::now(), last: Arc::default() }
    }

    /// Shows a sign of life.
    pub fn beat(&self) {
        let since = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(since, Ordering::Relaxed);
    }

    /// How long ago the last sign of life was.
    pub fn silent(&self) -> Duration {
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(last)
    }

    /// Beats for a loop that says where it waits.
    pub fn waits(&self) -> Waits {
        let mut interval = tokio::time::interval(BEAT);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Waits { pulse: self.clone(), interval }
    }
}

impl Default for Pulse {
    fn default() -> Pulse {
        Pulse::new()
    }
}

/// The beats of one loop, while it waits and whenever it goes on.
#[derive(Debug)]
pub struct Waits {
    pulse: Pulse,
    interval: Interval,
}

impl Waits {
    /// Waits for `future`, which may take as long as it likes.
    pub async fn on<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(output) => {
                self.pulse.beat();
                Poll::Ready(output)
            }
            Poll::Pending => {
                self.pending(context);
                Poll::Pending
            }
        })
        .await
    }

    fn pending(&mut self, context: &mut Context<'_>) {
        while self.interval.poll_tick(context).is_ready() {
            self.pulse.beat();
        }
    }
}

/// All parts whose life is watched. Cheap to clone; clones watch the same parts.
#[derive(Clone, Debug, Default)]
pub struct Pulses(Arc<Mutex<Vec<(String, Pulse)>>>);

impl Pulses {
    fn lock(&self) -> MutexGuard<'_, Vec<(String, Pulse)>> {
        // No code panics while holding the lock with a half-made change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a part, such as `store`.
    pub fn part(&self, name: impl Into<String>) -> Pulse {
        let pulse = Pulse::new();
        self.lock().push((name.into(), pulse.clone()));
        pulse
    }

    /// Takes away a part that has ended as it should.
    pub fn forget(&self, pulse: &Pulse) {
        self.lock().retain(|(_, other)| !Arc::ptr_eq(&other.last, &pulse.last));
    }

    /// The parts that have been silent for longer than `limit`.
    pub fn stuck(&self, limit: Duration) -> Vec<String> {
        let parts = self.lock();
        let silent = parts.iter().filter(|(_, pulse)| pulse.silent() > limit);
        silent.map(|(name, _)| name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_waits_where_it_may_is_alive() {
        let pulses = Pulses::default();
        let mut waits = pulses.part("pipeline").waits();
        let task = tokio::spawn(async move { waits.on(pending::<()>()).await });
        tokio::time::sleep(LIMIT * 10).await;
        assert_eq!(pulses.stuck(LIMIT), Vec::<String>::new());
        task.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_waits_where_it_may_not_is_stuck() {
        let pulses = Pulses::default();
        let (mut healthy, mut waits) = (pulses.part("store").waits(), pulses.part("pipeline").waits());
        tokio::spawn(async move { healthy.on(pending::<()>()).await });
        tokio::spawn(async move {
            waits.on(async {}).await;
            pending::<()>().await;
        });
        tokio::time::sleep(LIMIT - BEAT).await;
        assert_eq!(pulses.stuck(LIMIT), Vec::<String>::new());
        tokio::time::sleep(BEAT * 2).await;
        assert_eq!(pulses.stuck(LIMIT), ["pipeline"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_was_taken_away_is_not_missed() {
        let pulses = Pulses::default();
        let (gone, _other) = (pulses.part("link"), pulses.part("link"));
        pulses.forget(&gone);
        tokio::time::advance(LIMIT * 2).await;
        assert_eq!(pulses.stuck(LIMIT), ["link"]);
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_never_waits_is_alive() {
        let pulses = Pulses::default();
        let mut waits = pulses.part("link").waits();
        tokio::time::advance(LIMIT * 2).await;
        assert_eq!(pulses.stuck(LIMIT), ["link"]);
        waits.on(async {}).await;
        assert_eq!(pulses.stuck(LIMIT), Vec::<String>::new());
    }
}
