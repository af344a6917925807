//! What noise alone decides.

use calibd::domain::drift::pair::{Facts, Pair};
use calibd::domain::resample::Seeded;
use calibd::domain::rollout::evidence::{Evidence, Fault};
use calibd::domain::rollout::limits::Limits;
use calibd::domain::sensor::Kind;
use calibd::domain::time::Timestamp;

/// Runs of each row.
const RUNS: u64 = 4_000;
/// Pairs until the bake is over, and until nobody waits any more.
const BAKE: u64 = 24;
const PATIENCE: u64 = 720;

/// How the errors of two transforms come about, from pair to pair.
#[derive(Clone, Copy)]
struct Errors {
    name: &'static str,
    /// Errors of the one beside have standard deviation 1 and bias 0.
    std: f64,
    bias: f64,
    /// Correlation of both errors, and how much of an error is left in the next one.
    common: f64,
    phi: f64,
}

struct Outcome {
    fault: Option<(Fault, u64)>,
    good: Option<u64>,
}

/// Watches both until it is decided. Promotion is looked at once the bake is over.
fn run(errors: &Errors, limits: &Limits, seed: u64) -> Outcome {
    let mut draws = Seeded::new(seed);
    let mut evidence = Evidence::new(limits, true);
    let mut state = [0.0; 2];
    let left = (1.0 - errors.phi * errors.phi).sqrt();
    for number in 0..=PATIENCE {
        let shared = draws.normal();
        for (at, state) in state.iter_mut().enumerate() {
            let own = draws.normal();
            let fresh = errors.common.sqrt() * shared + (1.0 - errors.common).sqrt() * own;
            *state = if number == 0 { fresh } else { errors.phi * *state + left * fresh };
            let _ = at;
        }
        let value = errors.bias + errors.std * state[0];
        let facts = Facts {
            u: Some(errors.std),
            u_reference: Some(0.01),
            ..Facts::new(Timestamp::EPOCH, value, 0.0)
        };
        let Ok(pair) = Pair::new(Kind::Measurement, facts) else { continue };
        evidence.pair(&pair, Some(state[1]));
        if let Some(fault) = evidence.fault(limits) {
            return Outcome { fault: Some((fault, number + 1)), good: None };
        }
        if number + 1 >= BAKE && evidence.is_good(limits) {
            return Outcome { fault: None, good: Some(number + 1) };
        }
    }
    Outcome { fault: None, good: None }
}

/// Rows of the table.
pub fn rates() {
    let row = |name, std, bias, common, phi| Errors { name, std, bias, common, phi };
    let rows = [
        row("at the limit", 1.05, 0.0, 0.0, 0.0),
        row("at the limit", 1.05, 0.0, 0.9, 0.0),
        row("at the limit", 1.05, 0.0, 0.9, 0.8),
        row("at the limit", 1.05, 0.0, 0.0, 0.8),
        row("at the limit, all of it bias", 0.01, 1.05, 0.0, 0.0),
        row("as good", 1.0, 0.0, 0.9, 0.0),
        row("as good", 1.0, 0.0, 0.99, 0.0),
        row("as good", 1.0, 0.0, 0.9, 0.8),
        row("better", 0.5, 0.0, 0.5, 0.0),
        row("better", 0.5, 0.0, 0.5, 0.8),
        row("worse", 1.5, 0.0, 0.5, 0.0),
        row("worse", 2.0, 0.0, 0.5, 0.0),
        row("worse", 2.0, 0.0, 0.5, 0.8),
        row("biased", 1.0, 2.0, 0.5, 0.0),
    ];
    let limits = Limits { min_pairs: 12, max_rmse_ratio: Some(1.05), ..Limits::default() };
    println!("| candidate | std | bias | common | phi | refused | after | promoted | after | neither |");
    for errors in rows {
        let (mut faults, mut goods) = (Vec::new(), Vec::new());
        for seed in 0..RUNS {
            let outcome = run(&errors, &limits, seed);
            faults.extend(outcome.fault.map(|(_, after)| after));
            goods.extend(outcome.good);
        }
        let share = |count: usize| 100.0 * count as f64 / RUNS as f64;
        let median = |mut list: Vec<u64>| {
            list.sort_unstable();
            list.get(list.len() / 2).copied().unwrap_or(0)
        };
        println!(
            "| {} | {} | {} | {} | {} | {:.1} | {} | {:.1} | {} | {:.1} |",
            errors.name,
            errors.std,
            errors.bias,
            errors.common,
            errors.phi,
            share(faults.len()),
            median(faults.clone()),
            share(goods.len()),
            median(goods.clone()),
            100.0 - share(faults.len()) - share(goods.len())
        );
    }
}
