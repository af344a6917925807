//! `[alerts]`: when findings about sensors become alerts.

use std::time::Duration;

use super::reader::Section;
use crate::domain::alert::{Kind, Policy, Timing};

const YEAR: Duration = Duration::from_secs(366 * 86_400);

/// Reads `[alerts]`. Its times are for the kinds that have none of their own; `[alerts.<kind>]` gives a kind its own.
pub fn read_alerts(root: &mut Section<'_>) -> Policy {
    let mut policy = Policy::default();
    let Some(mut alerts) = root.table("alerts") else { return policy };
    policy.timing = read_timing(&mut alerts, policy.timing);
    if let Some(from) = alerts.integer("group_from", 2..=1_000_000) {
        policy.group_from = usize::try_from(from).unwrap_or(usize::MAX);
    }
    policy.settling = micros(&mut alerts, "settling", policy.settling);
    for kind in Kind::ALL {
        if let Some(mut table) = alerts.table(kind.as_str()) {
            let usual = policy.of(kind);
            policy.of_kind.insert(kind, read_timing(&mut table, usual));
        }
    }
    policy
}

fn read_timing(section: &mut Section<'_>, usual: Timing) -> Timing {
    Timing {
        raise_after: micros(section, "raise_after", usual.raise_after),
        clear_after: micros(section, "clear_after", usual.clear_after),
        group_within: micros(section, "group_within", usual.group_within),
    }
}

fn micros(section: &mut Section<'_>, key: &str, usual: i64) -> i64 {
    let given = section.duration(key, Duration::ZERO..=YEAR);
    given.and_then(|given| i64::try_from(given.as_micros()).ok()).unwrap_or(usual)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::reader::read_str;

    fn read(text: &str) -> (Policy, Vec<String>) {
        let (policy, faults) = read_str("a.toml", text, read_alerts);
        (policy, faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn kinds_have_their_own_times_or_those_of_all() {
        assert_eq!(read(""), (Policy::default(), vec![]));
        let text = "[alerts]\nraise_after = \"5m\"\ngroup_from = 4\nsettling = \"0s\"\n[alerts.silent]\nclear_after = \"0s\"\n\
                    [alerts.rate]\ngroup_within = \"1h\"\n";
        let (policy, faults) = read(text);
        assert_eq!(faults, [""; 0]);
        let (minute, hour) = (60_000_000, 3_600_000_000);
        let all = Timing { raise_after: 5 * minute, clear_after: 15 * minute, group_within: 10 * minute };
        assert_eq!((policy.timing, policy.group_from, policy.settling), (all, 4, 0));
        assert_eq!(policy.of(Kind::Stuck), all);
        assert_eq!(policy.of(Kind::Rate), Timing { group_within: hour, ..all });
        assert_eq!((policy.of(Kind::Silent).raise_after, policy.of(Kind::Silent).clear_after), (minute, 0));
        assert_eq!(policy.of(Kind::Drift), Policy::default().of(Kind::Drift));
        for text in [
            "[alerts]\ngroup_from = 1",
            "[alerts.woe]\nraise_after = \"1m\"",
            "[alerts.drift]\nclear_after = 5",
        ] {
            assert_eq!(read(text).1.len(), 1, "{text}: {:?}", read(text).1);
        }
    }
}
