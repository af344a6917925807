//! How far something is that takes long, on a terminal.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::Duration;

use super::screen::Screen;
use crate::runtime::clock::Clock;

/// What takes no longer than this shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// Columns of the bar, where there are as many.
const WIDTH: usize = 30;

/// A line on stderr that is gone when the work is done; none where stderr is no terminal.
pub struct Progress {
    what: &'static str,
    clock: Option<Clock>,
    start: Duration,
    shown: Option<usize>,
    width: usize,
}

impl Progress {
    /// Of work that begins now.
    pub fn new(what: &'static str) -> Progress {
        let clock = stderr().is_terminal().then(Clock::system);
        let start = clock.as_ref().map_or(Duration::ZERO, Clock::monotonic);
        // Around the bar: its name, a blank, brackets and ` 100 %`; the cursor stands behind it.
        let room = Screen::stderr().columns.map(|columns| columns.saturating_sub(what.len() + 10));
        Progress { what, clock, start, shown: None, width: room.map_or(WIDTH, |room| room.min(WIDTH)) }
    }

    /// Shows that so many of so many are done.
    pub fn of(&mut self, done: u64, total: u64) {
        self.at(done as f64 / total.max(1) as f64);
    }

    /// Shows that so much of the whole is done, from 0 to 1.
    pub fn at(&mut self, done: f64) {
        let Some(clock) = &self.clock else { return };
        let percent = (done.clamp(0.0, 1.0) * 100.0) as usize;
        if clock.monotonic().saturating_sub(self.start) > PATIENCE && self.shown != Some(percent) {
            self.shown = Some(percent);
            // A closed stderr is nobody's problem.
            let _ = write!(stderr(), "\r{}", line(self.what, percent, self.width));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            let _ = write!(stderr(), "\r{:width$}\r", "", width = line(self.what, 100, self.width).len());
        }
    }
}

fn line(what: &str, percent: usize, width: usize) -> String {
    let full = percent * width / 100;
    format!("{what} [{}{}] {percent:3} %", "#".repeat(full), " ".repeat(width - full))
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn the_line_is_of_one_length() {
        assert_eq!(line("reading", 0, 30), format!("reading [{}]   0 %", " ".repeat(30)));
        assert_eq!(line("reading", 50, 30), format!("reading [{}{}]  50 %", "#".repeat(15), " ".repeat(15)));
        assert_eq!(line("reading", 100, 8), "reading [########] 100 %");
    }
}
