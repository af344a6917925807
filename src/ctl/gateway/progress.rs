//! A bar for what takes longer than a moment.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use crate::runtime::clock::Clock;

/// Nothing is shown of what is done by then.
const SOON: Duration = Duration::from_secs(1);
/// Between two pictures.
const STEP: Duration = Duration::from_millis(100);
const WIDTH: u64 = 30;

/// A bar on a terminal's standard error; nothing where there is none.
pub struct Progress {
    what: &'static str,
    clock: Clock,
    next: Duration,
    shows: bool,
    drawn: bool,
}

impl Progress {
    /// Nothing is done yet.
    pub fn new(what: &'static str) -> Progress {
        let shows = std::io::stderr().is_terminal();
        Progress { what, clock: Clock::system(), next: SOON, shows, drawn: false }
    }

    /// So much of so much is done.
    pub fn at(&mut self, done: u64, total: u64) {
        let now = self.clock.monotonic();
        if self.shows && now >= self.next {
            // A closed stderr is nobody's problem.
            let _ = write!(std::io::stderr(), "\r{} {}", self.what, bar(done, total));
            self.next = now + STEP;
            self.drawn = true;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn bar(done: u64, total: u64) -> String {
    let share = |of: u64| (u128::from(done.min(total)) * u128::from(of) / u128::from(total.max(1))) as usize;
    format!("[{:<width$}] {:>3} %", "#".repeat(share(WIDTH)), share(100), width = WIDTH as usize)
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn a_bar_is_as_long_as_what_is_done() {
        assert_eq!(bar(1, 2), format!("[{}{}]  50 %", "#".repeat(15), " ".repeat(15)));
        assert_eq!(bar(9, 3), format!("[{}] 100 %", "#".repeat(30)));
        assert!(bar(0, 0).ends_with("   0 %"));
    }
}
