//! Identifiers that appear in topics, file names and the command line.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest identifier, in bytes.
pub const MAX_LEN: usize = 64;

/// Says why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an identifier: use 1 to 64 letters, digits, `-` and `_`, the first a letter or digit")]
pub struct IdError(pub String);

fn valid(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=MAX_LEN).contains(&bytes.len())
        && bytes[0].is_ascii_alphanumeric()
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-' || *b == b'_')
}

/// An identifier `[A-Za-z0-9][A-Za-z0-9_-]{0,63}` of a gateway, fleet, source, sink or transform.
///
/// Cheap to clone; an invalid one cannot exist.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(Arc<str>);

/// The identifier of a sensor: a measuring position, not the instrument that happens to sit there.
pub type SensorId = Id;

impl Id {
    /// Checks `text` and makes an identifier of it.
    pub fn new(text: &str) -> Result<Id, IdError> {
        if valid(text) { Ok(Id(Arc::from(text))) } else { Err(IdError(text.chars().take(80).collect())) }
    }

    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Borrow<str> for Id {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Id {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Id, IdError> {
        Id::new(text)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Id, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Id::new(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_topics_can_carry() {
        for good in ["a", "0", "co-1", "gw_0042", &"x".repeat(64)] {
            assert_eq!(Id::new(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn refuses_what_could_escape_a_topic_or_a_path() {
        for bad in ["", "-a", "_a", "..", "a/b", "a b", "ä", "a+", "#", &"x".repeat(65)] {
            assert!(Id::new(bad).is_err(), "{bad}");
        }
    }
}
