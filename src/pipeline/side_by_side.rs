//! Sensors side by side: each reading beside the median of the others.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::peers::PeersConfig;
use crate::domain::id::SensorId;
use crate::domain::monitor::Finding;
use crate::domain::monitor::peers::{Member, PeerValue, Peers};
use crate::domain::quality::State;
use crate::domain::sample::Reading;

#[derive(Debug)]
struct Group {
    config: PeersConfig,
    peers: Peers,
}

/// What is known of a sensor beside its peers, and who they were.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Beside {
    sensors: Vec<SensorId>,
    unit: String,
    learn: Duration,
    member: Member,
}

/// Of whom a group learns what is usual, in which unit, and for how long.
fn learns_of(config: &PeersConfig) -> (&[SensorId], &str, Duration) {
    (&config.sensors, &config.unit, config.limits.learn)
}

/// All groups of sensors.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: Vec<Group>,
    /// The group of a sensor, and its place there.
    places: HashMap<SensorId, (usize, usize)>,
}

impl Groups {
    /// Goes over to these groups. One that learns the same of the same sensors keeps what it has learnt.
    pub(super) fn change(&mut self, configs: Vec<PeersConfig>) {
        let mut old = std::mem::take(&mut self.groups);
        self.places.clear();
        for config in configs {
            let is_same = |group: &Group| learns_of(&group.config) == learns_of(&config);
            let same = old.iter().position(is_same).map(|at| old.swap_remove(at));
            // The configuration has refused other sizes.
            let new = || Peers::new(config.sensors.len());
            let Some(peers) = same.map(|group| group.peers).or_else(new) else { continue };
            let group = self.groups.len();
            let places = config.sensors.iter().enumerate();
            self.places.extend(places.map(|(place, sensor)| (sensor.clone(), (group, place))));
            self.groups.push(Group { config, peers });
        }
    }

    /// What is known of a sensor; `None`: it is in no group.
    pub(super) fn known(&self, sensor: &SensorId) -> Option<Beside> {
        let (group, place) = self.places.get(sensor)?;
        let Group { config, peers } = &self.groups[*group];
        let member = *peers.member(*place)?;
        let (sensors, unit, learn) = learns_of(config);
        Some(Beside { sensors: sensors.to_vec(), unit: unit.to_owned(), learn, member })
    }

    /// Goes on from what was known of a sensor, where its group is the same.
    pub(super) fn resume(&mut self, sensor: &SensorId, known: Beside) {
        let Some((group, place)) = self.places.get(sensor) else { return };
        let Group { config, peers } = &mut self.groups[*group];
        if learns_of(config) == (&known.sensors[..], &known.unit[..], known.learn) {
            peers.resume(*place, known.member);
        }
    }

    /// Forgets what was learnt of a sensor.
    pub(super) fn forget(&mut self, sensor: &SensorId) {
        if let Some((group, place)) = self.places.get(sensor) {
            self.groups[*group].peers.forget(*place);
        }
    }

    /// What stands against a sensor now, and whether enough is known to say that nothing does.
    pub(super) fn standing(&self, sensor: &SensorId) -> (Option<Finding>, bool) {
        match self.places.get(sensor) {
            None => (None, true),
            Some((group, place)) => {
                let peers = &self.groups[*group].peers;
                (peers.finding(*place), peers.can_tell(*place))
            }
        }
    }

    /// Compares a reading with the others of its group; says what is found that was not before.
    pub(super) fn note(&mut self, reading: &Reading) -> Option<Finding> {
        if self.groups.is_empty() {
            return None;
        }
        let (group, place) = *self.places.get(&reading.sensor)?;
        let Group { config, peers } = &mut self.groups[group];
        let usable = reading.state < State::Invalid && !reading.reasons.are_apart();
        if !usable || *reading.unit != *config.unit {
            return None;
        }
        let value = reading.value.or(reading.raw.filter(|_| reading.transform.is_none()))?;
        let value = PeerValue { time: reading.time, value, u: reading.u };
        let compared = peers.note(place, value, &config.limits)?;
        if compared.raised { peers.finding(place) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::Id;
    use crate::domain::monitor::peers::PeerLimits;
    use crate::domain::quality::{ReasonCode, Reasons};
    use crate::domain::time::Timestamp;

    const MINUTE: Duration = Duration::from_secs(60);

    fn config(tolerance: f64) -> PeersConfig {
        PeersConfig {
            name: Id::new("hall").unwrap(),
            sensors: ["a", "b", "c"].map(|name| Id::new(name).unwrap()).to_vec(),
            unit: "Cel".into(),
            limits: PeerLimits { max_age: MINUTE, learn: MINUTE, tolerance: Some(tolerance) },
        }
    }

    fn reading(sensor: &str, raw: f64, seq: u64) -> Reading {
        let time = Timestamp::EPOCH.saturating_add_micros(seq as i64 * 1_000_000);
        Reading {
            sensor: Id::new(sensor).unwrap(),
            seq,
            after: None,
            time,
            received: time,
            raw: Some(raw),
            value: None,
            u: None,
            p0_p1: None,
            event: None,
            unit: "Cel".into(),
            state: State::Suspect,
            reasons: Reasons::of(ReasonCode::RawOnly),
            transform: None,
        }
    }

    type Change = fn(Reading) -> Reading;

    /// How often `c`, which is far off, is found in so many rounds.
    fn found(groups: &mut Groups, rounds: u64, change: Change) -> usize {
        let mut found = 0;
        for seq in 0..rounds {
            for (sensor, raw) in [("a", 20.0), ("b", 20.1), ("c", 25.0), ("x", 90.0)] {
                let reading = reading(sensor, raw, seq);
                let reading = if sensor == "c" { change(reading) } else { reading };
                found += usize::from(groups.note(&reading).is_some());
            }
        }
        found
    }

    #[test]
    fn only_what_can_be_compared_is() {
        let cases: [(u64, Change, usize); 6] = [
            (31, |reading| reading, 0),
            (100, |reading| reading, 1),
            (100, |reading| Reading { unit: "K".into(), ..reading }, 0),
            (100, |reading| Reading { state: State::Missing, raw: None, ..reading }, 0),
            (100, |reading| Reading { state: State::Invalid, ..reading }, 0),
            (100, |reading| Reading { reasons: Reasons::of(ReasonCode::Maintenance), ..reading }, 0),
        ];
        for (rounds, change, expected) in cases {
            let mut groups = Groups::default();
            assert_eq!(found(&mut groups, rounds, |reading| reading), 0, "there is no group");
            groups.change(vec![config(0.5)]);
            assert_eq!(found(&mut groups, rounds, change), expected);
        }
    }

    #[test]
    fn a_group_that_is_the_same_goes_on() {
        let mut groups = Groups::default();
        for (tolerance, expected) in [(0.5, 1), (0.5, 0), (0.6, 0)] {
            groups.change(vec![config(tolerance)]);
            assert_eq!(found(&mut groups, 40, |reading| reading), expected);
        }
        groups.forget(&Id::new("c").unwrap());
        assert_eq!(found(&mut groups, 40, |reading| reading), 1);
        groups.change(vec![]);
        assert_eq!(found(&mut groups, 40, |reading| reading), 0);
    }
}
