//! How a sensor stands to its references, in a word.

use serde::{Deserialize, Serialize};

use super::window::Scores;

/// How a sensor stands to its references.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftState {
    /// Its bias is within the maximum permissible error.
    Ok,
    /// It no longer agrees with its references as it did.
    Drifting,
    /// Its bias is beyond the maximum permissible error.
    OutOfTolerance,
    /// The pairs don't say.
    #[default]
    Unknown,
}

impl DriftState {
    /// Judges the bias of a window with its expanded uncertainty ([`Scores::expanded`]) against the maximum permissible
    /// error, with a guard band on either side (ILAC-G8:09/2019, 4.2.2): what is beyond is so for certain, what is
    /// within, too.
    /// `excursion` says that a detector has found a change that still stands.
    pub fn of(scores: &Scores, mpe: Option<f64>, excursion: bool) -> DriftState {
        let judged = Option::zip(scores.bias, scores.expanded()).zip(mpe);
        let beyond = judged.is_some_and(|((bias, expanded), mpe)| bias.abs() - expanded > mpe);
        let within = judged.is_some_and(|((bias, expanded), mpe)| bias.abs() + expanded <= mpe);
        match (beyond, excursion, within) {
            (true, ..) => DriftState::OutOfTolerance,
            (_, true, _) => DriftState::Drifting,
            (_, _, true) => DriftState::Ok,
            _ => DriftState::Unknown,
        }
    }

    /// The state's name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            DriftState::Ok => "ok",
            DriftState::Drifting => "drifting",
            DriftState::OutOfTolerance => "out_of_tolerance",
            DriftState::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::drift::pair::{Facts, Pair};
    use crate::domain::drift::window::{Setup, Window};
    use crate::domain::resample::Seeded;
    use crate::domain::sensor::Kind;
    use crate::domain::time::Timestamp;

    /// Of so many pairs that scatter, beside a standard that is off by nothing.
    fn scores(n: f64, bias: f64, u_bias: f64) -> Scores {
        let std = Some(u_bias * n.sqrt());
        Scores { bias: Some(bias), u_bias: Some(u_bias), std, n_effective: Some(n), ..Scores::default() }
    }

    #[test]
    fn the_bias_is_judged_with_its_uncertainty_on_both_sides() {
        for (n, bias, u, mpe, excursion, state) in [
            (60.0, 0.2, 0.1, Some(0.5), false, DriftState::Ok),
            (60.0, -0.2, 0.1, Some(0.5), true, DriftState::Drifting),
            (60.0, 0.4, 0.1, Some(0.5), false, DriftState::Unknown),
            (60.0, -0.8, 0.1, Some(0.5), false, DriftState::OutOfTolerance),
            (60.0, -0.8, 0.1, Some(0.5), true, DriftState::OutOfTolerance),
            (60.0, 0.2, 0.1, None, false, DriftState::Unknown),
            (60.0, 0.2, 0.1, None, true, DriftState::Drifting),
            // t of one degree of freedom is 12.7
            (2.0, -0.8, 0.1, Some(0.5), false, DriftState::Unknown),
            (2.0, -0.8, 0.02, Some(0.5), false, DriftState::OutOfTolerance),
            (2.0, 0.2, 0.1, Some(0.5), false, DriftState::Unknown),
            (1.0, 0.2, 0.001, Some(0.5), false, DriftState::Unknown),
            (0.5, 0.2, 0.001, Some(0.5), false, DriftState::Unknown),
        ] {
            assert_eq!(
                DriftState::of(&scores(n, bias, u), mpe, excursion),
                state,
                "{n} {bias} {u} {mpe:?} {excursion}"
            );
        }
        assert_eq!(DriftState::of(&Scores::default(), Some(0.5), false), DriftState::Unknown);
    }

    #[test]
    fn what_the_references_may_be_off_by_is_not_known_from_few_pairs() {
        let k = |n: f64, scatter: f64, references: f64| {
            let (u_bias, std) = (Some(scatter.hypot(references)), Some(scatter * n.sqrt()));
            Scores { u_bias, std, n_effective: Some(n), ..Scores::default() }.coverage_factor().unwrap()
        };
        assert!((k(2.0, 0.1, 0.0) - 12.706).abs() < 1e-3);
        assert!((k(5.0, 0.1, 0.0) - 2.776).abs() < 1e-3);
        // u^4 = 4 scatter^4: 4 degrees of freedom
        assert!((k(2.0, 0.1, 0.1) - 2.776).abs() < 1e-3);
        assert!((k(2.0, 0.0, 0.1) - 1.96).abs() < 1e-3);
    }

    /// At a true bias that is exactly what is permitted, a window may say `out_of_tolerance` in 2.5 % of all cases.
    #[test]
    fn few_pairs_blame_no_sensor_that_is_just_within() {
        let mut draws = Seeded::new(5);
        for n in [2, 3, 5, 12] {
            let blamed = (0..4000).filter(|_| {
                let mut window = Window::new(Setup::new(Kind::Measurement));
                for second in 0..n {
                    let time = Timestamp::EPOCH.saturating_add_micros(second * 1_000_000);
                    let facts = Facts::new(time, 21.0 + 0.1 * draws.normal(), 20.0);
                    window.add(&Pair::new(Kind::Measurement, facts).unwrap(), time);
                }
                let scores = window.report(Timestamp::EPOCH, None).calibrated;
                DriftState::of(&scores, Some(1.0), false) == DriftState::OutOfTolerance
            });
            let share = blamed.count() as f64 / 4000.0;
            println!("{n} pairs: {share}");
            assert!((0.01..0.04).contains(&share), "{n} pairs: {share}");
        }
    }

    #[test]
    fn a_state_has_one_name() {
        for state in [DriftState::Ok, DriftState::Drifting, DriftState::OutOfTolerance, DriftState::Unknown] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }
}
