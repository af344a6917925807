//! What pairs show.

use super::*;
use crate::domain::rollout::evidence::{Evidence, Fault};

fn facts(value: f64, reference: f64) -> Facts {
    Facts { u: Some(0.5), u_reference: Some(0.1), ..Facts::new(Timestamp::EPOCH, value, reference) }
}

/// So many pairs of normal errors: standard deviation and mean of the one in question and of the one beside.
fn gathered(limits: &Limits, pairs: u64, [std, bias]: [f64; 2], beside: [f64; 2]) -> Evidence {
    let mut draws = Seeded::new(11);
    let mut evidence = Evidence::new(limits, true);
    for _ in 0..pairs {
        let value = 20.0 + bias + std * draws.normal();
        let pair = Pair::new(Kind::Measurement, facts(value, 20.0)).unwrap();
        evidence.pair(&pair, Some(20.0 + beside[1] + beside[0] * draws.normal()));
    }
    evidence
}

const RATIO: Limits =
    Limits { min_pairs: 12, max_rmse_ratio: Some(1.05), max_bias: None, min_coverage: None, max_step: None };

#[test]
fn each_gate_speaks_for_itself() {
    let bias = Limits { max_rmse_ratio: None, max_bias: Some(0.3), ..RATIO };
    let coverage = Limits { max_rmse_ratio: None, min_coverage: Some(0.9), ..RATIO };
    for (limits, errors, beside, wanted) in [
        (RATIO, [3.0, 0.0], [1.0, 0.0], Some(Fault::Ratio)),
        (RATIO, [1.0, 0.0], [1.0, 0.0], None),
        (bias, [0.3, -1.0], [1.0, 0.0], Some(Fault::Bias)),
        (bias, [0.3, 0.3], [1.0, 0.0], None),
        (coverage, [2.0, 0.0], [1.0, 0.0], Some(Fault::Coverage)),
        (coverage, [0.5, 0.0], [1.0, 0.0], None),
    ] {
        assert_eq!(gathered(&limits, 60, errors, beside).fault(&limits), wanted, "{errors:?} {wanted:?}");
    }
}

#[test]
fn good_is_what_is_shown_to_be_good_by_every_gate() {
    let both = Limits { max_bias: Some(0.5), ..RATIO };
    assert!(gathered(&both, 60, [0.4, 0.0], [1.0, 0.0]).is_good(&both));
    assert!(!gathered(&both, 60, [0.4, 0.5], [1.0, 0.0]).is_good(&both));
    assert!(!gathered(&both, 60, [1.2, 0.0], [1.0, 0.0]).is_good(&both));
    assert!(!gathered(&both, 11, [0.1, 0.0], [1.0, 0.0]).is_good(&both));
}

#[test]
fn with_nothing_beside_only_what_stands_alone_is_looked_at() {
    let mut evidence = Evidence::new(&RATIO, false);
    for _ in 0..12 {
        evidence.pair(&Pair::new(Kind::Measurement, facts(25.0, 20.0)).unwrap(), None);
    }
    assert_eq!(evidence.fault(&RATIO), None);
    assert!(evidence.is_good(&RATIO));
}

#[test]
fn probabilities_are_judged_by_their_brier_score() {
    let mut evidence = Evidence::new(&RATIO, true);
    for number in 0..24 {
        let label = f64::from(number % 2);
        let facts = Facts::new(Timestamp::EPOCH, 0.1 + 0.8 * label, label);
        evidence.pair(&Pair::new(Kind::Probability, facts).unwrap(), Some(0.4 + 0.2 * label));
    }
    let found = evidence.findings();
    assert!((found.rmse.unwrap() - 0.1).abs() < 1e-12 && (found.rmse_beside.unwrap() - 0.4).abs() < 1e-12);
    assert!(evidence.is_good(&RATIO));
}

#[test]
fn what_gives_the_same_values_is_no_worse() {
    let mut evidence = Evidence::new(&RATIO, true);
    let mut draws = Seeded::new(5);
    for _ in 0..24 {
        let value = 20.0 + draws.normal();
        evidence.pair(&Pair::new(Kind::Measurement, facts(value, 20.0)).unwrap(), Some(value));
    }
    assert!(evidence.is_good(&RATIO));
}

/// Of 500 rollouts, how many are refused and how many promoted: pair by pair, until 200 have come.
fn decided(std: f64, bias: f64, phi: f64) -> [u32; 2] {
    let mut counts = [0, 0];
    for seed in 0..500 {
        let (mut draws, mut evidence, mut state) = (Seeded::new(seed), Evidence::new(&RATIO, true), [0.0; 2]);
        for number in 0..200 {
            let left: f64 = if number == 0 { 0.0 } else { phi };
            state = state.map(|state| left * state + (1.0 - left * left).sqrt() * draws.normal());
            let pair = Pair::new(Kind::Measurement, Facts::new(Timestamp::EPOCH, bias + std * state[0], 0.0));
            evidence.pair(&pair.unwrap(), Some(state[1]));
            let found = [evidence.fault(&RATIO).is_some(), evidence.is_good(&RATIO)];
            counts = [counts[0] + u32::from(found[0]), counts[1] + u32::from(found[1])];
            if found.contains(&true) {
                break;
            }
        }
    }
    counts
}

#[test]
fn noise_decides_no_more_often_than_is_stated() {
    // At the limit of the gate, where it is most often wrong: no more than 5 % of 500 either way.
    for (std, bias, phi) in [(1.05, 0.0, 0.0), (1.05, 0.0, 0.8), (0.01, 1.05, 0.0)] {
        let found = decided(std, bias, phi);
        assert!(found.iter().all(|count| *count <= 25), "{std} {bias} {phi}: {found:?}");
    }
    // And what is plain is seen.
    assert!(decided(0.4, 0.0, 0.0)[1] > 480 && decided(2.5, 0.0, 0.0)[0] > 480);
}
