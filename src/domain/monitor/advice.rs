//! What a finding is as an alert: how urgent it is, and what to do about it.

use super::finding::{Evidence, Finding, Kind};
use crate::domain::alert::{self, Active, Severity, Snapshot};
use crate::domain::id::SensorId;
use crate::domain::time::Timestamp;

impl Kind {
    /// The kind of the alert that tells of it: noise is one, whether it collapsed or exploded.
    pub fn alert(self) -> alert::Kind {
        match self {
            Kind::Stuck => alert::Kind::Stuck,
            Kind::NoiseLow | Kind::NoiseHigh => alert::Kind::Noise,
            Kind::Spikes => alert::Kind::Spikes,
            Kind::Rate => alert::Kind::Rate,
            Kind::OutOfDomain => alert::Kind::OutOfDomain,
            Kind::Silent => alert::Kind::Silent,
            Kind::Peers => alert::Kind::Peers,
        }
    }

    /// What is not measured now is lost for ever: that is a page. Whatever still moves can wait for a working day.
    fn severity(self) -> Severity {
        match self {
            Kind::Stuck | Kind::Silent => Severity::Page,
            _ => Severity::Ticket,
        }
    }

    fn remedy(self) -> &'static str {
        match self {
            Kind::Stuck => {
                "look at the instrument and what reads it: one of them repeats its last value; power it off and \
                 on, and replace it if it stays"
            }
            Kind::NoiseLow => {
                "offer it another known input: a blocked inlet, a dead sensing element or a filter in the instrument \
                 takes the noise away"
            }
            Kind::NoiseHigh => {
                "look for loose contacts, interference on the cable and a weak supply; replace the sensing \
                 element if it stays"
            }
            Kind::Spikes => "look for loose contacts, and for what is switched near the cable when they come",
            Kind::Rate => {
                "look for loose contacts, and check it on a known input; raise monitor.rate if the process is that fast"
            }
            Kind::OutOfDomain => {
                "calibrate it over the range that it is used in, or find out why it left the calibrated one"
            }
            Kind::Silent => {
                "look at the instrument, its supply and its cable; `calibctl source test` shows what its source reads"
            }
            Kind::Peers => {
                "check it and the sensors beside it on a known input, and calibrate the one that is off"
            }
        }
    }
}

/// A time to the second.
fn second(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{} {}Z", &text[..10], &text[11..19])
}

/// The numbers of an evidence, by name.
fn statistics(evidence: &Evidence) -> std::collections::BTreeMap<String, f64> {
    // Numbers and a name always serialise.
    let fields = serde_json::to_value(evidence).unwrap_or_default();
    let number = |(name, value): (&String, &serde_json::Value)| Some((name.clone(), value.as_f64()?));
    let mut statistics = std::collections::BTreeMap::new();
    statistics.extend(fields.as_object().into_iter().flatten().filter_map(number));
    statistics
}

impl Finding {
    /// What stands against `sensor` now, for the alerts; `transform` is in force there.
    pub fn to_alert(&self, sensor: &SensorId, transform: Option<Active>, now: Timestamp) -> alert::Finding {
        let kind = self.evidence.kind();
        alert::Finding {
            severity: kind.severity(),
            message: format!("{sensor} {}, since {}", self.sentence(), second(self.since)),
            remedy: kind.remedy().to_owned(),
            snapshot: Some(self.snapshot(transform, now)),
        }
    }

    /// What is missing where `sensor` is compared with `reference`, against which this stands.
    pub fn of_reference(
        &self,
        sensor: &SensorId,
        reference: &SensorId,
        transform: Option<Active>,
        now: Timestamp,
    ) -> alert::Finding {
        let (sentence, since) = (self.sentence(), second(self.since));
        alert::Finding {
            severity: Severity::Ticket,
            message: format!("{sensor} is compared with {reference}, which {sentence}, since {since}"),
            remedy: format!(
                "repair {reference}: until then nobody knows whether {sensor} drifts; `calibctl reference add` \
                 takes readings of another instrument"
            ),
            snapshot: Some(self.snapshot(transform, now)),
        }
    }

    fn snapshot(&self, transform: Option<Active>, now: Timestamp) -> Snapshot {
        let window = Some([self.since, now.max(self.since)]);
        Snapshot { transform, window, statistics: statistics(&self.evidence), pairs: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::Id;

    const NOW: i64 = 1_764_000_000_000_000;

    fn finding(evidence: Evidence) -> (Finding, Timestamp) {
        let now = Timestamp::from_micros(NOW).unwrap();
        (Finding { since: now.saturating_add_micros(-51_000_000), evidence }, now)
    }

    #[test]
    fn an_alert_says_what_since_when_and_what_to_do() {
        let (found, now) = finding(Evidence::Silent { seconds: 51.0, allowed: 50.0 });
        let alert = found.to_alert(&Id::new("co-1").unwrap(), None, now);
        let message = "co-1 has been silent for 51.0 s, where 50.0 s is allowed, since 2025-11-24 15:59:09Z";
        assert_eq!((alert.severity, alert.message.as_str()), (Severity::Page, message));
        let snapshot = alert.snapshot.unwrap();
        assert_eq!(snapshot.window, Some([found.since, now]));
        let statistics: Vec<_> =
            snapshot.statistics.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        assert_eq!(statistics, [("allowed", 50.0), ("seconds", 51.0)]);
    }

    #[test]
    fn every_kind_has_an_alert_with_a_remedy_and_noise_is_one() {
        let kinds: std::collections::BTreeSet<_> = Kind::ALL.map(Kind::alert).into();
        assert_eq!(kinds.len(), Kind::ALL.len() - 1);
        let remedies: std::collections::BTreeSet<_> = Kind::ALL.map(Kind::remedy).into();
        assert_eq!(remedies.len(), Kind::ALL.len());
    }

    #[test]
    fn whoever_is_compared_with_it_is_told_of_a_reference() {
        let (found, now) = finding(Evidence::Stuck { value: 5.0, readings: 30, seconds: 30.0 });
        let ids = ["co-1", "co-ref"].map(|name| Id::new(name).unwrap());
        let alert = found.of_reference(&ids[0], &ids[1], None, now);
        assert!(
            alert.message.starts_with("co-1 is compared with co-ref, which has given 5 30 times"),
            "{}",
            alert.message
        );
        assert_eq!(alert.severity, Severity::Ticket);
    }
}
