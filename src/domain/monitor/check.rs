//! Scheduled checks of a sensor on known inputs, against control limits of their own.
//!
//! A zero or span check compares the mean of its readings with what was offered; a precision check looks at how far the
//! readings of one input scatter. Limits are two: beyond the first it is a warning, beyond the second the sensor is out.

use serde::{Deserialize, Serialize};

use crate::domain::stats::Stats;
use crate::domain::time::Timestamp;

/// Results that are remembered.
const LAST: usize = 12;
/// So many results in a row that all rise, or all fall, are a warning (Nelson 1984, rule 3).
const TREND: usize = 6;

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// The mean on an input of nothing.
    Zero,
    /// The mean on an input near the end of the range.
    Span,
    /// The standard deviation on one input.
    Precision,
}

impl CheckKind {
    /// The kind's name, as in JSON and as a metrics label.
    pub fn as_str(self) -> &'static str {
        ["zero", "span", "precision"][self as usize]
    }
}

/// What a check is held against, in the unit of the readings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ControlLimits {
    kind: CheckKind,
    target: f64,
    warning: f64,
    action: f64,
}

/// Says why numbers are no control limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LimitsError {
    /// A number is NaN or infinite.
    #[error("the target and both limits must be finite numbers")]
    NotFinite,
    /// The limits are not 0 < warning <= action.
    #[error("the warning limit must be above 0 and not above the action limit")]
    Order,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// Inside the limits, without a trend.
    Ok,
    /// Beyond the warning limit, or the last results all went one way.
    Warning,
    /// Beyond the action limit: what was measured since the last good check is in doubt.
    Out,
}

impl CheckState {
    /// The state's name, as in JSON and as a metrics label.
    pub fn as_str(self) -> &'static str {
        ["ok", "warning", "out"][self as usize]
    }
}

impl ControlLimits {
    /// What is checked.
    pub fn kind(&self) -> CheckKind {
        self.kind
    }

    /// Beyond it, it is a warning.
    pub fn warning(&self) -> f64 {
        self.warning
    }

    /// Beyond it, the sensor is out.
    pub fn action(&self) -> f64 {
        self.action
    }

    /// Limits of a check. `target` is what is offered; a precision check has none, and it is not looked at.
    pub fn new(
        kind: CheckKind,
        target: f64,
        warning: f64,
        action: f64,
    ) -> Result<ControlLimits, LimitsError> {
        if ![target, warning, action].iter().all(|number| number.is_finite()) {
            return Err(LimitsError::NotFinite);
        }
        if !(0.0 < warning && warning <= action) {
            return Err(LimitsError::Order);
        }
        Ok(ControlLimits { kind, target, warning, action })
    }

    /// The deviation that the readings of one check show: their mean minus the target, or their standard
    /// deviation (n - 1). `None` for no readings, or one where the standard deviation is asked for.
    pub fn deviation(&self, readings: &Stats) -> Option<f64> {
        match self.kind {
            CheckKind::Precision => readings.std(),
            CheckKind::Zero | CheckKind::Span => (readings.n > 0).then_some(readings.mean - self.target),
        }
    }

    fn state(&self, deviation: f64) -> CheckState {
        match deviation.abs() {
            size if size > self.action => CheckState::Out,
            size if size > self.warning => CheckState::Warning,
            _ => CheckState::Ok,
        }
    }
}

/// The result of one check.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    /// When it was made.
    pub time: Timestamp,
    /// As [`ControlLimits::deviation`] gives it; finite.
    pub deviation: f64,
}

/// The last results of one check.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CheckHistory {
    results: Vec<CheckResult>,
}

impl CheckHistory {
    /// Adds a result and says how the check came out; one that is not later than the last is judged by itself, and
    /// not remembered.
    pub fn note(&mut self, result: CheckResult, limits: &ControlLimits) -> CheckState {
        let state = limits.state(result.deviation);
        if self.results.last().is_some_and(|last| result.time <= last.time) {
            return state;
        }
        if self.results.len() == LAST {
            self.results.remove(0);
        }
        self.results.push(result);
        if self.goes_one_way() { state.max(CheckState::Warning) } else { state }
    }

    fn goes_one_way(&self) -> bool {
        let Some(from) = self.results.len().checked_sub(TREND) else { return false };
        let last = &self.results[from..];
        let all = |goes: fn(f64, f64) -> bool| last.windows(2).all(|w| goes(w[0].deviation, w[1].deviation));
        all(|one, next| next > one) || all(|one, next| next < one)
    }

    /// The remembered results, the oldest first: at most 12.
    pub fn results(&self) -> &[CheckResult] {
        &self.results
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(kind: CheckKind) -> ControlLimits {
        ControlLimits::new(kind, 10.0, 1.0, 2.0).unwrap()
    }

    fn result(day: i64, deviation: f64) -> CheckResult {
        CheckResult { time: Timestamp::EPOCH.saturating_add_micros(day * 86_400_000_000), deviation }
    }

    fn states(deviations: &[f64]) -> Vec<CheckState> {
        let mut history = CheckHistory::default();
        let note = |(day, deviation): (usize, &f64)| {
            history.note(result(day as i64, *deviation), &limits(CheckKind::Zero))
        };
        deviations.iter().enumerate().map(note).collect()
    }

    #[test]
    fn limits_that_are_none_are_refused() {
        let new = |target, warning, action| ControlLimits::new(CheckKind::Zero, target, warning, action);
        assert_eq!(new(f64::NAN, 1.0, 2.0), Err(LimitsError::NotFinite));
        for (warning, action) in [(0.0, 1.0), (2.0, 1.0), (-1.0, 1.0)] {
            assert_eq!(new(0.0, warning, action), Err(LimitsError::Order));
        }
        assert!(new(0.0, 1.0, 1.0).is_ok());
    }

    #[test]
    fn means_are_held_against_the_target_and_scatter_against_nothing() {
        let mut readings = Stats::default();
        assert_eq!(limits(CheckKind::Span).deviation(&readings), None);
        [11.0, 12.0, 13.0].into_iter().for_each(|value| readings.push(value));
        assert_eq!(limits(CheckKind::Span).deviation(&readings), Some(2.0));
        assert_eq!(limits(CheckKind::Precision).deviation(&readings), Some(1.0));
    }

    #[test]
    fn states_follow_the_limits_and_the_last_results() {
        use CheckState::{Ok, Out, Warning};
        assert_eq!(states(&[0.0, 1.0, -1.1, 2.0, -2.1]), [Ok, Ok, Warning, Warning, Out]);
        let rising = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.4];
        assert_eq!(states(&rising), [Ok, Ok, Ok, Ok, Ok, Warning, Ok]);
    }

    #[test]
    fn results_are_bounded_and_late_ones_are_judged_only() {
        let mut history = CheckHistory::default();
        for day in 0..20 {
            history.note(result(day, 0.0), &limits(CheckKind::Zero));
        }
        assert_eq!(history.note(result(3, 5.0), &limits(CheckKind::Zero)), CheckState::Out);
        assert_eq!((history.results().len(), history.results()[0]), (LAST, result(8, 0.0)));
        let text = serde_json::to_string(&history).unwrap();
        assert_eq!(serde_json::from_str::<CheckHistory>(&text).unwrap(), history);
    }
}
