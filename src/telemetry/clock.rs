//! What becomes of the clock: each event is one log line and one counter.

use std::time::Duration;

use super::alarm::Alarm;
use super::metrics::Metrics;
use crate::domain::time::Timestamp;
use crate::wire::message::ClockState;

/// A clock that is not believed for longer than this will not mend itself: time daemons need minutes.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
const STATES: [(ClockState, &str); 3] = [
    (ClockState::Synced, "synced"),
    (ClockState::Holdover, "holdover"),
    (ClockState::Untrusted, "untrusted"),
];

/// Counts and logs how far the clock is believed.
#[derive(Debug)]
pub struct ClockEvents {
    metrics: Metrics,
    alarm: Alarm,
    state: Option<ClockState>,
    /// Since when it is not believed, by a clock that does not jump.
    untrusted_since: Option<Duration>,
}

impl ClockEvents {
    /// Nothing is known yet.
    pub fn new(metrics: &Metrics) -> ClockEvents {
        let alarm = metrics.alarms.part("clock");
        ClockEvents { metrics: metrics.clone(), alarm, state: None, untrusted_since: None }
    }

    /// Notes the state at `wall`, `monotonic` after the start, when `proven` is the newest proven time. Answers whether
    /// it has changed.
    pub fn state(
        &mut self,
        state: ClockState,
        wall: Timestamp,
        proven: Timestamp,
        monotonic: Duration,
    ) -> bool {
        let before = self.state.replace(state);
        let changed = before.is_some_and(|before| before != state);
        if before != Some(state) {
            for (of, name) in STATES {
                let label = vec![("state", name.to_owned())];
                self.metrics.clock_state.get_or_create(&label).set(i64::from(of == state));
            }
            let now = if changed { "now " } else { "" };
            tracing::info!(parent: self.alarm.span(), "the clock is {now}{state}");
        }
        if state != ClockState::Untrusted {
            self.untrusted_since = None;
            self.alarm.clear();
        } else if monotonic.saturating_sub(*self.untrusted_since.get_or_insert(monotonic)) > PATIENCE {
            self.raise(wall, proven);
        }
        changed
    }

    fn raise(&self, wall: Timestamp, proven: Timestamp) {
        if wall < proven {
            let message = format!("the clock says {wall}, but it is {proven} at least; readings are flagged");
            let remedy =
                "set the clock; is it right, somebody signed by a clock that is ahead: see the runbook";
            self.alarm.raise("before_proven", message, remedy);
        } else {
            let message = format!("the clock says {wall} and is not believed; readings are flagged");
            self.alarm.raise("untrusted", message, "set the clock or let it synchronise");
        }
    }
}

/// The wall clock stepped.
#[derive(Clone, Copy, Debug)]
pub struct ClockJumped {
    /// How far, in microseconds; negative: back.
    pub micros: i64,
    /// What it shows now.
    pub now: Timestamp,
}

impl ClockJumped {
    /// Counts and logs it.
    pub fn record(self, metrics: &Metrics) {
        let direction = if self.micros < 0 { "back" } else { "forward" };
        metrics.clock_jumps.get_or_create(&vec![("direction", direction.to_owned())]).inc();
        let (seconds, now) = (self.micros as f64 / 1e6, self.now);
        tracing::warn!(
            "the clock jumped by {seconds:.1} s to {now}; readings keep their order by sequence number"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_not_believed_for_long_is_an_alarm_until_it_is() {
        let metrics = Metrics::new();
        let mut events = ClockEvents::new(&metrics);
        let mut at = |state, seconds| {
            let epoch = Timestamp::EPOCH;
            let changed = events.state(state, epoch, epoch, Duration::from_secs(seconds));
            (changed, metrics.alarms.count())
        };
        assert_eq!(at(ClockState::Untrusted, 100), (false, 0));
        assert_eq!(at(ClockState::Untrusted, 1000), (false, 0));
        assert_eq!(at(ClockState::Untrusted, 1001), (false, 1));
        assert_eq!(at(ClockState::Synced, 1002), (true, 0));
        assert_eq!(at(ClockState::Untrusted, 2000), (true, 0));
        let text = metrics.text();
        for line in ["{state=\"synced\"} 0", "{state=\"holdover\"} 0", "{state=\"untrusted\"} 1"] {
            assert!(text.contains(&format!("calibd_clock_state{line}")), "{line} in\n{text}");
        }
    }

    #[test]
    fn a_clock_that_is_behind_what_is_proven_is_told_so() {
        let metrics = Metrics::new();
        let mut events = ClockEvents::new(&metrics);
        let (wall, proven) = (Timestamp::EPOCH, Timestamp::EPOCH.saturating_add_micros(60_000_000));
        for seconds in [0, 1000] {
            events.state(ClockState::Untrusted, wall, proven, Duration::from_secs(seconds));
        }
        let message = &metrics.alarms.standing()[0].message;
        assert!(message.contains(&format!("but it is {proven} at least")), "{message}");
    }
}
