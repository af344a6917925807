//! When the broker is asked to send again what it retains.

use std::time::Duration;

/// Rest after it was asked for what had found no room; twice as long each time that it found none again ...
const REST: Duration = Duration::from_secs(60);
/// ... up to this: who retains more than there is room for does not fill the line with it.
const LONGEST: Duration = Duration::from_secs(86_400);

/// What there is to ask for.
#[derive(Debug, Default)]
pub(super) struct Asking {
    /// What was refused before may pass now.
    wanted: bool,
    /// Something found no room.
    missed: bool,
    /// When it was asked last for want of room (monotonic), and how long it rests since.
    asked: Option<(Duration, Duration)>,
}

impl Asking {
    /// What was refused, or left out, before may pass now.
    pub fn want(&mut self) {
        self.wanted = true;
    }

    /// Something found no room.
    pub fn miss(&mut self) {
        self.missed = true;
    }

    /// Whether to ask, now that there is room for all that comes.
    pub fn is_due(&mut self, now: Duration) -> bool {
        if std::mem::take(&mut self.wanted) {
            self.missed = false;
            return true;
        }
        let rests = self.asked.is_some_and(|(at, rest)| now.saturating_sub(at) < rest);
        if !self.missed || rests {
            return false;
        }
        self.missed = false;
        let soon = self.asked.filter(|(at, rest)| now.saturating_sub(*at) < *rest * 2);
        self.asked = Some((now, soon.map_or(REST, |(_, rest)| (rest * 2).min(LONGEST))));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_at_once_and_then_more_and_more_seldom() {
        let mut asking = Asking::default();
        let mut now = Duration::from_secs(5);
        assert!(!asking.is_due(now));
        asking.miss();
        assert!(asking.is_due(now) && !asking.is_due(now));
        let mut waited = Vec::new();
        for _ in 0..13 {
            let before = now;
            asking.miss();
            while !asking.is_due(now) {
                now += Duration::from_secs(1);
            }
            waited.push((now - before).as_secs());
        }
        assert_eq!(waited[..4], [60, 120, 240, 480]);
        assert_eq!(waited[12], 86_400);
        // Another reason does not wait, and a quiet time begins anew.
        asking.want();
        assert!(asking.is_due(now));
        now += LONGEST * 2;
        asking.miss();
        assert!(asking.is_due(now));
        asking.miss();
        assert!(!asking.is_due(now) && asking.is_due(now + REST));
    }
}
