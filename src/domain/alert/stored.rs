//! What of the alerts survives a restart.

use serde::{Deserialize, Serialize};

use super::{Alert, Cause, Finding, Kind, MOST_SENSORS, Scope, Silence, Tally};
use crate::domain::id::{Id, SensorId};
use crate::domain::order;
use crate::domain::time::Timestamp;

/// Most pairs of a snapshot.
const MOST_PAIRS: usize = 20;
/// Most statistics of a snapshot.
const MOST_STATISTICS: usize = 32;
/// Longest text, in characters.
const LONGEST: usize = 400;

/// All that the machine keeps. A row of the ledger is an [`Alert`]; this is the rest with it, to be written whenever
/// there were actions. What was lost since then is found again by the next judgement of each sensor.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Stored {
    /// Open alerts, and cleared ones that wait to be acknowledged, in the order in which they were raised.
    pub(super) alerts: Vec<Kept>,
    /// What is found now, by kind and sensor.
    pub(super) conditions: Vec<Condition>,
    pub(super) silences: Vec<Silenced>,
    pub(super) suppressions: Vec<Suppression>,
    pub(super) tally: Tally,
    pub(super) last: Option<Timestamp>,
}

/// An alert, and whether anybody outside has seen it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub alert: Alert,
    pub published: bool,
    /// What is wrong at each of several sensors: how many they are stands before it in the message.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub in_common: String,
}

/// A cause of which nothing is published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Silenced {
    pub cause: Cause,
    pub silence: Silence,
    /// When somebody wanted it so; `None`: that was not kept.
    #[serde(default)]
    pub given: Option<Timestamp>,
}

/// Something that was found of a sensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Condition {
    pub kind: Kind,
    pub sensor: SensorId,
    pub source: Option<Id>,
    pub cohort: Option<String>,
    /// Since when it is found; later, if it was suppressed meanwhile.
    pub since: Timestamp,
    /// Since when it is found no more.
    pub gone: Option<Timestamp>,
    /// The alert that tells of it.
    pub alert: Option<String>,
    pub finding: Finding,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Suppression {
    pub scope: Scope,
    pub reason: String,
    pub kinds: Vec<Kind>,
    pub until: Option<Timestamp>,
    /// When it began; `None`: that was not kept.
    #[serde(default)]
    pub given: Option<Timestamp>,
}

impl Condition {
    /// Lets go of words and snapshot: the alert about several sensors has them, and no other will be raised of this.
    pub(super) fn shorten(&mut self) {
        self.finding.snapshot = None;
        (self.finding.message, self.finding.remedy) = Default::default();
    }
}

impl Suppression {
    pub(super) fn covers(&self, condition: &Condition) -> bool {
        let scope = match &self.scope {
            Scope::All => true,
            Scope::Source(source) => condition.source.as_ref() == Some(source),
            Scope::Sensor(sensor) => condition.sensor == *sensor,
        };
        scope && (self.kinds.is_empty() || self.kinds.contains(&condition.kind))
    }
}

impl Stored {
    /// What can be known from open alerts alone: each is over unless its sensors are found wrong again.
    pub fn of_alerts(alerts: Vec<Alert>) -> Stored {
        let kept = |alert| Kept { alert, published: true, in_common: String::new() };
        Stored { alerts: alerts.into_iter().map(kept).collect(), ..Stored::default() }
    }

    /// The same without what contradicts itself, as after a file was edited by hand.
    pub(super) fn sound(mut self) -> Stored {
        let open: Vec<String> = self.open().map(|alert| alert.id.clone()).collect();
        order::sort_by(&mut self.conditions, |a, b| (a.kind, &a.sensor).cmp(&(b.kind, &b.sensor)));
        self.conditions.dedup_by(|a, b| a.kind == b.kind && a.sensor == b.sensor);
        for condition in &mut self.conditions {
            condition.alert.take_if(|id| !open.contains(id));
        }
        self
    }

    pub(super) fn open(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.iter().map(|kept| &kept.alert).filter(|alert| alert.cleared.is_none())
    }

    pub(super) fn place(&self, kind: Kind, sensor: &SensorId) -> Result<usize, usize> {
        self.conditions.binary_search_by(|it| (it.kind, &it.sensor).cmp(&(kind, sensor)))
    }

    /// Whether an alert tells of a sensor, also where it has too many to name them all.
    pub(super) fn tells_of(&self, alert: &Alert, sensor: &SensorId) -> bool {
        let condition = self.place(alert.cause.kind, sensor).ok().and_then(|at| self.conditions.get(at));
        alert.sensors.contains(sensor) || condition.is_some_and(|it| it.alert.as_ref() == Some(&alert.id))
    }

    /// Whether something stands against a sensor, or did until a moment ago.
    pub(super) fn has(&self, kind: Kind, sensor: &SensorId) -> bool {
        self.place(kind, sensor).is_ok()
    }

    /// What was explained by these has to be found for as long as if it had begun now.
    pub(super) fn explain_no_more(&mut self, ended: &[(Kind, SensorId)], now: Timestamp) {
        for condition in self.conditions.iter_mut().filter(|it| it.alert.is_none()) {
            let by = condition.kind.explained_by();
            if ended.iter().any(|(kind, sensor)| by.contains(kind) && *sensor == condition.sensor) {
                condition.since = condition.since.max(now);
            }
        }
    }

    /// Whether anything is still found of what an alert tells.
    pub(super) fn stands(&self, id: &str) -> bool {
        self.conditions.iter().any(|it| it.alert.as_deref() == Some(id))
    }

    /// The sensors of an alert, those that it names, and how many there are.
    pub(super) fn members(&self, id: &str) -> (Vec<SensorId>, usize) {
        let mut all: Vec<&SensorId> = self
            .conditions
            .iter()
            .filter(|it| it.alert.as_deref() == Some(id) && !it.kind.is_of_the_gateway())
            .map(|it| &it.sensor)
            .collect();
        order::sort(&mut all);
        (all.iter().take(MOST_SENSORS).map(|id| (*id).clone()).collect(), all.len())
    }
}

/// A text that is not too long.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

/// A finding whose texts and snapshot have bounds, and whose numbers are some.
pub(super) fn bounded(mut finding: Finding) -> Finding {
    finding.message = shortened(&finding.message);
    finding.remedy = shortened(&finding.remedy);
    if let Some(snapshot) = &mut finding.snapshot {
        snapshot.pairs.retain(|pair| pair.value.is_finite() && pair.reference.is_finite());
        let first = snapshot.pairs.len().saturating_sub(MOST_PAIRS);
        snapshot.pairs.drain(..first);
        snapshot.statistics.retain(|_, value| value.is_finite());
        while snapshot.statistics.len() > MOST_STATISTICS {
            snapshot.statistics.pop_last();
        }
    }
    finding
}
