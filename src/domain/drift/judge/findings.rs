//! What is judged, in sentences.

use std::collections::BTreeMap;

use super::{Judge, Terms};
use crate::domain::alert::{Finding, Kind, Severity, Snapshot};
use crate::domain::drift::detector::Alarm;
use crate::domain::drift::window::Report;
use crate::domain::monitor::finding::shown;
use crate::domain::time::Timestamp;

/// A crossing of the maximum permissible error is told of when it is as likely as not within so many days, ...
const LEAD: f64 = 30.0;
/// ... and not any more when that takes so many times as long.
const ROOM: f64 = 1.5;

/// What was looked for, and what was found; `None`: nothing is the matter.
pub type Judgement = (Kind, Option<Finding>);

/// What is known beside the pairs themselves.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// What the window says of all pairs.
    pub report: &'a Report,
    /// The unit of the values.
    pub unit: &'a str,
    /// When the transform came into force.
    pub calibrated: Option<Timestamp>,
}

impl Judge {
    /// Judges everything, found or not.
    pub fn judge(&mut self, terms: &Terms, seen: Seen<'_>, now: Timestamp) -> Vec<Judgement> {
        vec![
            (Kind::Drift, self.drift(&seen)),
            (Kind::Slo, self.slo(terms, &seen, now)),
            (Kind::Forecast, self.near(terms, &seen, now)),
            (Kind::StandardOverdue, self.standard()),
        ]
    }

    fn drift(&self, seen: &Seen<'_>) -> Option<Finding> {
        let detection = self.detection();
        let (alarm, since) = (detection.alarm?, detection.since?);
        let way = if alarm == Alarm::Down { "fell" } else { "rose" };
        let unit = spaced(seen.unit);
        let usual = detection.usual_bias.map(shown).unwrap_or_default();
        let now = seen.report.calibrated.bias;
        let now =
            now.map_or_else(String::new, |bias| format!(", over the window it is {}{unit}", shown(bias)));
        let message = format!(
            "no longer agrees with its references as it did: its mean error {way} at about {since}; \
             it was {usual}{unit} over {} pairs{now}",
            detection.learnt
        );
        let remedy =
            "look at the sensor and at its reference; if the reference is right, calibrate the sensor anew";
        let numbers = [
            ("usual_bias", detection.usual_bias),
            ("usual_std", detection.usual_std),
            ("autocorrelation", detection.autocorrelation),
            ("ratio", detection.ratio),
        ];
        Some(self.found(Severity::Ticket, message, remedy.to_owned(), seen, &numbers))
    }

    fn slo(&mut self, terms: &Terms, seen: &Seen<'_>, now: Timestamp) -> Option<Finding> {
        let burn = self.burn(terms, now)?;
        let severity = burn.severity?;
        let out = 100.0 * burn.out as f64 / burn.pairs.max(1) as f64;
        let allowed = 100.0 * (1.0 - terms.objective.share());
        let message = format!(
            "{} of its last {} pairs ({out:.1} %) are beyond the maximum permissible error, where {allowed:.1} % are \
             allowed: that is used up {} times as fast as it may be",
            burn.out,
            burn.pairs,
            shown(burn.long.unwrap_or_default())
        );
        let remedy = "calibrate the sensor anew, or replace it; until then its values are not within what was promised";
        let numbers = [("burn_long", burn.long), ("burn_short", burn.short)];
        Some(self.found(severity, message, remedy.to_owned(), seen, &numbers))
    }

    fn near(&mut self, terms: &Terms, seen: &Seen<'_>, now: Timestamp) -> Option<Finding> {
        // What was foretold comes nearer by itself.
        let made = self.forecast.as_ref()?;
        let gone = now.micros_since(made.as_of).max(0) as f64 / 86_400e6;
        let left = |days: f64| (days - gone).max(0.0);
        let [early, median, _] = made.forecast.days_to_mpe;
        let due = self.due(terms, seen.calibrated).map(|due| due.micros_since(now) as f64 / 86_400e6);
        let lead = due.map_or(LEAD, |due| due.max(LEAD)) * if self.nears { ROOM } else { 1.0 };
        self.nears = median.is_some_and(|median| left(median) < lead);
        let (median, made) = (median.filter(|_| self.nears)?, self.forecast.as_ref()?);
        let unit = spaced(seen.unit);
        let (bias, mpe) = (shown(made.forecast.bias), shown(made.forecast.mpe));
        let message = if made.forecast.bias.abs() >= made.forecast.mpe {
            format!("its mean error is {bias}{unit}, beyond the maximum permissible error of {mpe}{unit}")
        } else {
            format!(
                "its mean error is {bias}{unit} and will be beyond {mpe}{unit}, what is permitted, in {:.0} days as likely as not",
                left(median)
            )
        };
        let remedy = match early.map(left) {
            Some(days) if days >= 1.0 => {
                format!("calibrate the sensor within {days:.0} days: with 95 % it is good until then")
            }
            _ => "calibrate the sensor".to_owned(),
        };
        let numbers = [("days_to_mpe_p5", early.map(left)), ("days_to_mpe_p50", Some(left(median)))];
        Some(self.found(Severity::Ticket, message, remedy, seen, &numbers))
    }

    fn standard(&self) -> Option<Finding> {
        let standard = self.overdue.as_ref()?;
        let name = standard.as_ref().map_or_else(String::new, |id| format!(" `{id}`"));
        Some(Finding {
            severity: Severity::Ticket,
            message: format!(
                "the reference standard{name} that it is compared with is overdue for its own calibration"
            ),
            remedy: "have the standard calibrated and enter its certificate with `calibctl standard add`"
                .to_owned(),
            snapshot: None,
        })
    }

    fn found(
        &self,
        severity: Severity,
        message: String,
        remedy: String,
        seen: &Seen<'_>,
        numbers: &[(&str, Option<f64>)],
    ) -> Finding {
        let scores = &seen.report.calibrated;
        let of_window = [
            ("n", Some(scores.n as f64)),
            ("bias", scores.bias),
            ("u_bias", scores.u_bias),
            ("rmse", scores.rmse),
            ("std", scores.std),
            ("en_within_1", scores.en_within_1),
            ("within_mpe", scores.within_mpe),
            ("ece", scores.ece),
            ("brier", scores.brier),
        ];
        let all = of_window.iter().chain(numbers);
        let mut statistics = BTreeMap::new();
        statistics.extend(all.filter_map(|(name, value)| Some(((*name).to_owned(), (*value)?))));
        let snapshot = Snapshot {
            transform: self.transform.clone(),
            window: Some(seen.report.window),
            statistics,
            pairs: self.shown.iter().copied().collect(),
        };
        Finding { severity, message, remedy, snapshot: Some(snapshot) }
    }
}

/// A unit behind a number; that of a pure number is not written.
fn spaced(unit: &str) -> String {
    if unit.is_empty() || unit == "1" { String::new() } else { format!(" {unit}") }
}
