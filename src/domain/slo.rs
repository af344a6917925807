//! The calibration objective of a sensor: what share of its pairs has to be within the maximum permissible error
//! (MPE), and how fast what is allowed beyond is used up.
//!
//! burn rate = share of pairs out of tolerance / share that is allowed. At 1, exactly the objective is kept. As in
//! Beyer et al. 2018, *The Site Reliability Workbook*, chapter 5 (multiple windows, multiple burn rates): a long
//! window says that it matters, a short one that it still goes on.

use serde::{Deserialize, Serialize};

use super::alert::Severity;
use super::time::Timestamp;

/// Panes of the short window: how finely pairs grow old.
const PANES_OF_SHORT: i64 = 12;

/// Panes for which there is made room at a time.
const GROWTH: usize = 12;

/// Panes that are kept beyond those of the long window.
const SPARE: usize = 8;

/// Most panes of the long window.
const MOST_PANES: i64 = 1_024;

/// What is promised of a sensor, and when somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    share: f64,
    long: i64,
    short: i64,
    fewest: [u32; 2],
}

/// Burn rates from which somebody is told.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rate {
    severity: Severity,
    /// Both windows have to burn this fast.
    raises: f64,
    /// The short window has to burn less than this before it is over.
    clears: f64,
}

const RATES: [Rate; 2] = [
    Rate { severity: Severity::Page, raises: 4.0, clears: 2.0 },
    Rate { severity: Severity::Ticket, raises: 2.0, clears: 1.0 },
];

/// Why an objective is none.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum ObjectiveError {
    /// The share is none, or nothing may ever be out of tolerance.
    #[error(
        "the share of pairs within the maximum permissible error is {0}, expected more than 0 and less than 1"
    )]
    Share(f64),
    /// The windows do not fit together.
    #[error("the long window of {long} s has to be longer than the short one of {short} s, and at most {} times as long", MOST_PANES / PANES_OF_SHORT)]
    Windows {
        /// Seconds of the long window.
        long: i64,
        /// Seconds of the short window.
        short: i64,
    },
}

impl Default for Objective {
    /// 95 %, over a week with at least 40 pairs and a day with at least 8.
    fn default() -> Objective {
        Objective { share: 0.95, long: 7 * 86_400_000_000, short: 86_400_000_000, fewest: [40, 8] }
    }
}

impl Objective {
    /// The same with another share within tolerance, above 0 and below 1.
    pub fn with_share(self, share: f64) -> Result<Objective, ObjectiveError> {
        if share > 0.0 && share < 1.0 {
            Ok(Objective { share, ..self })
        } else {
            Err(ObjectiveError::Share(share))
        }
    }

    /// The same with other windows, in seconds, and the fewest pairs in each for which a rate is stated.
    pub fn with_windows(self, long: i64, short: i64, fewest: [u32; 2]) -> Result<Objective, ObjectiveError> {
        let fits = short > 0 && long > short && long <= short.saturating_mul(MOST_PANES / PANES_OF_SHORT);
        let micros = |seconds: i64| seconds.checked_mul(1_000_000);
        match (micros(long), micros(short)) {
            (Some(long), Some(short)) if fits => Ok(Objective { long, short, fewest, ..self }),
            _ => Err(ObjectiveError::Windows { long, short }),
        }
    }

    /// The share that has to be within tolerance.
    pub fn share(&self) -> f64 {
        self.share
    }

    /// The fewest pairs of the long and of the short window for which a rate is stated.
    pub fn fewest(&self) -> [u32; 2] {
        self.fewest
    }

    fn pane(&self) -> i64 {
        (self.short / PANES_OF_SHORT).max(1)
    }
}

/// Pairs of one pane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Pane {
    /// Which one, counted from 1970.
    at: i64,
    pairs: u32,
    out: u32,
}

/// The pairs of the long window, and who has been told. Bounded, and the same after a restart.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Burning {
    panes: Vec<Pane>,
    stands: Option<Severity>,
}

/// How fast a sensor burns what is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Burn {
    /// Over the long window; `None` for too few pairs.
    pub long: Option<f64>,
    /// Over the short window; `None` for too few pairs.
    pub short: Option<f64>,
    /// Pairs in the long window.
    pub pairs: u64,
    /// Those of them that are out of tolerance.
    pub out: u64,
    /// Who has to be told.
    pub severity: Option<Severity>,
}

impl Burning {
    /// Takes a pair in. One that is older than the long window at `now` is of no account, nor is one from the future.
    pub fn push(&mut self, objective: &Objective, time: Timestamp, within: bool, now: Timestamp) {
        let at = time.as_micros().div_euclid(objective.pane());
        if !self.counts(objective, at, now) {
            return;
        }
        let place = self.panes.partition_point(|pane| pane.at < at);
        if self.panes.get(place).is_none_or(|pane| pane.at != at) {
            if self.panes.len() == self.panes.capacity() {
                // Every sensor has these: doubling would leave a third of them empty.
                self.panes.reserve_exact(GROWTH);
            }
            self.panes.insert(place, Pane { at, pairs: 0, out: 0 });
        }
        let pane = &mut self.panes[place];
        pane.pairs = pane.pairs.saturating_add(1);
        pane.out = pane.out.saturating_add(u32::from(!within));
        self.bound(objective);
    }

    /// Takes a pair out again whose reference was withdrawn or revised.
    pub fn withdraw(&mut self, objective: &Objective, time: Timestamp, within: bool) {
        let at = time.as_micros().div_euclid(objective.pane());
        if let Some(pane) = self.panes.iter_mut().find(|pane| pane.at == at) {
            pane.pairs = pane.pairs.saturating_sub(1);
            pane.out = pane.out.saturating_sub(u32::from(!within)).min(pane.pairs);
        }
    }

    /// Who was told when it was judged last.
    pub fn stands(&self) -> Option<Severity> {
        self.stands
    }

    /// The burn rates now, and who has to be told.
    ///
    /// Both windows have to reach a rate. It is over once the short window burns at less than half of it. Where the
    /// short window has too few pairs, what was stays, until the long one has too few as well.
    pub fn judge(&mut self, objective: &Objective, now: Timestamp) -> Burn {
        let long = self.total(objective, objective.long, now);
        let short = self.total(objective, objective.short, now);
        let rate = |(pairs, out): (u64, u64), fewest: u32| {
            let allowed = pairs as f64 * (1.0 - objective.share);
            (pairs >= u64::from(fewest.max(1))).then(|| out as f64 / allowed)
        };
        let rates = (rate(long, objective.fewest[0]), rate(short, objective.fewest[1]));
        self.stands = match rates {
            (Some(long), Some(short)) => RATES
                .iter()
                .find(|rate| {
                    let told = self.stands.is_some_and(|severity| severity <= rate.severity);
                    long.min(short) >= rate.raises || (told && short >= rate.clears)
                })
                .map(|rate| rate.severity),
            (Some(_), None) => self.stands,
            (None, _) => None,
        };
        Burn { long: rates.0, short: rates.1, pairs: long.0, out: long.1, severity: self.stands }
    }

    fn counts(&self, objective: &Objective, at: i64, now: Timestamp) -> bool {
        let last = now.as_micros().div_euclid(objective.pane());
        let first = now.as_micros().saturating_sub(objective.long).div_euclid(objective.pane());
        at > first && at <= last
    }

    /// Leaves out as many panes as are too many: the oldest, or what a clock that was wrong has left far from the
    /// others. They are not forgotten for being old or to come: a clock that is wrong for a while must not take them.
    fn bound(&mut self, objective: &Objective) {
        let most = usize::try_from(objective.long / objective.pane()).unwrap_or(0) + SPARE;
        while self.panes.len() > most {
            let (first, last) = (0, self.panes.len() - 1);
            let far = |place: usize| self.panes[place].at.abs_diff(self.panes[last / 2].at);
            // Of an even number the middle one is nearer to the first.
            let ahead = far(last) > far(first).saturating_mul(2);
            self.panes.remove(if ahead { last } else { first });
        }
    }

    fn total(&self, objective: &Objective, window: i64, now: Timestamp) -> (u64, u64) {
        let first = now.as_micros().saturating_sub(window).div_euclid(objective.pane());
        let last = now.as_micros().div_euclid(objective.pane());
        let counted = self.panes.iter().filter(|pane| pane.at > first && pane.at <= last);
        counted.fold((0, 0), |(pairs, out), pane| (pairs + u64::from(pane.pairs), out + u64::from(pane.out)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: i64 = 3_600_000_000;

    fn at(hours: i64) -> Timestamp {
        Timestamp::parse("2026-11-24T00:00:00Z").unwrap().saturating_add_micros(hours * HOUR)
    }

    /// A pair an hour, of which every so many is out of tolerance; 0 for none.
    fn fed(burning: &mut Burning, hours: std::ops::Range<i64>, every: i64) -> Burn {
        let objective = Objective::default();
        let mut burn = burning.judge(&objective, at(hours.start));
        for hour in hours {
            burning.push(&objective, at(hour), every == 0 || hour % every != 0, at(hour));
            burn = burning.judge(&objective, at(hour));
        }
        burn
    }

    #[test]
    fn a_sensor_that_keeps_its_objective_bothers_nobody() {
        let burn = fed(&mut Burning::default(), 0..400, 20);
        assert_eq!((burn.severity, burn.pairs), (None, 168));
        assert!((burn.long.unwrap() - 1.0).abs() < 0.1, "{burn:?}");
    }

    #[test]
    fn pages_at_four_times_and_tickets_at_twice_what_is_allowed() {
        let mut burning = Burning::default();
        assert_eq!(fed(&mut burning, 0..200, 0).severity, None);
        // a sensor that is always out: 17 pairs of 168 are a rate of 2, 34 one of 4
        let first = |burning: &mut Burning, from: i64, severity: Severity| {
            (from..from + 168)
                .find(|hour| fed(burning, *hour..*hour + 1, 1).severity == Some(severity))
                .unwrap()
        };
        assert_eq!(first(&mut burning, 200, Severity::Ticket), 216);
        assert_eq!(first(&mut burning, 217, Severity::Page), 233);
        // every tenth is out: less than half of the page's rate, but not within the objective
        assert_eq!(fed(&mut burning, 234..266, 10).severity, Some(Severity::Ticket));
        assert_eq!(
            fed(&mut burning, 266..300, 0).severity,
            None,
            "the short window is over it, the long one not"
        );
        assert!(burning.judge(&Objective::default(), at(299)).long.unwrap() > 2.0);
    }

    #[test]
    fn a_spell_that_is_over_tells_nobody() {
        let mut burning = Burning::default();
        fed(&mut burning, 0..150, 0);
        fed(&mut burning, 150..163, 1);
        assert_eq!(fed(&mut burning, 163..200, 0).severity, None);
    }

    #[test]
    fn few_pairs_are_not_judged_and_leave_what_was() {
        let mut burning = Burning::default();
        let burn = fed(&mut burning, 0..39, 1);
        assert_eq!((burn.long, burn.severity), (None, None));
        assert_eq!(fed(&mut burning, 39..60, 1).severity, Some(Severity::Page));
        let objective = Objective::default();
        let silent = burning.judge(&objective, at(100));
        assert_eq!((silent.short, silent.severity), (None, Some(Severity::Page)));
        assert_eq!(burning.judge(&objective, at(300)).severity, None);
    }

    #[test]
    fn a_withdrawn_reference_leaves_no_trace() {
        let (mut burning, objective) = (Burning::default(), Objective::default());
        fed(&mut burning, 0..100, 0);
        let before = burning.clone();
        burning.push(&objective, at(90), false, at(99));
        assert_ne!(burning, before);
        burning.withdraw(&objective, at(90), false);
        assert_eq!(burning, before);
        burning.withdraw(&objective, at(-999), false);
        assert_eq!(burning, before);
    }

    #[test]
    fn a_clock_that_is_wrong_for_a_while_takes_nothing() {
        let (mut burning, objective) = (Burning::default(), Objective::default());
        let before = fed(&mut burning, 0..200, 3);
        let page = Some(Severity::Page);
        assert_eq!((before.pairs, before.severity), (168, page));
        for wrong in [Timestamp::EPOCH, at(24 * 365 * 70)] {
            assert_eq!(burning.judge(&objective, wrong).pairs, 0);
            burning.push(&objective, wrong, true, wrong);
            assert_eq!(burning.judge(&objective, at(199)).pairs, before.pairs);
        }
        // What it left in the future goes where there is no room.
        fed(&mut burning, 200..400, 3);
        assert!(burning.panes.iter().all(|pane| pane.at <= at(400).as_micros() / objective.pane()));
    }

    #[test]
    fn objectives_that_are_none_are_refused() {
        let objective = Objective::default();
        for share in [0.0, 1.0, f64::NAN, -1.0] {
            assert!(objective.with_share(share).is_err(), "{share}");
        }
        for (long, short) in [(10, 10), (0, 0), (86_400, 1), (i64::MAX, i64::MAX - 1)] {
            assert!(objective.with_windows(long, short, [1, 1]).is_err(), "{long} {short}");
        }
        assert!(objective.with_windows(86_400, 3_600, [1, 1]).is_ok());
        assert!(objective.with_windows(850, 10, [1, 1]).is_ok(), "as many times as it says");
        assert!(objective.with_windows(851, 10, [1, 1]).is_err());
    }

    proptest! {
        #[test]
        fn a_restart_changes_nothing_and_the_state_is_bounded(
            pairs in prop::collection::vec((0..400i64, any::<bool>(), -5..200i64), 1..300), cut in 0..300usize,
        ) {
            let objective = Objective::default();
            let (mut whole, mut restarted) = (Burning::default(), Burning::default());
            for (index, (now, within, age)) in pairs.into_iter().enumerate() {
                if index == cut {
                    restarted = serde_json::from_str(&serde_json::to_string(&restarted).unwrap()).unwrap();
                }
                for burning in [&mut whole, &mut restarted] {
                    burning.push(&objective, at(now - age), within, at(now));
                }
                prop_assert_eq!(whole.judge(&objective, at(now)), restarted.judge(&objective, at(now)));
                prop_assert!(whole.panes.len() <= 84 + SPARE && whole.panes.iter().all(|pane| pane.out <= pane.pairs));
            }
            prop_assert_eq!(whole, restarted);
        }
    }
}
