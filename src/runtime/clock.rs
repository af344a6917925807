//! The only place that asks the machine for the time.

// `clippy.toml` bans these calls everywhere else, so that time stays an argument.
#![expect(clippy::disallowed_methods, reason = "the one module that may ask the machine for the time")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::domain::time::Timestamp;

/// What the kernel has said of its clock, as far as it has been asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discipline {
    /// It has not been asked yet, or cannot be.
    Unknown,
    /// Nobody has set it by a better clock since this process began.
    Never,
    /// It follows a better clock.
    Synced,
    /// It has followed one since this process began, and goes on by itself.
    Lost,
}

const DISCIPLINES: [Discipline; 4] =
    [Discipline::Unknown, Discipline::Never, Discipline::Synced, Discipline::Lost];

/// A source of time: the machine's, or one that a test moves by hand. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock {
    started: Instant,
    manual: Option<Arc<Manual>>,
    discipline: Arc<AtomicU8>,
}

/// A clock that is moved by hand.
#[derive(Debug)]
struct Manual {
    /// The wall clock, in microseconds since 1970.
    wall: AtomicI64,
    /// How far the monotonic clock was moved, in microseconds.
    ahead: AtomicU64,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Clock {
        Clock { started: Instant::now(), manual: None, discipline: Arc::default() }
    }

    /// A wall clock that stands at `start` until [`Clock::set`] or [`Clock::advance`] moves it.
    pub fn manual(start: Timestamp) -> Clock {
        let manual = Manual { wall: AtomicI64::new(start.as_micros()), ahead: AtomicU64::new(0) };
        Clock { manual: Some(Arc::new(manual)), ..Clock::system() }
    }

    /// The wall clock's time. It may be wrong, and it may jump either way.
    pub fn now(&self) -> Timestamp {
        match &self.manual {
            Some(manual) => {
                Timestamp::from_micros(manual.wall.load(Ordering::SeqCst)).unwrap_or(Timestamp::EPOCH)
            }
            None => system_now(),
        }
    }

    /// What the kernel has said of this clock.
    pub fn discipline(&self) -> Discipline {
        let index = usize::from(self.discipline.load(Ordering::Relaxed));
        DISCIPLINES.get(index).copied().unwrap_or(Discipline::Unknown)
    }

    /// Notes the kernel's answer: whether its clock follows a better one now. All clones know it.
    pub fn disciplined(&self, now: bool) {
        let next = match (now, self.discipline()) {
            (true, _) => Discipline::Synced,
            (false, Discipline::Unknown | Discipline::Never) => Discipline::Never,
            (false, Discipline::Synced | Discipline::Lost) => Discipline::Lost,
        };
        self.discipline.store(next as u8, Ordering::Relaxed);
    }

    /// Time since this clock was made: never jumps, never goes back.
    pub fn monotonic(&self) -> Duration {
        let ahead = self.manual.as_ref().map_or(0, |manual| manual.ahead.load(Ordering::SeqCst));
        self.started.elapsed() + Duration::from_micros(ahead)
    }

    /// Sets the wall clock of a manual clock, as a jump; the machine's is left alone.
    pub fn set(&self, time: Timestamp) {
        if let Some(manual) = &self.manual {
            manual.wall.store(time.as_micros(), Ordering::SeqCst);
        }
    }

    /// Lets time pass on a manual clock, on the wall and monotonically; the machine's is left alone.
    pub fn advance(&self, passed: Duration) {
        if let Some(manual) = &self.manual {
            // 500,000 years fit.
            let micros = passed.as_micros() as i64;
            manual.wall.fetch_add(micros, Ordering::SeqCst);
            manual.ahead.fetch_add(micros as u64, Ordering::SeqCst);
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
    fn time_that_passes_on_a_manual_clock_passes_on_both() {
        let clock = Clock::manual(Timestamp::EPOCH);
        let (copy, before) = (clock.clone(), clock.monotonic());
        let day = Duration::from_secs(86_400);
        clock.advance(day);
        assert_eq!(copy.now(), Timestamp::EPOCH.saturating_add_micros(86_400_000_000));
        assert!(copy.monotonic() - before >= day);
    }

    #[test]
    fn what_was_synchronised_once_is_lost_but_not_unsynchronised() {
        let clock = Clock::manual(Timestamp::EPOCH);
        let copy = clock.clone();
        let answers = [false, true, false, false, true].map(|answer| {
            clock.disciplined(answer);
            copy.discipline()
        });
        use Discipline::{Lost, Never, Synced};
        assert_eq!(answers, [Never, Synced, Lost, Lost, Synced]);
        assert_eq!(Clock::system().discipline(), Discipline::Unknown);
    }

    #[test]
    fn the_machines_clock_agrees_with_its_file_times() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let written = file.as_file().metadata().unwrap().modified().unwrap();
        let micros = written.duration_since(UNIX_EPOCH).unwrap().as_micros() as i64;
        assert!((system_now().as_micros() - micros).abs() < 60_000_000);
    }
}
