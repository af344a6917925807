//! `[rollout]`: what this gateway wants of every transform that is tried before it is in force for good.

use std::time::Duration;

use super::reader::Section;
use crate::domain::rollout::limits::Limits;
use crate::domain::rollout::plan::{Policy, WithoutReferences};

const YEAR: Duration = Duration::from_secs(366 * 86_400);
const SECOND: Duration = Duration::from_secs(1);
const LARGEST: f64 = 1e12;

const WITHOUT: [(&str, WithoutReferences); 3] = [
    ("extend", WithoutReferences::Extend),
    ("refuse", WithoutReferences::Refuse),
    ("sanity_only", WithoutReferences::SanityOnly),
];

/// Reads `[rollout]`. Of what an artifact says too, the stricter counts.
pub fn read_rollout(root: &mut Section<'_>) -> Policy {
    let usual = Policy::default();
    let Some(mut section) = root.table("rollout") else { return usual };
    let limits = Limits {
        min_pairs: pairs(&mut section).unwrap_or(usual.limits.min_pairs),
        max_rmse_ratio: section.float("max_rmse_ratio", 0.01..=100.0).or(usual.limits.max_rmse_ratio),
        max_bias: section.float("max_bias", 1e-12..=LARGEST).or(usual.limits.max_bias),
        min_coverage: section.float("min_coverage", 0.01..=0.99).or(usual.limits.min_coverage),
        max_step: section.float("max_step", 1e-12..=LARGEST).or(usual.limits.max_step),
    };
    let bake = micros(&mut section, "bake").unwrap_or(usual.bake);
    let longest = micros(&mut section, "longest").unwrap_or(usual.longest);
    if longest < bake {
        section.fault(
            "longest",
            "is shorter than `bake`, so every candidate would be refused before it is judged",
            "give at least as long as `bake`",
        );
    }
    let without = section.choice("without_references", &WITHOUT).unwrap_or(usual.without_references);
    Policy { limits, bake, longest, without_references: without, when_invalid: usual.when_invalid }
}

fn pairs(section: &mut Section<'_>) -> Option<u64> {
    section.integer("min_pairs", 8..=100_000).and_then(|pairs| u64::try_from(pairs).ok())
}

fn micros(section: &mut Section<'_>, key: &str) -> Option<i64> {
    let given = section.duration(key, SECOND..=YEAR)?;
    i64::try_from(given.as_micros()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::reader::read_str;

    #[test]
    fn what_is_not_said_is_as_usual() {
        let (policy, faults) = read_str("a.toml", "", read_rollout);
        assert_eq!((policy, faults.len()), (Policy::default(), 0));
        let text = "[rollout]\nbake = \"2h\"\nwithout_references = \"sanity_only\"\nmax_bias = 0.5\nmin_pairs = 20\n";
        let (policy, faults) = read_str("a.toml", text, read_rollout);
        assert!(faults.is_empty(), "{faults:?}");
        assert_eq!(policy.bake, 7_200_000_000);
        assert_eq!(policy.without_references, WithoutReferences::SanityOnly);
        assert_eq!((policy.limits.max_bias, policy.limits.min_pairs), (Some(0.5), 20));
        assert_eq!(policy.limits.max_rmse_ratio, Some(1.1));
    }

    #[test]
    fn what_cannot_be_is_a_fault() {
        for text in [
            "[rollout]\nbake = \"2d\"\nlongest = \"1d\"",
            "[rollout]\nmin_pairs = 3",
            "[rollout]\nmin_coverage = 1.0",
            "[rollout]\nwithout_references = \"hope\"",
            "[rollout]\nmax_step = 0.0",
        ] {
            let (_, faults) = read_str("a.toml", text, read_rollout);
            assert_eq!(faults.len(), 1, "{text}: {faults:?}");
        }
    }
}
