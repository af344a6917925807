//! Stage `unit`: from one UCUM unit to another.

use serde::{Deserialize, Serialize};

/// The stage as written in an artifact.
///
/// The last three fields are needed, all of them, between an amount fraction (ppb) and a mass
/// concentration (ug/m3), and are refused elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitSpec {
    /// UCUM code of the stage's input.
    pub from: String,
    /// UCUM code of the stage's output.
    pub to: String,
    /// The gas's molar mass, in g/mol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub molar_mass: Option<f64>,
    /// The temperature for which the conversion holds, in degrees Celsius.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// The pressure for which the conversion holds, in kPa.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pressure: Option<f64>,
}
