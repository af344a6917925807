//! The alerts as the operator gets them, and what is said of the sensor beside its reference. Pure.

use std::collections::BTreeMap;

use super::voice::Tone;
use crate::domain::alert::{Alert, Kind};
use crate::wire::control::SensorDrift;

/// The alerts that were heard, by id, as they were last.
#[derive(Debug, Default)]
pub struct Alerts {
    known: BTreeMap<String, Alert>,
}

impl Alerts {
    /// Takes an alert; what is to be said if it is new, more urgent or over.
    pub fn take(&mut self, alert: Alert) -> Vec<(Tone, String)> {
        let before = self.known.insert(alert.id.clone(), alert.clone());
        let as_before = before.is_some_and(|before| {
            before.severity == alert.severity && before.cleared.is_some() == alert.cleared.is_some()
        });
        match (as_before, alert.cleared) {
            (true, _) => Vec::new(),
            (false, Some(_)) => vec![(Tone::Good, format!("alert over: {}", alert.cause))],
            (false, None) => raised(&alert),
        }
    }

    /// Whether an alert of a kind stands.
    pub fn stands(&self, kind: Kind) -> bool {
        self.known.values().any(|alert| alert.cause.kind == kind && alert.cleared.is_none())
    }

    /// All that were heard, in the order in which they were raised, a line each.
    pub fn lines(&self) -> Vec<String> {
        let mut all: Vec<&Alert> = self.known.values().collect();
        all.sort_by_key(|alert| alert.raised);
        let line = |alert: &&Alert| {
            let end = if alert.cleared.is_some() { "over" } else { "stands" };
            format!("{:<8}{:<16}{end}", alert.severity.as_str(), alert.cause.to_string())
        };
        all.iter().map(line).collect()
    }
}

fn raised(alert: &Alert) -> Vec<(Tone, String)> {
    let Alert { id, cause, message, remedy, .. } = alert;
    let id = id.get(..8).unwrap_or_default();
    let mut told = vec![(Tone::Warn, format!("alert {id}, {}, {cause}: {message}", alert.severity.as_str()))];
    if let Some(snapshot) = &alert.snapshot {
        let version = snapshot.transform.as_ref().map(|transform| format!("v{}", transform.version));
        let pair = snapshot.pairs.last();
        let pair = pair.map(|pair| format!("last pair {:.2} beside {:.1}", pair.value, pair.reference));
        let parts: Vec<String> = version.into_iter().chain(pair).collect();
        told.push((Tone::Plain, format!("with it: {}; to do: {remedy}", parts.join(", "))));
    }
    told
}

/// What calibd says of a sensor beside its reference, in a sentence; `unit` is that of its values.
pub fn beside(drift: &SensorDrift) -> String {
    let scores = &drift.all.calibrated;
    let unit = drift.unit.as_deref().unwrap_or_default();
    let number =
        |value: Option<f64>| value.map_or_else(|| "unknown".to_owned(), |value| format!("{value:+.2}"));
    let within = scores
        .within_mpe
        .map_or_else(String::new, |share| format!(", {:.0} % within the MPE", 100.0 * share));
    let expanded = scores.expanded().map_or_else(String::new, |expanded| format!(" +- {expanded:.2}"));
    format!(
        "the week beside the reference, by calibd: bias {}{expanded} {unit} of {} pairs{within}: {}",
        number(scores.bias),
        scores.n,
        drift.state.as_str()
    )
}
