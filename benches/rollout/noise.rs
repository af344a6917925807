//! What noise alone decides, and how many pairs it takes to decide rightly.

use calibd::domain::drift::pair::{Facts, Pair};
use calibd::domain::resample::Seeded;
use calibd::domain::rollout::evidence::Evidence;
use calibd::domain::rollout::limits::Limits;
use calibd::domain::sensor::Kind;
use calibd::domain::time::Timestamp;

/// Runs of each row.
const RUNS: u64 = 4_000;
/// Pairs until the bake is over, an hour each, and until nobody waits any more.
const BAKE: u64 = 24;
const PATIENCE: u64 = 720;

/// How the errors of a transform come about beside those of another one, which have standard deviation 1 and mean 0.
struct Errors {
    name: &'static str,
    std: f64,
    bias: f64,
    /// Correlation of both errors of a pair.
    common: f64,
    /// Autocorrelation from pair to pair.
    phi: f64,
}

enum Outcome {
    Refused(u64),
    Promoted(u64),
    Neither,
}

/// Watches both until it is decided, as in shadow.
fn run(errors: &Errors, limits: &Limits, seed: u64) -> Outcome {
    let mut draws = Seeded::new(seed);
    let mut evidence = Evidence::new(limits, true);
    let mut state = [0.0; 2];
    for number in 1..=PATIENCE {
        let shared = draws.normal();
        let left = if number == 1 { 0.0 } else { errors.phi };
        for state in &mut state {
            let fresh = errors.common.sqrt() * shared + (1.0 - errors.common).sqrt() * draws.normal();
            *state = left * *state + (1.0 - left * left).sqrt() * fresh;
        }
        let value = errors.bias + errors.std * state[0];
        let u = Some((errors.std * errors.std + errors.bias * errors.bias).sqrt());
        let facts = Facts { u, u_reference: Some(0.01), ..Facts::new(Timestamp::EPOCH, value, 0.0) };
        let Ok(pair) = Pair::new(Kind::Measurement, facts) else { continue };
        evidence.pair(&pair, Some(state[1]));
        if evidence.fault(limits).is_some() {
            return Outcome::Refused(number);
        }
        if number >= BAKE && evidence.is_good(limits) {
            return Outcome::Promoted(number);
        }
    }
    Outcome::Neither
}

/// Their share in percent, and the median of the pairs that they took.
fn told(mut pairs: Vec<u64>) -> String {
    pairs.sort_unstable();
    let share = 100.0 * pairs.len() as f64 / RUNS as f64;
    match pairs.get(pairs.len() / 2) {
        Some(median) => format!("{share:.1} %, {median}"),
        None => "0 %".to_owned(),
    }
}

/// The table of docs/reference/rollout.md.
pub fn rates() {
    let row = |name, std, bias, common, phi| Errors { name, std, bias, common, phi };
    let rows = [
        row("at the limit", 1.05, 0.0, 0.0, 0.0),
        row("at the limit", 1.05, 0.0, 0.9, 0.0),
        row("at the limit", 1.05, 0.0, 0.9, 0.8),
        row("at the limit, half of it bias", 0.742, 0.742, 0.5, 0.0),
        row("at the limit, all of it bias", 0.01, 1.05, 0.0, 0.0),
        row("as good as the other", 1.0, 0.0, 0.5, 0.0),
        row("as good as the other", 1.0, 0.0, 0.9, 0.0),
        row("as good as the other", 1.0, 0.0, 0.9, 0.8),
        row("as good as the other", 1.0, 0.0, 0.99, 0.0),
        row("half the errors", 0.5, 0.0, 0.5, 0.0),
        row("half the errors", 0.5, 0.0, 0.5, 0.8),
        row("half again the errors", 1.5, 0.0, 0.5, 0.0),
        row("twice the errors", 2.0, 0.0, 0.5, 0.0),
        row("twice the errors", 2.0, 0.0, 0.5, 0.8),
        row("as good, and a bias of 2", 1.0, 2.0, 0.5, 0.0),
    ];
    let limits =
        Limits { min_pairs: 12, max_rmse_ratio: Some(1.05), min_coverage: Some(0.9), ..Limits::default() };
    println!("| candidate | std | bias | in common | autocorrelation | refused, after | promoted, after |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for errors in rows {
        let (mut refused, mut promoted) = (Vec::new(), Vec::new());
        for seed in 0..RUNS {
            match run(&errors, &limits, seed) {
                Outcome::Refused(pairs) => refused.push(pairs),
                Outcome::Promoted(pairs) => promoted.push(pairs),
                Outcome::Neither => {}
            }
        }
        let Errors { name, std, bias, common, phi } = errors;
        println!("| {name} | {std} | {bias} | {common} | {phi} | {} | {} |", told(refused), told(promoted));
    }
}
