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

/// What was in force before the present one: each rollback undoes the changes since its target came into
/// force, so that going back twice leads two steps back, not forward again.
///
/// `changes` are those at one sensor, from the oldest.
pub fn previous(changes: impl IntoIterator<Item = Put>) -> Option<Digest> {
    let mut steps: Vec<Digest> = Vec::new();
    for put in changes {
        let undone = steps.iter().rposition(|digest| *digest == put.digest).filter(|_| put.rolled_back);
        match undone {
            Some(at) => steps.truncate(at + 1),
            None => steps.push(put.digest),
        }
    }
    let present = steps.pop()?;
    steps.into_iter().rev().find(|digest| *digest != present)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leads(changes: &str) -> Option<char> {
        // a small letter goes back
        let put = |c: char| Put {
            digest: Digest([c.to_ascii_uppercase() as u8; 32]),
            rolled_back: c.is_ascii_lowercase(),
        };
        previous(changes.chars().map(put)).map(|digest| char::from(digest.0[0]))
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
            assert_eq!(leads(changes), target, "{changes}");
        }
    }
}
