//! A rollout step by step.

mod evidence;
mod orders;
mod properties;
mod stories;

use super::evidence::Readings;
use super::limits::Limits;
use super::plan::{Artifact, Mode, Plan, Policy};
use super::state::State;
use super::{Action, Event, Order, OrderAction, Paired, Refused, Rollout, Stage, Wait};
use crate::domain::digest::Digest;
use crate::domain::drift::pair::{Facts, Pair};
use crate::domain::id::Id;
use crate::domain::resample::Seeded;
use crate::domain::sensor::Kind;
use crate::domain::time::Timestamp;

pub(super) const MINUTE: i64 = 60_000_000;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

pub(super) fn digest(number: u8) -> Digest {
    Digest([number; 32])
}

/// Version `version` of `id`; its digest is its version.
pub(super) fn artifact(id: &str, version: u8) -> Artifact {
    Artifact {
        id: Id::new(id).unwrap(),
        epoch: 1,
        version: u64::from(version),
        digest: digest(version),
        not_before: None,
        expires: Timestamp::parse("2199-01-01T00:00:00Z").unwrap(),
    }
}

pub(super) fn plan(mode: Mode) -> Plan {
    let limits =
        Limits { min_pairs: 12, max_rmse_ratio: Some(1.05), max_bias: Some(1.0), ..Limits::default() };
    Plan { mode, bake: Some(DAY), limits, watched: mode != Mode::Immediate }
}

pub(super) const EVERYWHERE: Mode = Mode::Canary { percent: 100.0, point: 42 };

/// A machine and its clock, which says what it is asked.
pub(super) struct Bench {
    pub machine: Rollout,
    pub now: Timestamp,
    pub actions: Vec<Action>,
    draws: Seeded,
}

impl Bench {
    /// With version 1 in force.
    pub fn new() -> Bench {
        let mut bench = Bench::raw();
        bench.machine.state = State::adopted(Some((artifact("t", 1), bench.now)), Vec::new());
        bench.tell(Event::Clock { trusted: true });
        bench
    }

    pub fn raw() -> Bench {
        let now = Timestamp::parse("2026-11-22T10:00:00Z").unwrap();
        let machine = Rollout::new(Policy::default(), State::default());
        let mut bench = Bench { machine, now, actions: Vec::new(), draws: Seeded::new(7) };
        bench.tell(Event::Clock { trusted: true });
        bench
    }

    pub fn try_tell(&mut self, event: Event) -> Result<(), Refused> {
        self.actions = self.machine.apply(event, self.now)?;
        Ok(())
    }

    pub fn tell(&mut self, event: Event) -> &mut Bench {
        self.try_tell(event).unwrap();
        self
    }

    pub fn accept(&mut self, version: u8, mode: Mode) -> &mut Bench {
        self.tell(Event::Accepted { artifact: artifact("t", version), plan: plan(mode), of_session: false })
    }

    pub fn order(&mut self, action: OrderAction, version: u8, percent: Option<f64>) -> Result<(), Refused> {
        let order = Order { action, digest: digest(version), percent };
        self.try_tell(Event::Ordered { order, by: "fleet".to_owned() })
    }

    /// Time passes, minute by minute, with a pair an hour: `stds` of the errors of the one watched and the one beside.
    /// Stops at the first actions, which it keeps; gives the hours that have passed.
    pub fn run(&mut self, hours: i64, stds: Option<[f64; 2]>) -> i64 {
        for hour in 0..hours {
            for _ in 0..60 {
                self.now = self.now.saturating_add_micros(MINUTE);
                self.tell(Event::Tick);
                if !self.actions.is_empty() {
                    return hour;
                }
            }
            if let Some(stds) = stds {
                let watched: Vec<_> = self.machine.watched().collect();
                for watched in watched {
                    let errors = stds.map(|std| std * self.draws.normal());
                    self.pair(watched.of, watched.beside, errors);
                    if !self.actions.is_empty() {
                        return hour;
                    }
                }
            }
        }
        hours
    }

    /// Runs until version 2 stands elsewhere; gives the hours that have passed.
    pub fn decide(&mut self, hours: i64, stds: [f64; 2]) -> i64 {
        let (stage, mut left) = (self.stage(2), hours);
        while left > 0 && self.stage(2) == stage {
            left -= self.run(left, Some(stds)) + 1;
        }
        hours - left
    }

    pub fn pair(&mut self, of: Digest, beside: Option<Digest>, errors: [f64; 2]) {
        let facts = Facts::new(self.now, 20.0 + errors[0], 20.0);
        let pair = Pair::new(Kind::Measurement, facts).unwrap();
        let beside = beside.map(|digest| (digest, 20.0 + errors[1]));
        self.tell(Event::Pair(Box::new(Paired { of, beside, pair, counts: true })));
    }

    pub fn read(&mut self, of: u8, readings: Readings) -> &mut Bench {
        self.tell(Event::Read { of: digest(of), readings })
    }

    pub fn stage(&self, version: u8) -> Option<Stage> {
        self.machine.state().stage(digest(version))
    }

    pub fn active(&self) -> Option<u64> {
        self.machine.state().active().map(|active| active.version)
    }

    /// The audit's sentences of the last event.
    pub fn said(&self) -> String {
        let said = |action: &Action| match action {
            Action::Audit { sentence, .. } => Some(sentence.clone()),
            _ => None,
        };
        self.actions.iter().filter_map(said).collect::<Vec<String>>().join("\n")
    }

    pub fn did(&self, wanted: &Action) -> bool {
        self.actions.contains(wanted)
    }
}
