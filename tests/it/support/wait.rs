//! Waiting for what is awaited, with a limit.

use std::time::Duration;

use calibd::runtime::clock::Clock;

/// Nothing here takes longer than this unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// Rests the test's own thread.
#[expect(
    clippy::disallowed_methods,
    reason = "a test's thread is no task of a runtime, and nothing hopes here"
)]
pub fn rest(time: Duration) {
    std::thread::sleep(time);
}

/// Looks until `look` finds something.
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, look)
}

/// Looks for at most `patience` until `look` finds something.
pub fn within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let clock = Clock::system();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(clock.monotonic() < patience, "waited {patience:?} in vain for {what}");
        rest(LOOK);
    }
}

/// Looks until `look` says yes.
pub fn until_true(what: &str, mut look: impl FnMut() -> bool) {
    until(what, || look().then_some(()));
}

/// Keeps a steady rate: each step rests until its time has come.
pub struct Pace {
    clock: Clock,
    step: Duration,
    next: Duration,
}

impl Pace {
    /// So many steps a second.
    pub fn per_second(rate: u32) -> Pace {
        Pace { clock: Clock::system(), step: Duration::from_secs(1) / rate, next: Duration::ZERO }
    }

    /// Rests until the next step is due; makes up for none that was missed.
    pub fn step(&mut self) {
        let now = self.clock.monotonic();
        if now < self.next {
            rest(self.next - now);
        }
        self.next = self.next.max(now) + self.step;
    }
}
