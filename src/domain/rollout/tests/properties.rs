//! What holds whatever happens.

use std::collections::BTreeMap;

use super::*;
use crate::domain::rollout::plan::{Fallback, WithoutReferences};
use crate::domain::rollout::state::{MOST_ENDED, MOST_STEPS};
use proptest::prelude::*;

/// What the shell has: which transforms verify, and what is in force.
#[derive(Default)]
struct Shell {
    accepted: Vec<Digest>,
    force: Option<Digest>,
    floors: BTreeMap<Id, u64>,
}

impl Shell {
    /// Carries out actions; what is put in force was accepted, and takes the place of one at most.
    fn carry_out(&mut self, actions: &[Action]) -> Result<(), TestCaseError> {
        let mut told = false;
        for action in actions {
            match action {
                Action::Audit { sentence, .. } => {
                    told = true;
                    prop_assert!(sentence.contains(" version ") && sentence.len() > 20, "{sentence}");
                }
                Action::Activate(digest) => {
                    prop_assert!(told && self.accepted.contains(digest));
                    self.force = Some(*digest);
                }
                Action::RollBack { from, to } => {
                    prop_assert!(told);
                    prop_assert_eq!(self.force, Some(*from));
                    prop_assert!(to.is_none_or(|to| self.accepted.contains(&to)));
                    self.force = *to;
                }
                Action::Deactivate(digest) => {
                    prop_assert!(told);
                    prop_assert_eq!(self.force, Some(*digest));
                    self.force = None;
                }
                Action::Publish | Action::Alert(_) => {}
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone)]
enum Step {
    Accept { line: bool, version: u8, mode: Mode, watched: bool },
    Pairs { candidate: bool, count: u8, errors: [f64; 2], counts: bool },
    Read { version: u8, readings: Readings },
    Wait { minutes: i64 },
    Jump { days: i64 },
    Order { action: OrderAction, version: u8, percent: Option<f64> },
    Invalid(u8),
    NotRestored(u8),
    Put(Option<u8>),
    Policy(Policy),
    Session(bool),
    Clock(bool),
    Instrument(u8),
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![
        Just(Mode::Immediate),
        Just(Mode::Shadow),
        Just(EVERYWHERE),
        (0.0..100.0f64, 0u16..10_000).prop_map(|(percent, point)| Mode::Canary { percent, point }),
    ]
}

fn error() -> impl Strategy<Value = f64> {
    prop_oneof![-3.0..3.0f64, Just(0.0), Just(1e99), -1e-90..1e-90f64]
}

fn policy() -> impl Strategy<Value = Policy> {
    let without = prop_oneof![
        Just(WithoutReferences::Extend),
        Just(WithoutReferences::Refuse),
        Just(WithoutReferences::SanityOnly)
    ];
    let when = prop_oneof![Just(Fallback::Keep), Just(Fallback::Previous), Just(Fallback::Uncalibrated)];
    (without, when).prop_map(|(without_references, when_invalid)| Policy {
        without_references,
        when_invalid,
        longest: 2 * DAY,
        ..Policy::default()
    })
}

fn action() -> impl Strategy<Value = OrderAction> {
    prop_oneof![
        Just(OrderAction::Promote),
        Just(OrderAction::Rollback),
        Just(OrderAction::Abort),
        Just(OrderAction::Retire)
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let version = || 1u8..12;
    prop_oneof![
        6 => (any::<bool>(), version(), mode(), any::<bool>())
            .prop_map(|(line, version, mode, watched)| Step::Accept { line, version, mode, watched }),
        8 => (any::<bool>(), 1u8..20, [error(), error()], proptest::bool::weighted(0.9))
            .prop_map(|(candidate, count, errors, counts)| Step::Pairs { candidate, count, errors, counts }),
        2 => (version(), 0u64..200, 0u64..20, 0.0..5.0f64).prop_map(|(version, readings, lost, largest_step)| {
            Step::Read { version, readings: Readings { readings, lost: lost.min(readings), largest_step } }
        }),
        6 => (1i64..2_000).prop_map(|minutes| Step::Wait { minutes }),
        1 => (-400i64..40_000).prop_map(|days| Step::Jump { days }),
        3 => (action(), version(), proptest::option::of(0.0..100.0f64))
            .prop_map(|(action, version, percent)| Step::Order { action, version, percent }),
        1 => version().prop_map(Step::Invalid),
        1 => version().prop_map(Step::NotRestored),
        1 => proptest::option::of(version()).prop_map(Step::Put),
        1 => policy().prop_map(Step::Policy),
        1 => any::<bool>().prop_map(Step::Session),
        2 => proptest::bool::weighted(0.8).prop_map(Step::Clock),
        1 => (0u8..3).prop_map(Step::Instrument),
    ]
}

fn line(line: bool) -> &'static str {
    if line { "t" } else { "other" }
}

/// The events of a step, with what the shell makes sure of.
fn events(step: &Step, shell: &mut Shell, machine: &Rollout, now: &mut Timestamp) -> Vec<Event> {
    let reason = || "its key was revoked".to_owned();
    match step {
        Step::Accept { line: of, version, mode, watched } => {
            let artifact =
                Artifact { digest: digest(*version + 100 * u8::from(*of)), ..artifact(line(*of), *version) };
            let floor = shell.floors.entry(artifact.id.clone()).or_default();
            if artifact.version < *floor {
                return Vec::new();
            }
            *floor = artifact.version;
            shell.accepted.push(artifact.digest);
            vec![Event::Accepted {
                artifact,
                plan: Plan { watched: *watched, bake: Some(HOUR), ..plan(*mode) },
                of_session: false,
            }]
        }
        Step::Pairs { candidate, count, errors, counts } => {
            let watched: Vec<_> = machine.watched().collect();
            let Some(watched) = (if *candidate { watched.first() } else { watched.last() }) else {
                return Vec::new();
            };
            let facts =
                Facts { u: Some(0.5), u_reference: Some(0.1), ..Facts::new(*now, 20.0 + errors[0], 20.0) };
            let Ok(pair) = Pair::new(Kind::Measurement, facts) else { return Vec::new() };
            let beside = watched.beside.map(|digest| (digest, 20.0 + errors[1]));
            let paired = Paired { of: watched.of, beside, pair, counts: *counts };
            (0..*count).map(|_| Event::Pair(Box::new(paired))).collect()
        }
        Step::Read { version, readings } => {
            vec![Event::Read { of: digest(100 + version), readings: *readings }]
        }
        Step::Wait { minutes } => {
            *now = now.saturating_add_micros(minutes * MINUTE);
            vec![Event::Tick; (*minutes as usize).min(3)]
        }
        Step::Jump { days } => {
            *now = now.saturating_add_micros(days * DAY);
            vec![Event::Tick]
        }
        Step::Order { action, version, percent } => {
            let order = Order { action: *action, digest: digest(100 + version), percent: *percent };
            vec![Event::Ordered { order, by: "fleet".to_owned() }]
        }
        Step::Invalid(version) => vec![Event::Invalid { digest: digest(100 + version), why: reason() }],
        Step::NotRestored(version) => {
            vec![Event::NotRestored { digest: digest(100 + version), why: reason() }]
        }
        Step::Put(version) => {
            let artifact =
                version.map(|version| Artifact { digest: digest(100 + version), ..artifact("t", version) });
            let known = artifact.as_ref().is_none_or(|artifact| shell.accepted.contains(&artifact.digest));
            if !known {
                return Vec::new();
            }
            shell.force = artifact.as_ref().map(|artifact| artifact.digest);
            vec![Event::Put { artifact }]
        }
        Step::Policy(policy) => vec![Event::Policy(*policy)],
        Step::Session(open) => vec![Event::Session { open: *open }],
        Step::Instrument(number) => vec![Event::Instrument(Some(number.to_string()))],
        Step::Clock(trusted) => vec![Event::Clock { trusted: *trusted }],
    }
}

/// A machine that was stored and read.
fn restarted(machine: &Rollout) -> Rollout {
    let text = serde_json::to_string(machine.state()).unwrap();
    assert!(text.len() < 24_000, "{} bytes", text.len());
    Rollout::new(machine.policy, serde_json::from_str(&text).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// At most one in force, only what was accepted, each change told before it is made, the state bounded, and a
    /// restart after any event changes nothing.
    #[test]
    fn whatever_happens(steps in proptest::collection::vec(step(), 1..60)) {
        let mut shell = Shell::default();
        let mut now = Timestamp::parse("2026-11-22T10:00:00Z").unwrap();
        let mut machine = Rollout::new(Policy::default(), State::default());
        for step in &steps {
            for event in events(step, &mut shell, &machine, &mut now) {
                let before = machine.state().active().cloned();
                let mut twin = restarted(&machine);
                let result = machine.apply(event.clone(), now);
                prop_assert_eq!(&twin.apply(event.clone(), now), &result);
                prop_assert_eq!(&twin, &machine);
                let actions = result.unwrap_or_default();
                shell.carry_out(&actions)?;
                let state = machine.state();
                prop_assert_eq!(state.active().map(|active| active.digest), shell.force);
                prop_assert!(state.steps.len() <= MOST_STEPS && state.ended().len() <= MOST_ENDED);
                // What is to come is newer than all that is held of its line: the floor does not fall.
                if let Some(candidate) = state.candidate() {
                    prop_assert_eq!(shell.floors.get(&candidate.id), Some(&candidate.version));
                }
                // An abort leaves what was good.
                if let Event::Ordered { order: Order { action: OrderAction::Abort, digest, .. }, .. } = &event {
                    let left = before.as_ref().is_some_and(|active| active.digest == *digest);
                    let back = actions.iter().any(|action| matches!(action, Action::RollBack { .. }));
                    prop_assert!(left || !back);
                }
            }
        }
        let standings = machine.standings(now);
        let text = serde_json::to_string(&standings).unwrap();
        prop_assert_eq!(serde_json::from_str::<super::super::Standings>(&text).unwrap(), standings);
    }

    /// Whatever pairs came before, an abort leaves the transform that was good before the candidate.
    #[test]
    fn an_abort_leaves_the_last_good_one(
        hours in 0i64..60, stds in prop_oneof![Just([0.3, 1.0]), Just([1.0, 1.0]), Just([5.0, 1.0])],
    ) {
        let mut bench = Bench::new();
        bench.accept(2, EVERYWHERE);
        let mut left = hours;
        while left > 0 {
            left -= bench.run(left, Some(stds)) + 1;
        }
        let settled = bench.stage(2) == Some(Stage::Active);
        let result = bench.order(OrderAction::Abort, 2, None);
        prop_assert_eq!(result.is_err(), settled);
        prop_assert_eq!(bench.active(), Some(if settled { 2 } else { 1 }));
    }
}
