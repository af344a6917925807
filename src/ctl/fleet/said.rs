//! What gateways say, as far as it is shown: read leniently, for other versions say more, and kept small.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::domain::alert::Severity;
use crate::domain::digest::Digest;
use crate::domain::drift::state::DriftState;
use crate::domain::id::Id;
use crate::domain::time::Timestamp;
use crate::domain::trust::reason::Reason;
use crate::wire::message::{Ack, Verdict};

/// Characters that are kept of a text.
const LONGEST: usize = 300;

/// A text from outside: without what could move a terminal's cursor, and not too long.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Text(Box<str>);

impl Text {
    /// Cleans a text.
    pub fn new(text: &str) -> Text {
        let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
        Text(text.chars().take(LONGEST).map(clean).collect())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer).map(|text| Text::new(&text))
    }
}

/// `status`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct Status {
    /// Whether it is connected; false is its last will too.
    pub online: bool,
    /// The program's version.
    pub version: Option<Text>,
    /// How far its clock can be believed.
    pub clock: Option<Text>,
    /// The trust root that it has.
    pub root_version: Option<u64>,
}

/// What was seen of a transform on trial, beside the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Gate {
    /// Pairs.
    pub pairs: u64,
    /// Root mean squared error.
    pub rmse: Option<f64>,
    /// That of the transform beside it.
    pub rmse_beside: Option<f64>,
    /// Mean error.
    pub bias: Option<f64>,
}

/// A transform at a sensor.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct Held {
    /// Its id.
    pub id: Id,
    /// Its version.
    pub version: u64,
    /// Its digest.
    pub digest: Digest,
    /// How far it has come; null of one in force for good.
    #[serde(default)]
    pub stage: Option<Text>,
    /// Since when it is in force.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// How long it is watched.
    #[serde(default)]
    pub bake_until: Option<Timestamp>,
    /// What was seen of it meanwhile.
    #[serde(default)]
    pub gate: Option<Gate>,
}

/// How a sensor stands to its references.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct Drift {
    /// In a word.
    pub state: DriftState,
    /// Mean error.
    pub bias: Option<f64>,
    /// Its standard uncertainty.
    pub u_bias: Option<f64>,
    /// What is permitted.
    pub mpe: Option<f64>,
    /// Days until it is beyond that, with 5, 50 and 95 %.
    #[serde(default)]
    pub days_to_mpe: Option<[Option<f64>; 3]>,
}

/// What became of an artifact.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// What.
    pub verdict: Verdict,
    /// The reason code of a refusal.
    pub reason: Option<Text>,
    /// A sentence.
    pub message: Text,
    /// How far it has come.
    pub stage: Option<Text>,
    /// The artifact's id.
    pub id: Text,
    /// Its version.
    pub version: Option<u64>,
    /// Its digest.
    pub digest: Option<Digest>,
}

impl Answer {
    /// The reason of a refusal, if it is one that is known here.
    pub fn code(&self) -> Option<Reason> {
        Reason::parse(self.reason.as_ref()?.as_str())
    }
}

impl From<Ack> for Answer {
    fn from(ack: Ack) -> Answer {
        let text = |text: Option<std::borrow::Cow<'static, str>>| text.map(|text| Text::new(&text));
        Answer {
            verdict: ack.verdict,
            reason: text(ack.reason),
            message: Text::new(&ack.message),
            stage: text(ack.stage),
            id: Text::new(&ack.id),
            version: ack.version,
            digest: ack.digest,
        }
    }
}

/// `reply`: what became of a command.
#[derive(Debug, Clone, Deserialize)]
pub struct Reply {
    digest: Option<Digest>,
    command: Option<Text>,
    serial: Option<u64>,
    verdict: Verdict,
    #[serde(default)]
    reason: Option<Text>,
    message: Text,
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Answer {
        let Reply { digest, command, serial, verdict, reason, message } = reply;
        let id = command.unwrap_or_else(|| Text::new("command"));
        Answer { verdict, reason, message, stage: None, id, version: serial, digest }
    }
}

/// `reported`
#[derive(Debug, Clone, Deserialize)]
pub struct Reported {
    /// The sensor.
    pub sensor: Id,
    /// What is in force.
    pub active: Option<Held>,
    /// What may come into force.
    #[serde(default)]
    pub candidate: Option<Held>,
    /// How it stands to its references.
    #[serde(default)]
    pub drift: Option<Drift>,
    /// The last verdicts.
    #[serde(default)]
    pub verdicts: Vec<Ack>,
}

/// Scores of a window.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
pub struct Scores {
    /// Pairs.
    pub n: u64,
    /// Mean error.
    pub bias: Option<f64>,
    /// Root mean squared error.
    pub rmse: Option<f64>,
}

/// `metrics`
#[derive(Debug, Clone, Deserialize)]
pub struct Metrics {
    /// The sensor.
    pub sensor: Id,
    /// Scores of its calibrated values.
    pub calibrated: Scores,
}

/// `alert`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct Alert {
    /// How urgent it is.
    pub severity: Severity,
    /// Why.
    pub cause: Text,
    /// The sensors.
    #[serde(default)]
    pub sensors: Vec<Id>,
    /// When it was over.
    pub cleared: Option<Timestamp>,
    /// What is wrong.
    pub message: Text,
}

/// Reads JSON from outside.
pub fn read<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_are_cut_and_cleaned() {
        assert_eq!(Text::new("a\u{1b}[2Jb\n").as_str(), "a\u{fffd}[2Jb\u{fffd}");
        assert_eq!(Text::new(&"ä".repeat(1000)).as_str().chars().count(), LONGEST);
    }

    #[test]
    fn more_than_is_known_is_no_fault() {
        let text = br#"{"sensor":"co-1","active":{"id":"co","version":2,"digest":"0000000000000000000000000000000000000000000000000000000000000000","since":null,"more":[[1]]},
            "candidate":null,"floors":{},"x":1}"#;
        let reported: Reported = read(text).unwrap();
        assert_eq!(reported.active.unwrap().version, 2);
        assert!(read::<Status>(b"\xff\xfe{}").is_none());
        assert!(read::<Status>("[".repeat(100_000).as_bytes()).is_none());
        let deep = format!(r#"{{"online":true,"deep":{}1{}}}"#, "[".repeat(5000), "]".repeat(5000));
        let _ = read::<Status>(deep.as_bytes());
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..200), json in "[{}\\[\\]\":,0-9a-z]{0,80}") {
            for bytes in [&bytes[..], json.as_bytes()] {
                let _ = (read::<Status>(bytes), read::<Reported>(bytes), read::<Metrics>(bytes), read::<Alert>(bytes));
            }
        }
    }
}
