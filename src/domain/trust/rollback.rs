//! Where a rollback leads.

use crate::domain::digest::Digest;

/// A change of what is in force at a sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Put {
    /// What came into force.
    pub digest: Digest,
    /// Whether by going back to it.
    pub rolled_back: bool,
}

/// What was in force before the present one, the newest first and each once: each rollback undoes the changes since its target came into
/// force, so that going back twice leads two steps back, not forward again.
///
/// `changes` are those at one sensor, from the oldest.
pub fn earlier(changes: impl IntoIterator<Item = Put>) -> impl Iterator<Item = Digest> {
    let mut steps: Vec<Digest> = Vec::new();
    for put in changes {
        let undone = steps.iter().rposition(|digest| *digest == put.digest).filter(|_| put.rolled_back);
        match undone {
            Some(at) => steps.truncate(at + 1),
            None => steps.push(put.digest),
        }
    }
    let mut told: Vec<Digest> = steps.pop().into_iter().collect();
    let mut behind = Vec::new();
    for digest in steps.into_iter().rev() {
        if !told.contains(&digest) {
            told.push(digest);
            behind.push(digest);
        }
    }
    behind.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behind(changes: &str) -> String {
        // a small letter goes back
        let put = |c: char| Put {
            digest: Digest([c.to_ascii_uppercase() as u8; 32]),
            rolled_back: c.is_ascii_lowercase(),
        };
        earlier(changes.chars().map(put)).map(|digest| char::from(digest.0[0])).collect()
    }

    #[test]
    fn each_rollback_goes_one_step_further_back() {
        for (changes, target) in [
            ("", None),
            ("A", None),
            ("AB", Some('A')),
            ("ABC", Some('B')),
            ("ABCb", Some('A')),
            ("ABCba", None),
            ("ABCa", None),
            ("ABbC", Some('B')),
            ("ABaC", Some('A')),
            // forward again, by name: what was left before is what is behind it
            ("ABac", Some('A')),
            ("ABAb", Some('A')),
            ("Aab", Some('A')),
        ] {
            assert_eq!(behind(changes).chars().next(), target, "{changes}");
        }
    }

    #[test]
    fn what_lies_further_back_is_told_once() {
        for (changes, all) in [("ABCD", "CBA"), ("ABAC", "AB"), ("ABCbD", "BA"), ("AAA", ""), ("ABCa", "")] {
            assert_eq!(behind(changes), all, "{changes}");
        }
    }
}
