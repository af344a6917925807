//! Stage `unit`: from one UCUM unit to another.

use serde::{Deserialize, Serialize};

use super::affine::Affine;
use super::artifact::ContentError;
use super::check::{invalid, unit, within};
use crate::domain::units::{Conversion, Kind, Unit, micrograms_per_ppb};

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

impl UnitSpec {
    fn gas(&self) -> [(&'static str, Option<f64>); 3] {
        [("molar_mass", self.molar_mass), ("temperature", self.temperature), ("pressure", self.pressure)]
    }
}

/// Checks the stage that stands at `path`; gives its two units beside what runs.
pub(super) fn compile(spec: &UnitSpec, path: &str) -> Result<(Affine, Unit, Unit), ContentError> {
    let from = unit(&spec.from, path, "from")?;
    let to = unit(&spec.to, path, "to")?;
    let conversion = match (from.kind(), to.kind()) {
        (Kind::Ratio, Kind::MassConcentration) | (Kind::MassConcentration, Kind::Ratio) => {
            through_gas(spec, &from, &to, path)?
        }
        _ => {
            for (field, value) in spec.gas() {
                if value.is_some() {
                    let problem = "belongs only between an amount fraction and a mass concentration";
                    return Err(invalid(path, field, problem));
                }
            }
            convert(&from, &to, path)?
        }
    };
    Ok((Affine::exact(conversion), from, to))
}

fn convert(from: &Unit, to: &Unit, path: &str) -> Result<Conversion, ContentError> {
    from.conversion(to).map_err(|error| invalid(path, "to", &error.to_string()))
}

/// An ideal gas at stated conditions: ppb to ug/m3 and back, with either side's own prefix.
fn through_gas(spec: &UnitSpec, from: &Unit, to: &Unit, path: &str) -> Result<Conversion, ContentError> {
    let [molar_mass, temperature, pressure] = spec.gas().map(|(field, value)| {
        let problem = "needed between an amount fraction and a mass concentration";
        value.ok_or_else(|| invalid(path, field, problem))
    });
    let (molar_mass, temperature, pressure) = (molar_mass?, temperature?, pressure?);
    within(molar_mass, 1.0..=1000.0, path, "molar_mass")?;
    within(temperature, -100.0..=200.0, path, "temperature")?;
    within(pressure, 1.0..=1000.0, path, "pressure")?;
    let density = micrograms_per_ppb(molar_mass, temperature, pressure);
    let (ppb, mass) = (unit("ppb", path, "from")?, unit("ug/m3", path, "to")?);
    let (before, factor, after) = match from.kind() {
        Kind::Ratio => (convert(from, &ppb, path)?, density, convert(&mass, to, path)?),
        _ => (convert(from, &mass, path)?, 1.0 / density, convert(&ppb, to, path)?),
    };
    Ok(Conversion { scale: before.scale * factor * after.scale, offset: 0.0 })
}
