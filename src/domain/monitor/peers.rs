//! Sensors side by side: the median of the others is a reference that nobody had to bring.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::finding::{Evidence, Finding};
use super::pace::{Pace, Step};
use super::sensor::LEARN_READINGS;
use super::tally::{Bounds, LAST, Tally};
use crate::domain::stats::{Stats, median};
use crate::domain::time::Timestamp;

/// The most sensors of a group.
pub const MOST: usize = 64;
/// The fewest: with two, nobody knows which of them is wrong.
pub const FEWEST: usize = 3;
/// Half of the last comparisons stand against a sensor.
const BOUNDS: Bounds = Bounds { raise: 32, clear: 8 };
/// Coverage factor of the difference.
const K: f64 = 3.0;
/// So many standard deviations of the differences that were learnt, from their mean.
const BEYOND: f64 = 3.0;
/// The smallest difference that was seen, one step of coarse values, is allowed so many times.
const STEPS: f64 = 1.5;
/// From the median absolute deviation to the standard deviation, for normal values.
const NORMAL: f64 = 1.482_602_218_505_602;

/// What a group allows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PeerLimits {
    /// A value that is older says nothing about the present.
    pub max_age: Duration,
    /// What is usual is learnt for so long, gaps not counted, and from at least 1,000 comparisons.
    pub learn: Duration,
    /// The difference that is allowed beside the uncertainty; `None`: what is usual, which may hold an offset.
    pub tolerance: Option<f64>,
}

/// A value of a member, calibrated or at least in the unit of the group.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PeerValue {
    /// When it was measured.
    pub time: Timestamp,
    /// Finite.
    pub value: f64,
    /// Its standard uncertainty, if stated.
    pub u: Option<f64>,
}

/// A value beside the virtual reference that the other members make.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// The median of the others.
    pub reference: f64,
    /// Its standard uncertainty: of the median, from the others' scatter or from what they state, whichever is larger.
    pub u_reference: f64,
    /// How many others there were.
    pub others: usize,
    /// value - reference
    pub difference: f64,
    /// What is allowed, from the usual difference on; `None` while it is learnt.
    pub limit: Option<f64>,
    /// Whether with this comparison the member came to disagree.
    pub raised: bool,
}

/// What is known of a member.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Member {
    latest: Option<PeerValue>,
    /// The differences that were learnt, and in how many seconds without gaps, so that a clock that jumps counts for
    /// nothing; whether that is enough.
    usual: Stats,
    pace: Pace,
    seconds: f64,
    learnt: bool,
    /// The smallest difference that was seen; 0: none yet.
    finest: f64,
    tally: Tally,
    /// Comparisons with a limit since the start, as far as the tally remembers.
    #[serde(skip)]
    judged: u32,
    /// The last difference and its limit.
    last: (f64, f64),
}

/// A group of sensors that measure the same thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Peers {
    members: Vec<Member>,
}

impl Member {
    /// The usual difference, and how far from it is allowed; `None` while that is learnt.
    fn usual(&mut self, difference: f64, time: Timestamp, learn: Duration) -> (f64, Option<f64>) {
        let size = difference.abs();
        if size > 0.0 && (self.finest == 0.0 || size < self.finest) {
            self.finest = size;
        }
        if !self.learnt {
            self.usual.push(difference);
            self.seconds += if let Step::Next(seconds) = self.pace.step(time) { seconds } else { 0.0 };
            let enough = self.seconds >= learn.as_secs_f64();
            self.learnt = enough && self.usual.n >= u64::from(LEARN_READINGS);
            return (0.0, None);
        }
        let far = BEYOND * self.usual.std().unwrap_or(0.0);
        (self.usual.mean, Some(far.max(STEPS * self.finest)))
    }
}

impl Peers {
    /// A group of so many members; `None` for fewer than 3 or more than 64.
    pub fn new(members: usize) -> Option<Peers> {
        (FEWEST..=MOST).contains(&members).then(|| Peers { members: vec![Member::default(); members] })
    }

    /// Notes a value of a member and compares it with the others; `None` where fewer than two of them
    /// have a value of the present, or the place is none.
    pub fn note(&mut self, place: usize, value: PeerValue, limits: &PeerLimits) -> Option<Comparison> {
        self.members.get_mut(place)?.latest = Some(value);
        let (reference, spread, stated, others) = self.others(place, value.time, limits)?;
        // The median of normal values has pi / 2 times the variance of their mean.
        let of_median = (std::f64::consts::FRAC_PI_2 / others as f64).sqrt();
        let u_reference = of_median * spread.max(stated);
        let difference = value.value - reference;
        let u = value.u.unwrap_or(spread).hypot(u_reference);
        let member = self.members.get_mut(place)?;
        let (usual, limit) = match limits.tolerance {
            Some(tolerance) => (0.0, Some(tolerance.max(K * u))),
            None => member.usual(difference, value.time, limits.learn),
        };
        let raised = limit.is_some_and(|limit| {
            member.last = (difference - usual, limit);
            member.judged = LAST.min(member.judged + 1);
            member.tally.note((difference - usual).abs() > limit, value.time, BOUNDS)
        });
        Some(Comparison { reference, u_reference, others, difference, limit, raised })
    }

    /// Median, robust standard deviation, median of the stated uncertainties, and number of the others.
    fn others(&self, place: usize, time: Timestamp, limits: &PeerLimits) -> Option<(f64, f64, f64, usize)> {
        let (mut values, mut stated) = ([0.0; MOST], [0.0; MOST]);
        let (mut count, mut with_u) = (0, 0);
        let others = self.members.iter().enumerate().filter(|(other, _)| *other != place);
        for latest in others.filter_map(|(_, member)| member.latest) {
            let apart = Duration::from_micros(time.micros_since(latest.time).unsigned_abs());
            if apart > limits.max_age {
                continue;
            }
            values[count] = latest.value;
            count += 1;
            if let Some(u) = latest.u {
                stated[with_u] = u;
                with_u += 1;
            }
        }
        if count + 1 < FEWEST {
            return None;
        }
        let values = &mut values[..count];
        let middle = median(values);
        values.iter_mut().for_each(|value| *value = (*value - middle).abs());
        Some((middle, NORMAL * median(values), median(&mut stated[..with_u]), count))
    }

    /// What is known of a member; `None`: the place is none.
    pub fn member(&self, place: usize) -> Option<&Member> {
        self.members.get(place)
    }

    /// Goes on from what was known of a member.
    pub fn resume(&mut self, place: usize, known: Member) {
        self.members.get_mut(place).into_iter().for_each(|member| *member = known);
    }

    /// Forgets all about a member: it is another one now.
    pub fn forget(&mut self, place: usize) {
        self.resume(place, Member::default());
    }

    /// Whether enough is known of a member to say that it agrees where nothing is found.
    pub fn can_tell(&self, place: usize) -> bool {
        self.members.get(place).is_some_and(|member| member.judged >= LAST)
    }

    /// What stands against a member now.
    pub fn finding(&self, place: usize) -> Option<Finding> {
        let member = self.members.get(place)?;
        let (difference, limit) = member.last;
        let evidence = Evidence::Peers { count: member.tally.count(), of: LAST, difference, limit };
        Some(Finding { since: member.tally.since()?, evidence })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::resample::Seeded;

    const LIMITS: PeerLimits = PeerLimits {
        max_age: Duration::from_secs(10),
        learn: Duration::from_secs(1500),
        tolerance: Some(0.5),
    };

    fn value(seconds: i64, value: f64, u: Option<f64>) -> PeerValue {
        PeerValue { time: Timestamp::EPOCH.saturating_add_micros(seconds * 1_000_000), value, u }
    }

    #[test]
    fn the_others_of_the_present_make_the_reference() {
        let mut peers = Peers::new(5).unwrap();
        assert_eq!(peers.note(0, value(0, 10.0, None), &LIMITS), None);
        assert_eq!(peers.note(1, value(1, 11.0, None), &LIMITS), None);
        let compared = peers.note(2, value(2, 19.0, None), &LIMITS).unwrap();
        // median(10, 11), and 1.4826 times 0.5
        assert_eq!((compared.reference, compared.difference, compared.others), (10.5, 8.5, 2));
        let spread = 0.741_301_109_252_801;
        assert!((compared.u_reference - spread * (std::f64::consts::PI / 4.0).sqrt()).abs() < 1e-12);
        let limit = 3.0 * spread * (1.0 + std::f64::consts::PI / 4.0).sqrt();
        assert!((compared.limit.unwrap() - limit).abs() < 1e-12);
        // The first is too old now.
        let compared = peers.note(3, value(11, 10.0, Some(0.1)), &LIMITS).unwrap();
        assert_eq!((compared.reference, compared.others), (15.0, 2));
        assert_eq!(peers.note(9, value(11, 10.0, None), &LIMITS), None);
        assert!(Peers::new(2).is_none() && Peers::new(65).is_none());
    }

    #[test]
    fn stated_uncertainties_count_where_they_are_larger_than_the_scatter() {
        let mut peers = Peers::new(3).unwrap();
        for place in 0..2 {
            peers.note(place, value(0, 10.0, Some(0.2)), &LIMITS);
        }
        let compared = peers.note(2, value(0, 10.0, Some(0.3)), &LIMITS).unwrap();
        let u_reference = 0.2 * (std::f64::consts::PI / 4.0).sqrt();
        assert!((compared.u_reference - u_reference).abs() < 1e-12);
        assert!((compared.limit.unwrap() - 3.0 * (0.09 + u_reference * u_reference).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn one_step_of_coarse_values_is_no_disagreement() {
        let learnt = PeerLimits { tolerance: None, ..LIMITS };
        for (by, expected) in [(0.5, 0), (1.0, 1)] {
            let (mut peers, mut raised) = (Peers::new(5).unwrap(), 0);
            for second in 0..3000 {
                let off = if (1990..2000).contains(&second) { 0.5 } else { 0.0 };
                let off = if second >= 2000 { by } else { off };
                for (place, number) in [20.0, 20.0, 20.0, 20.0, 20.0 + off].into_iter().enumerate() {
                    let compared = peers.note(place, value(second, number, None), &learnt);
                    raised += usize::from(compared.is_some_and(|compared| compared.raised));
                }
            }
            assert_eq!(raised, expected, "{by}");
        }
    }

    /// A group of five with noise and offsets of their own, of which the last begins to drift by `by` at 3,000.
    fn drifting(limits: &PeerLimits, by: f64, seed: u64) -> (Vec<usize>, Peers, Peers) {
        let mut draws = Seeded::new(seed);
        let (mut peers, mut raised) = (Peers::new(5).unwrap(), Vec::new());
        let mut copy = peers.clone();
        for second in 0..6000 {
            if second == 2000 {
                let text = serde_json::to_string(&peers).unwrap();
                copy = serde_json::from_str(&text).unwrap();
            }
            for place in 0..5 {
                let offset = place as f64 * 0.3 + if place == 4 && second > 3000 { by } else { 0.0 };
                let value = value(second, 20.0 + offset + 0.1 * draws.normal(), None);
                let compared = peers.note(place, value, limits);
                if second >= 2000 {
                    assert_eq!(copy.note(place, value, limits), compared);
                }
                if compared.is_some_and(|compared| compared.raised) {
                    raised.push(place);
                }
            }
        }
        (raised, peers, copy)
    }

    #[test]
    fn only_the_one_that_drifts_disagrees_and_a_restart_changes_nothing() {
        let learnt = PeerLimits { tolerance: None, ..LIMITS };
        for seed in 0..5 {
            assert_eq!(drifting(&learnt, 0.0, seed).0, [0; 0], "{seed}");
            let (raised, peers, copy) = drifting(&learnt, 0.8, seed);
            assert_eq!(raised, [4], "{seed}");
            assert_eq!(peers, copy);
            let finding = peers.finding(4).unwrap();
            assert!(finding.sentence().contains("disagrees with the sensors beside it"));
            assert!((0..4).all(|place| peers.finding(place).is_none()));
        }
    }

    #[test]
    fn a_clock_that_jumps_is_no_time_that_was_learnt_in() {
        let learnt = PeerLimits { tolerance: None, ..LIMITS };
        let (mut peers, mut limits) = (Peers::new(3).unwrap(), Vec::new());
        for second in 0..1600 {
            let second = if second < 1100 { second } else { 1_764_000_000 + second };
            for place in 0..3 {
                let compared = peers.note(place, value(second, place as f64, None), &learnt);
                limits.extend(compared.filter(|_| place == 2).map(|compared| compared.limit.is_some()));
            }
        }
        let known = limits.iter().position(|limit| *limit);
        assert_eq!(known, Some(1502));
    }
}
