//! How a sensor stands to its references, in a word.

use serde::{Deserialize, Serialize};

use super::window::Scores;

/// The coverage factor of the interval that the bias is judged by: about 95 % (GUM 6.2, 6.3).
pub const K: f64 = 2.0;

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
    /// Judges the bias of a window with its expanded uncertainty against the maximum permissible error, with a
    /// guard band on either side (ILAC-G8:09/2019, 4.2.2): what is beyond is so for certain, what is within, too.
    /// `excursion` says that a detector has found a change that still stands.
    pub fn of(scores: &Scores, mpe: Option<f64>, excursion: bool) -> DriftState {
        let judged = Option::zip(scores.bias, scores.u_bias).zip(mpe);
        let beyond = judged.is_some_and(|((bias, u), mpe)| bias.abs() - K * u > mpe);
        let within = judged.is_some_and(|((bias, u), mpe)| bias.abs() + K * u <= mpe);
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

    #[test]
    fn the_bias_is_judged_with_its_uncertainty_on_both_sides() {
        let scores = |bias, u_bias| Scores { bias: Some(bias), u_bias: Some(u_bias), ..Scores::default() };
        for (bias, u, mpe, excursion, state) in [
            (0.2, 0.1, Some(0.5), false, DriftState::Ok),
            (-0.2, 0.1, Some(0.5), true, DriftState::Drifting),
            (0.4, 0.1, Some(0.5), false, DriftState::Unknown),
            (-0.8, 0.1, Some(0.5), false, DriftState::OutOfTolerance),
            (-0.8, 0.1, Some(0.5), true, DriftState::OutOfTolerance),
            (0.2, 0.1, None, false, DriftState::Unknown),
            (0.2, 0.1, None, true, DriftState::Drifting),
        ] {
            assert_eq!(
                DriftState::of(&scores(bias, u), mpe, excursion),
                state,
                "{bias} {u} {mpe:?} {excursion}"
            );
        }
        assert_eq!(DriftState::of(&Scores::default(), Some(0.5), false), DriftState::Unknown);
    }

    #[test]
    fn a_state_has_one_name() {
        for state in [DriftState::Ok, DriftState::Drifting, DriftState::OutOfTolerance, DriftState::Unknown] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }
}
