//! Sensors side by side: each reading beside the median of the others.

use std::collections::HashMap;

use crate::config::peers::PeersConfig;
use crate::domain::id::SensorId;
use crate::domain::monitor::Finding;
use crate::domain::monitor::peers::{PeerValue, Peers};
use crate::domain::quality::{ReasonCode, State};
use crate::domain::sample::Reading;

#[derive(Debug)]
struct Group {
    config: PeersConfig,
    peers: Peers,
}

/// All groups of sensors.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: Vec<Group>,
    /// The group of a sensor, and its place there.
    places: HashMap<SensorId, (usize, usize)>,
}

impl Groups {
    /// Goes over to these groups. One that is the same keeps what it has learnt.
    pub(super) fn change(&mut self, configs: Vec<PeersConfig>) {
        let mut old = std::mem::take(&mut self.groups);
        self.places.clear();
        for config in configs {
            let same = old.iter().position(|group| group.config == config).map(|at| old.swap_remove(at));
            // The configuration has refused other sizes.
            let new = || Peers::new(config.sensors.len());
            let Some(peers) = same.map(|group| group.peers).or_else(new) else { continue };
            let group = self.groups.len();
            let places = config.sensors.iter().enumerate();
            self.places.extend(places.map(|(place, sensor)| (sensor.clone(), (group, place))));
            self.groups.push(Group { config, peers });
        }
    }

    /// Compares a reading with the others of its group; says what is found that was not before.
    pub(super) fn note(&mut self, reading: &Reading) -> Option<Finding> {
        if self.groups.is_empty() {
            return None;
        }
        let (group, place) = *self.places.get(&reading.sensor)?;
        let Group { config, peers } = &mut self.groups[group];
        let usable = reading.state < State::Invalid && !reading.reasons.contains(ReasonCode::Maintenance);
        if !usable || *reading.unit != *config.unit {
            return None;
        }
        let value = reading.value.or(reading.raw.filter(|_| reading.transform.is_none()))?;
        let value = PeerValue { time: reading.time, value, u: reading.u };
        let compared = peers.note(place, value, &config.limits)?;
        if compared.raised { peers.finding(place) } else { None }
    }
}
