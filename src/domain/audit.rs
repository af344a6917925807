//! The audit chain: who did what, each row bound to the one before it by SHA-256.

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::time::Timestamp;

/// The hash before the first row: 32 zero bytes.
pub const START: Digest = Digest([0; 32]);

/// One row of the audit chain. The order of the fields is the order of the canonical bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// Counts the rows, from 1.
    pub seq: u64,
    /// When, by the gateway's clock (which may have been wrong).
    pub time: Timestamp,
    /// Who: `calibd`, a key, a user of the control socket.
    pub actor: String,
    /// What, for example `transform.activated`.
    pub action: String,
    /// What it was done to, for example a sensor.
    pub subject: String,
    /// More, as text or as JSON in a text.
    pub detail: String,
}

/// Says where a chain is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// A row is missing, or the rows are out of order.
    #[error("audit row {expected} is missing: the next stored one is {found}")]
    Missing {
        /// The number that should have come.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// A row does not follow from the one before it.
    #[error("audit row {0} does not continue the chain: a row before it was changed or removed")]
    Unchained(u64),
    /// A row's content is not what was hashed.
    #[error("audit row {0} was changed after it was written")]
    Changed(u64),
}

impl AuditRow {
    /// The row as it is hashed: UTF-8 JSON without spaces, keys in the order of the fields.
    pub fn canonical(&self) -> Vec<u8> {
        // Strings and an integer always serialise; an empty text would show as a changed row.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// SHA-256 of the hash before and the canonical bytes.
    pub fn hash(&self, before: &Digest) -> Digest {
        Digest::of(&[&before.0, &self.canonical()])
    }
}

/// Checks a chain row by row, from the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// How many rows were checked.
    pub rows: u64,
    /// The hash of the last one.
    pub head: Digest,
}

impl Default for Chain {
    fn default() -> Self {
        Chain { rows: 0, head: START }
    }
}

impl Chain {
    /// Checks that `row` with its stored hashes continues the chain.
    pub fn push(&mut self, row: &AuditRow, before: &Digest, hash: &Digest) -> Result<(), ChainError> {
        let expected = self.rows + 1;
        if row.seq != expected {
            return Err(ChainError::Missing { expected, found: row.seq });
        }
        if *before != self.head {
            return Err(ChainError::Unchained(row.seq));
        }
        if row.hash(before) != *hash {
            return Err(ChainError::Changed(row.seq));
        }
        self.rows = expected;
        self.head = *hash;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(seq: u64) -> AuditRow {
        AuditRow {
            seq,
            time: Timestamp::EPOCH,
            actor: "calibd".into(),
            action: "start".into(),
            subject: "gw \"1\"".into(),
            detail: r#"{"a":1}"#.into(),
        }
    }

    #[test]
    fn canonical_bytes_are_as_documented() {
        let text = concat!(
            r#"{"seq":1,"time":"1970-01-01T00:00:00.000000Z","actor":"calibd","action":"start","#,
            r#""subject":"gw \"1\"","detail":"{\"a\":1}"}"#
        );
        assert_eq!(row(1).canonical(), text.as_bytes());
        assert_eq!(row(1).hash(&START), Digest::of(&[&[0u8; 32], text.as_bytes()]));
    }

    #[test]
    fn a_changed_a_missing_and_a_foreign_row_are_told_apart() {
        let first = row(1).hash(&START);
        let second = row(2).hash(&first);
        let mut chain = Chain::default();
        chain.push(&row(1), &START, &first).unwrap();
        let changed = AuditRow { detail: "{}".into(), ..row(2) };
        assert_eq!(chain.clone().push(&changed, &first, &second), Err(ChainError::Changed(2)));
        assert_eq!(
            chain.clone().push(&row(3), &first, &second),
            Err(ChainError::Missing { expected: 2, found: 3 })
        );
        assert_eq!(chain.clone().push(&row(2), &START, &second), Err(ChainError::Unchained(2)));
        chain.push(&row(2), &first, &second).unwrap();
        assert_eq!((chain.rows, chain.head), (2, second));
    }
}
