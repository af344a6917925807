//! A transform is pushed to 10,000 gateways by a canary of 1 %, then 10 %, then all of them: on how many does it run
//! if it is bad? By the machines that run on the gateways, in simulated time.

use calibd::domain::digest::Digest;
use calibd::domain::drift::pair::{Facts, Pair};
use calibd::domain::id::Id;
use calibd::domain::resample::Seeded;
use calibd::domain::rollout::canary::point;
use calibd::domain::rollout::evidence::Readings;
use calibd::domain::rollout::limits::Limits;
use calibd::domain::rollout::plan::{Artifact, Mode, Plan, Policy, WithoutReferences};
use calibd::domain::rollout::state::State;
use calibd::domain::rollout::{Action, Ending, Event, MOST_BETWEEN, Order, OrderAction, Paired, Rollout};
use calibd::domain::sensor::Kind;
use calibd::domain::time::Timestamp;
use calibd::runtime::clock::Clock;

const GATEWAYS: usize = 10_000;
const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
/// The operator looks after so many days at each share.
const DAYS_A_SHARE: i64 = 3;
const SHARES: [f64; 3] = [1.0, 10.0, 100.0];

/// What happens in a fleet.
struct Story {
    name: &'static str,
    mode: fn(u16) -> Mode,
    /// Errors of the new transform against 1 of the old one: in shadow, and once it is in force.
    std: [f64; 2],
    /// Pairs of each gateway come every so many hours; 0: never.
    every: i64,
    without: WithoutReferences,
}

/// What has become of a fleet.
#[derive(Default)]
struct Told {
    ran: usize,
    refused: usize,
    taken_back: usize,
    settled: usize,
    widest: f64,
    events: u64,
}

struct Gateway {
    machine: Rollout,
    draws: Seeded,
    ran: bool,
    runs: bool,
}

fn artifact(version: u64) -> Artifact {
    Artifact {
        id: Id::new("co-electrochemical").unwrap_or_else(|_| unreachable!("it is an id")),
        epoch: 1,
        version,
        digest: Digest([version as u8; 32]),
        not_before: None,
        expires: Timestamp::LAST,
    }
}

fn start() -> Timestamp {
    Timestamp::from_micros(1_795_305_600_000_000).unwrap_or(Timestamp::EPOCH)
}

impl Gateway {
    fn new(number: usize, story: &Story) -> Gateway {
        let state = State::adopted(Some((artifact(1), start())), Vec::new());
        let policy = Policy { without_references: story.without, ..Policy::default() };
        let draws = Seeded::new(number as u64);
        let mut gateway = Gateway { machine: Rollout::new(policy, state), draws, ran: false, runs: false };
        gateway.tell(Event::Clock { trusted: true }, start());
        let id = Id::new(&format!("gw-{number:05}")).unwrap_or_else(|_| unreachable!("it is an id"));
        let limits =
            Limits { min_pairs: 12, max_rmse_ratio: Some(1.05), max_bias: Some(1.0), ..Limits::default() };
        let mode = (story.mode)(point(&artifact(2).id, "2026-11", &id));
        let plan = Plan { mode, bake: Some(DAY), limits, watched: mode != Mode::Immediate };
        gateway.tell(Event::Accepted { artifact: artifact(2), plan, of_session: false }, start());
        gateway
    }

    fn tell(&mut self, event: Event, now: Timestamp) {
        // An order that comes again has no effect.
        for action in self.machine.apply(event, now).unwrap_or_default() {
            match action {
                Action::Activate(_) => (self.ran, self.runs) = (true, true),
                Action::RollBack { .. } => self.runs = false,
                _ => {}
            }
        }
    }

    fn hour(&mut self, story: &Story, hour: i64, now: Timestamp) -> u64 {
        let ticks = HOUR / MOST_BETWEEN;
        for tick in 1..=ticks {
            self.tell(Event::Tick, now.saturating_add_micros(tick * MOST_BETWEEN));
        }
        let now = now.saturating_add_micros(HOUR);
        let pairs = story.every > 0 && hour % story.every == 0;
        let watched: Vec<_> = self.machine.watched().collect();
        for watched in &watched {
            let readings = Readings { readings: 60, lost: 0, largest_step: 1.0 };
            self.tell(Event::Read { of: watched.of, readings }, now);
            if !pairs {
                continue;
            }
            let shared = self.draws.normal();
            let [new, old] =
                [self.draws.normal(), self.draws.normal()].map(|own| (shared + own) / 2f64.sqrt());
            let std = story.std[usize::from(self.runs)];
            let facts = Facts::new(now, std * new, 0.0);
            let Ok(pair) = Pair::new(Kind::Measurement, facts) else { continue };
            let beside = watched.beside.map(|digest| (digest, old));
            self.tell(Event::Pair(Box::new(Paired { of: watched.of, beside, pair, counts: true })), now);
        }
        ticks as u64 + watched.len() as u64 * (1 + u64::from(pairs))
    }

    fn ending(&self) -> Option<Ending> {
        let ended = self.machine.state().ended();
        ended.iter().find(|ended| ended.artifact.version == 2).map(|ended| ended.how)
    }
}

/// The operator widens the share only while at most a tenth of the gateways that have decided are against it, and
/// rolls it back otherwise.
fn told(story: &Story) -> Told {
    let mut fleet: Vec<Gateway> = (0..GATEWAYS).map(|number| Gateway::new(number, story)).collect();
    let mut told = Told { widest: SHARES[0], ..Told::default() };
    let mut now = start();
    for share in SHARES {
        let against = fleet.iter().filter(|gateway| gateway.ending().is_some()).count();
        let decided = against + fleet.iter().filter(|gateway| gateway.runs).count();
        let stopped = against * 10 > decided.max(1);
        let action = if stopped { OrderAction::Rollback } else { OrderAction::Promote };
        let percent = (!stopped).then_some(share);
        let order = Order { action, digest: artifact(2).digest, percent };
        for gateway in &mut fleet {
            gateway.tell(Event::Ordered { order, by: "fleet".to_owned() }, now);
        }
        if stopped {
            break;
        }
        told.widest = share;
        for hour in 0..DAYS_A_SHARE * 24 {
            told.events += fleet.iter_mut().map(|gateway| gateway.hour(story, hour, now)).sum::<u64>();
            now = now.saturating_add_micros(HOUR);
        }
    }
    let count = |fits: &dyn Fn(&Gateway) -> bool| fleet.iter().filter(|gateway| fits(gateway)).count();
    told.ran = count(&|gateway| gateway.ran);
    told.refused =
        count(&|gateway| !gateway.ran && matches!(gateway.ending(), Some(Ending::Failed | Ending::Unproven)));
    told.taken_back = count(&|gateway| gateway.ran && !gateway.runs);
    told.settled = count(&|gateway| gateway.runs);
    told
}

/// The table of docs/performance.md.
pub fn stories() {
    let canary: fn(u16) -> Mode = |point| Mode::Canary { percent: SHARES[0], point };
    let story = |name, mode, std, every, without| Story { name, mode, std, every, without };
    use WithoutReferences::{Extend, SanityOnly};
    let stories = [
        story("good (half the errors), canary", canary, [0.5, 0.5], 1, Extend),
        story("bad (twice the errors), canary", canary, [2.0, 2.0], 1, Extend),
        story("slightly bad (1.3 times), canary", canary, [1.3, 1.3], 1, Extend),
        story("good in shadow, bad in force, canary", canary, [0.5, 2.0], 1, Extend),
        story("bad, canary, a reference every 12 h", canary, [2.0, 2.0], 12, Extend),
        story("bad, canary, no references: extend", canary, [2.0, 2.0], 0, Extend),
        story("bad, canary, no references: sanity_only", canary, [2.0, 2.0], 0, SanityOnly),
        story("bad, at once", |_| Mode::Immediate, [2.0, 2.0], 1, Extend),
    ];
    println!(
        "\n| transform | widest share | ran it ever | refused in shadow | taken back | in force at the end |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    let clock = Clock::system();
    let (mut events, before) = (0, clock.monotonic());
    for story in &stories {
        let told = told(story);
        events += told.events;
        println!(
            "| {} | {} % | {} | {} | {} | {} |",
            story.name, told.widest, told.ran, told.refused, told.taken_back, told.settled
        );
    }
    let each = (clock.monotonic() - before).as_nanos() as f64 / events.max(1) as f64;
    println!("\n{each:.0} ns an event");
}
