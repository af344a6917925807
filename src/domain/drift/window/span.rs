//! How long a window is, and the panes it is made of.

use std::time::Duration;

use crate::domain::sensor::Kind;
use crate::domain::time::Timestamp;

/// The length of a window and of its panes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Microseconds of a pane; above 0.
    pane: i64,
    panes: u8,
}

/// Says that a window is too short or too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a window of {0:?}: expected one from a minute to ten years")]
pub struct SpanError(pub Duration);

const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(10 * 366 * 86_400);
const WEEK: i64 = 7 * 86_400_000_000;

/// Panes with much in each.
const FEW: u8 = 7;

fn panes(kind: Kind) -> u8 {
    match kind {
        Kind::Measurement => 2 * FEW,
        Kind::Probability => FEW,
    }
}

impl Span {
    /// A window of this length: 14 panes, or 7 where each of them has reliability bins, too. Panes are
    /// rounded up to the microsecond.
    pub fn new(kind: Kind, length: Duration) -> Result<Span, SpanError> {
        if !(SHORTEST..=LONGEST).contains(&length) {
            return Err(SpanError(length));
        }
        // at most 3.2e14
        Ok(Span::of(panes(kind), length.as_micros() as i64))
    }

    /// Seven days: panes of half a day, or of a day for probabilities.
    pub fn week(kind: Kind) -> Span {
        Span::of(panes(kind), WEEK)
    }

    /// The same time in fewer panes, for what keeps much in each.
    pub(in crate::domain::drift) fn coarse(self) -> Span {
        Span::of(FEW, self.pane * self.panes())
    }

    fn of(panes: u8, micros: i64) -> Span {
        Span { pane: (micros + i64::from(panes) - 1) / i64::from(panes), panes }
    }

    /// When a window begins that is looked at now.
    pub fn start(self, now: Timestamp) -> Timestamp {
        self.bounds(self.index(now) + 1 - self.panes())[0]
    }

    /// Panes in the window.
    pub(in crate::domain::drift) fn panes(self) -> i64 {
        i64::from(self.panes)
    }

    /// Places for panes: one more, for what is slightly ahead of now.
    pub(in crate::domain::drift) fn slots(self) -> u8 {
        self.panes + 1
    }

    /// Panes that hold so much time, at least one and at most the window's.
    pub(super) fn panes_in(self, part: Duration) -> i64 {
        let micros = i64::try_from(part.as_micros()).unwrap_or(i64::MAX - self.pane);
        (micros.saturating_add(self.pane - 1) / self.pane).clamp(1, self.panes())
    }

    /// The pane of a time, counted from 1970.
    pub(in crate::domain::drift) fn index(self, time: Timestamp) -> i64 {
        time.as_micros().div_euclid(self.pane)
    }

    /// First and last microsecond of a pane.
    pub(super) fn bounds(self, index: i64) -> [Timestamp; 2] {
        let start = index.saturating_mul(self.pane);
        [start, start.saturating_add(self.pane - 1)]
            .map(|micros| Timestamp::EPOCH.saturating_add_micros(micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panes_begin_at_whole_multiples() {
        let time = Timestamp::parse("2026-11-22T13:30:00Z").unwrap();
        let bounds = |span: Span| span.bounds(span.index(time)).map(|it| it.to_string());
        let half_a_day = ["2026-11-22T12:00:00.000000Z", "2026-11-22T23:59:59.999999Z"];
        assert_eq!(bounds(Span::week(Kind::Measurement)), half_a_day);
        assert_eq!(bounds(Span::week(Kind::Probability))[0], "2026-11-22T00:00:00.000000Z");
        let before_1970 = Timestamp::parse("1969-12-31T23:00:00Z").unwrap();
        assert_eq!(Span::week(Kind::Measurement).index(before_1970), -1);
    }

    #[test]
    fn lengths_have_limits() {
        let length = Duration::from_secs;
        for bad in [0, 59, 86_400 * 366 * 10 + 1, u64::MAX] {
            let error = Span::new(Kind::Measurement, length(bad)).unwrap_err().to_string();
            assert!(error.contains("expected one from a minute to ten years"), "{error}");
        }
        let minute = Span::new(Kind::Measurement, length(60)).unwrap();
        assert_eq!((minute.pane, minute.panes), (4_285_715, 14));
        assert_eq!(Span::new(Kind::Probability, length(7 * 86_400)), Ok(Span::week(Kind::Probability)));
        let week = Span::week(Kind::Measurement);
        assert_eq!(week.coarse(), Span::week(Kind::Probability));
        let parts = [0, 43_200, 43_201, 604_800, u64::MAX].map(|part| week.panes_in(length(part)));
        assert_eq!(parts, [1, 1, 2, 14, 14]);
    }

    #[test]
    fn the_ends_of_time_have_panes() {
        for kind in [Kind::Measurement, Kind::Probability] {
            let span = Span::new(kind, Duration::from_secs(60)).unwrap();
            for end in [i64::MIN, i64::MAX] {
                let time = Timestamp::EPOCH.saturating_add_micros(end);
                let [start, stop] = span.bounds(span.index(time));
                assert!(start <= time && time <= stop);
            }
        }
    }
}
