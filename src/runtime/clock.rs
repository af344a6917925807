//! The only place that asks the machine for the time.

// `clippy.toml` bans these calls everywhere else, so that time stays an argument.
#![expect(clippy::disallowed_methods, reason = "the one module that may ask the machine for the time")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::domain::time::Timestamp;

/// A source of time: the machine's, or one that a test moves by hand. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock {
    started: Instant,
    manual: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Clock {
        Clock { started: Instant::now(), manual: None }
    }

    /// A wall clock that stands at `start` until [`Clock::set`] moves it.
    pub fn manual(start: Timestamp) -> Clock {
        Clock { started: Instant::now(), manual: Some(Arc::new(AtomicI64::new(start.as_micros()))) }
    }

    /// The wall clock's time. It may be wrong, and it may jump either way.
    pub fn now(&self) -> Timestamp {
        match &self.manual {
            Some(micros) => Timestamp::from_micros(micros.load(Ordering::SeqCst)).unwrap_or(Timestamp::EPOCH),
            None => system_now(),
        }
    }

    /// Time since this clock was made: never jumps, never goes back.
    pub fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    /// Sets a manual clock; the machine's is left alone.
    pub fn set(&self, time: Timestamp) {
        if let Some(micros) = &self.manual {
            micros.store(time.as_micros(), Ordering::SeqCst);
        }
    }
}

/// The machine's wall clock; the limits of [`Timestamp`] where the machine's is outside them.
pub fn system_now() -> Timestamp {
    let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros),
    };
    Timestamp::EPOCH.saturating_add_micros(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_stands_still_until_set() {
        let clock = Clock::manual(Timestamp::EPOCH);
        let copy = clock.clone();
        let later = Timestamp::EPOCH.saturating_add_micros(5);
        assert_eq!(copy.now(), Timestamp::EPOCH);
        clock.set(later);
        assert_eq!(copy.now(), later);
    }

    #[test]
    fn the_machines_clock_agrees_with_its_file_times() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let written = file.as_file().metadata().unwrap().modified().unwrap();
        let micros = written.duration_since(UNIX_EPOCH).unwrap().as_micros() as i64;
        assert!((system_now().as_micros() - micros).abs() < 60_000_000);
    }
}
