//! What a session is about, as it stands when it is opened.

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use crate::domain::digest::Digest;
use crate::domain::id::{Id, SensorId};
use crate::domain::reference::is_text;
use crate::domain::time::Timestamp;
use crate::domain::uncertainty::decision::{Mpe, Rule};

/// How many response times a point takes at least before anything counts. A response of the first order has
/// done all but 0.1 % of its way then: t90 = ln(10) time constants.
pub const DWELL: f64 = 3.0;
/// The fewest readings of a point.
pub const LEAST_READINGS: u64 = 10;
/// The largest change over the window of a point, as a share of the maximum permissible error.
pub const DRIFT_SHARE: f64 = 0.1;
/// The largest standard deviation of the readings of a point, as a share of the maximum permissible error.
pub const SCATTER_SHARE: f64 = 0.5;
/// The longest text, in characters; a certificate takes twice as long ones.
const LONGEST: usize = 500;
/// The longest name of a customer, in characters, as on a certificate.
const LONGEST_NAME: usize = 128;
/// The most remarks: with what a session says of itself they fit on a certificate.
const MOST_REMARKS: usize = 8;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// As-found points, a new transform, as-left points.
    #[default]
    Adjust,
    /// As-found points only.
    SpotCheck,
}

/// The transform in force when the session began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InForce {
    /// Its id.
    pub id: Id,
    /// Its version.
    pub version: u64,
    /// Its digest.
    pub digest: Digest,
}

/// The item that is calibrated: what is mounted at the sensor's position (ISO/IEC 17025, 7.8.2.1 g).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Item {
    /// Who made it.
    pub make: Option<String>,
    /// Its model.
    pub model: Option<String>,
    /// Its serial number.
    pub serial: Option<String>,
    /// The serial number of the sensing element in it.
    pub element_serial: Option<String>,
    /// Version of its firmware.
    pub firmware: Option<String>,
}

impl std::fmt::Display for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let known = [&self.make, &self.model, &self.serial, &self.element_serial, &self.firmware];
        let known: Vec<&str> = known.into_iter().flatten().map(String::as_str).collect();
        if known.is_empty() {
            f.write_str("an instrument of which nothing is known")
        } else {
            f.write_str(&known.join(" "))
        }
    }
}

/// What people say for the certificate; nothing is computed from it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Words {
    /// The customer.
    pub customer: Option<String>,
    /// Where the sensor is.
    pub location: Option<String>,
    /// The condition of the item when the session began.
    pub condition: Option<String>,
    /// The procedure that was followed.
    pub procedure: Option<String>,
    /// Whatever else is to be stated.
    pub remarks: Vec<String>,
}

/// All that a session has to know before its first point. What came later to be known of the sensor does not
/// change it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The fleet.
    pub fleet: Id,
    /// The gateway.
    pub gateway: Id,
    /// The sensor.
    pub sensor: SensorId,
    /// What it measures.
    pub quantity: String,
    /// What is mounted there.
    pub item: Item,
    /// UCUM code of its raw readings.
    pub input_unit: String,
    /// UCUM code of its values, of references and errors.
    pub unit: String,
    /// The maximum permissible error, in `unit`.
    pub mpe: Mpe,
    /// How verdicts heed the uncertainty.
    pub rule: Rule,
    /// The level of expanded uncertainties.
    pub level: f64,
    /// The time in which a step of the quantity is shown to nine tenths, t90, in seconds.
    pub response_seconds: f64,
    /// The largest change over the window of a point, in `unit`; absent: a tenth of the MPE.
    pub max_drift: Option<f64>,
    /// The largest standard deviation of a point's readings, in `unit`; absent: half the MPE.
    pub max_scatter: Option<f64>,
    /// How long a point may take, in seconds.
    pub patience_seconds: f64,
    /// How long no reading may come in the middle of a point, in seconds.
    pub silence_seconds: f64,
    /// The step of the display, in `unit`.
    pub resolution: Option<f64>,
    /// Where the sensor measures, in `unit`.
    pub range: Option<[f64; 2]>,
    /// What was in force.
    pub in_force: Option<InForce>,
    /// What is to be done.
    pub mode: Mode,
    /// The largest step of a new transform, in `unit`.
    pub max_step: Option<f64>,
    /// What people say for the certificate.
    pub words: Words,
    /// When it began.
    pub opened: Timestamp,
    /// Whether the clock could be believed then.
    pub clock_trusted: bool,
}

/// The time limit of a point unless another is given, in seconds: what it takes at least, and ten minutes
/// and twenty response times more.
pub fn patience(response_seconds: f64) -> f64 {
    (DWELL + 1.0 + 20.0) * response_seconds + 600.0
}

/// How long no reading may come unless another time is given, in seconds.
pub fn silence(period_seconds: Option<f64>) -> f64 {
    (5.0 * period_seconds.unwrap_or(0.0)).max(30.0)
}

impl Plan {
    /// The shortest window of readings that make a point, in seconds.
    pub fn window_seconds(&self) -> f64 {
        self.response_seconds
    }

    /// What a point waits for at least before readings count, in seconds.
    pub fn dwell_seconds(&self) -> f64 {
        DWELL * self.response_seconds
    }

    /// Checks what was given.
    ///
    /// # Errors
    /// Numbers that are none or of the wrong sign, and texts that are too long.
    pub fn check(&self) -> Result<(), Fault> {
        let positive = "a number above 0";
        let numbers = [
            ("t90", Some(self.response_seconds), positive),
            ("the largest drift", self.max_drift, positive),
            ("the largest scatter", self.max_scatter, positive),
            ("the time limit", Some(self.patience_seconds), positive),
            ("the time without readings", Some(self.silence_seconds), positive),
            ("the resolution", self.resolution, positive),
            ("the largest step", self.max_step, positive),
        ];
        for (name, value, expected) in numbers {
            if let Some(value) = value.filter(|value| !(*value > 0.0 && value.is_finite())) {
                return Err(self.setting(name, value, expected));
            }
        }
        if !(0.5..1.0).contains(&self.level) {
            return Err(self.setting("the level", self.level, "a share from 0.5 to below 1, like 0.95"));
        }
        let shortest = self.dwell_seconds() + self.window_seconds();
        if self.patience_seconds <= shortest {
            let expected = "more than four response times, which a point takes at least";
            return Err(self.setting("the time limit", self.patience_seconds, expected));
        }
        if let Some([low, high]) = self.range
            && !(low < high && low.is_finite() && high.is_finite())
        {
            return Err(self.setting("the range", high - low, "a higher end above the lower one"));
        }
        self.check_words()
    }

    fn check_words(&self) -> Result<(), Fault> {
        let words = &self.words;
        let texts = [
            ("the customer", &words.customer, LONGEST_NAME),
            ("the location", &words.location, LONGEST),
            ("the condition", &words.condition, LONGEST),
            ("the procedure", &words.procedure, LONGEST),
        ];
        let single =
            texts.iter().filter_map(|(name, text, longest)| Some((*name, text.as_deref()?, *longest)));
        let remarks = words.remarks.iter().map(|text| ("a remark", text.as_str(), LONGEST));
        for (name, text, longest) in single.chain(remarks) {
            if !is_text(text, longest) {
                return Err(Fault::Text { sensor: self.sensor.clone(), name, longest });
            }
        }
        match words.remarks.len() > MOST_REMARKS {
            true => Err(self.setting("the number of remarks", words.remarks.len() as f64, "at most 8")),
            false => Ok(()),
        }
    }

    fn setting(&self, name: &'static str, value: f64, expected: &'static str) -> Fault {
        Fault::Setting { sensor: self.sensor.clone(), name, value, expected }
    }
}
