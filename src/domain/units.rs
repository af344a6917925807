//! Units by their UCUM codes, and conversions within one kind of quantity.
//!
//! Known units convert within their kind only. Any other code is accepted as it stands and converts
//! to itself alone. A difference of temperatures is a kind of its own, written with the annotation
//! `{diff}`: 1 K of difference is not 1 K of temperature.

use std::fmt;
use std::sync::Arc;

/// Longest unit code, in bytes.
pub const MAX_LEN: usize = 40;

/// The molar gas constant in J/(mol K), exact since the SI of 2019 (CODATA 2018).
pub const MOLAR_GAS_CONSTANT: f64 = 8.314_462_618_153_24;

/// Zero degrees Celsius in kelvin, exact by definition.
pub const ZERO_CELSIUS: f64 = 273.15;

/// What sort of quantity a unit measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Dimensionless: fractions, percentages, ppm.
    Ratio,
    /// Mass per volume.
    MassConcentration,
    /// Particles per volume.
    NumberConcentration,
    /// A point on a temperature scale.
    Temperature,
    /// A difference of two temperatures.
    TemperatureDifference,
    Pressure,
    Voltage,
    Current,
    Resistance,
    Conductivity,
    Acidity,
    Length,
    Volume,
    Mass,
    Time,
    Frequency,
    Speed,
    VolumeFlow,
    Illuminance,
    Irradiance,
    Power,
    Energy,
    Angle,
    /// The code is not in the table: the unit stands for itself.
    Other,
}

/// Says why a text is not a unit, or why two units do not convert.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Not a UCUM code.
    #[error("`{0}` is not a UCUM code: use 1 to 40 printable ASCII characters, like ug/m3 or Cel")]
    NotACode(String),
    /// The units measure different things.
    #[error("`{from}` does not convert to `{to}`: they measure different quantities")]
    DifferentKinds {
        /// The code to convert from.
        from: Arc<str>,
        /// The code to convert to.
        to: Arc<str>,
    },
}

/// One known unit: its value in the kind's base unit is (x + shift) * num / den.
///
/// Two integers instead of one factor, so that 1 ug/m3 to mg/m3 is the double next to 0.001.
#[derive(Debug, PartialEq)]
struct Entry {
    code: &'static str,
    kind: Kind,
    num: f64,
    den: f64,
    shift: f64,
}

const fn unit(code: &'static str, kind: Kind, num: f64, den: f64) -> Entry {
    Entry { code, kind, num, den, shift: 0.0 }
}

const fn scale(code: &'static str, num: f64, den: f64, shift: f64) -> Entry {
    Entry { code, kind: Kind::Temperature, num, den, shift }
}

static TABLE: &[Entry] = &[
    unit("1", Kind::Ratio, 1.0, 1.0),
    unit("%", Kind::Ratio, 1.0, 1e2),
    unit("[ppth]", Kind::Ratio, 1.0, 1e3),
    unit("[ppm]", Kind::Ratio, 1.0, 1e6),
    unit("ppm", Kind::Ratio, 1.0, 1e6),
    unit("[ppb]", Kind::Ratio, 1.0, 1e9),
    unit("ppb", Kind::Ratio, 1.0, 1e9),
    unit("[pptr]", Kind::Ratio, 1.0, 1e12),
    unit("kg/m3", Kind::MassConcentration, 1e3, 1.0),
    unit("g/m3", Kind::MassConcentration, 1.0, 1.0),
    unit("mg/m3", Kind::MassConcentration, 1.0, 1e3),
    unit("ug/m3", Kind::MassConcentration, 1.0, 1e6),
    unit("ng/m3", Kind::MassConcentration, 1.0, 1e9),
    unit("g/L", Kind::MassConcentration, 1e3, 1.0),
    unit("mg/L", Kind::MassConcentration, 1.0, 1.0),
    unit("ug/L", Kind::MassConcentration, 1.0, 1e3),
    unit("/m3", Kind::NumberConcentration, 1.0, 1.0),
    unit("/cm3", Kind::NumberConcentration, 1e6, 1.0),
    unit("/L", Kind::NumberConcentration, 1e3, 1.0),
    scale("K", 1.0, 1.0, 0.0),
    scale("Cel", 1.0, 1.0, ZERO_CELSIUS),
    scale("[degF]", 5.0, 9.0, 459.67),
    unit("K{diff}", Kind::TemperatureDifference, 1.0, 1.0),
    unit("Cel{diff}", Kind::TemperatureDifference, 1.0, 1.0),
    unit("[degF]{diff}", Kind::TemperatureDifference, 5.0, 9.0),
    unit("Pa", Kind::Pressure, 1.0, 1.0),
    unit("hPa", Kind::Pressure, 1e2, 1.0),
    unit("kPa", Kind::Pressure, 1e3, 1.0),
    unit("MPa", Kind::Pressure, 1e6, 1.0),
    unit("bar", Kind::Pressure, 1e5, 1.0),
    unit("mbar", Kind::Pressure, 1e2, 1.0),
    unit("atm", Kind::Pressure, 101_325.0, 1.0),
    unit("mm[Hg]", Kind::Pressure, 133_322.0, 1e3),
    unit("V", Kind::Voltage, 1.0, 1.0),
    unit("mV", Kind::Voltage, 1.0, 1e3),
    unit("uV", Kind::Voltage, 1.0, 1e6),
    unit("kV", Kind::Voltage, 1e3, 1.0),
    unit("A", Kind::Current, 1.0, 1.0),
    unit("mA", Kind::Current, 1.0, 1e3),
    unit("uA", Kind::Current, 1.0, 1e6),
    unit("nA", Kind::Current, 1.0, 1e9),
    unit("pA", Kind::Current, 1.0, 1e12),
    unit("Ohm", Kind::Resistance, 1.0, 1.0),
    unit("mOhm", Kind::Resistance, 1.0, 1e3),
    unit("kOhm", Kind::Resistance, 1e3, 1.0),
    unit("MOhm", Kind::Resistance, 1e6, 1.0),
    unit("S/m", Kind::Conductivity, 1.0, 1.0),
    unit("mS/cm", Kind::Conductivity, 1.0, 1e1),
    unit("uS/cm", Kind::Conductivity, 1.0, 1e4),
    unit("[pH]", Kind::Acidity, 1.0, 1.0),
    unit("km", Kind::Length, 1e3, 1.0),
    unit("m", Kind::Length, 1.0, 1.0),
    unit("cm", Kind::Length, 1.0, 1e2),
    unit("mm", Kind::Length, 1.0, 1e3),
    unit("um", Kind::Length, 1.0, 1e6),
    unit("nm", Kind::Length, 1.0, 1e9),
    unit("m3", Kind::Volume, 1.0, 1.0),
    unit("L", Kind::Volume, 1.0, 1e3),
    unit("mL", Kind::Volume, 1.0, 1e6),
    unit("kg", Kind::Mass, 1.0, 1.0),
    unit("g", Kind::Mass, 1.0, 1e3),
    unit("mg", Kind::Mass, 1.0, 1e6),
    unit("d", Kind::Time, 86_400.0, 1.0),
    unit("h", Kind::Time, 3_600.0, 1.0),
    unit("min", Kind::Time, 60.0, 1.0),
    unit("s", Kind::Time, 1.0, 1.0),
    unit("ms", Kind::Time, 1.0, 1e3),
    unit("us", Kind::Time, 1.0, 1e6),
    unit("Hz", Kind::Frequency, 1.0, 1.0),
    unit("/min", Kind::Frequency, 1.0, 60.0),
    unit("kHz", Kind::Frequency, 1e3, 1.0),
    unit("MHz", Kind::Frequency, 1e6, 1.0),
    unit("m/s", Kind::Speed, 1.0, 1.0),
    unit("mm/s", Kind::Speed, 1.0, 1e3),
    unit("km/h", Kind::Speed, 5.0, 18.0),
    unit("m3/s", Kind::VolumeFlow, 1.0, 1.0),
    unit("m3/h", Kind::VolumeFlow, 1.0, 3_600.0),
    unit("L/s", Kind::VolumeFlow, 1.0, 1e3),
    unit("L/min", Kind::VolumeFlow, 1.0, 6e4),
    unit("L/h", Kind::VolumeFlow, 1.0, 3.6e6),
    unit("mL/min", Kind::VolumeFlow, 1.0, 6e7),
    unit("lx", Kind::Illuminance, 1.0, 1.0),
    unit("klx", Kind::Illuminance, 1e3, 1.0),
    unit("W/m2", Kind::Irradiance, 1.0, 1.0),
    unit("mW/cm2", Kind::Irradiance, 1e1, 1.0),
    unit("W", Kind::Power, 1.0, 1.0),
    unit("mW", Kind::Power, 1.0, 1e3),
    unit("kW", Kind::Power, 1e3, 1.0),
    unit("MW", Kind::Power, 1e6, 1.0),
    unit("J", Kind::Energy, 1.0, 1.0),
    unit("kJ", Kind::Energy, 1e3, 1.0),
    unit("MJ", Kind::Energy, 1e6, 1.0),
    unit("W.h", Kind::Energy, 3.6e3, 1.0),
    unit("kW.h", Kind::Energy, 3.6e6, 1.0),
    unit("deg", Kind::Angle, 1.0, 1.0),
    unit("mm/h", Kind::Speed, 1.0, 3.6e6),
];

/// A unit of measurement.
#[derive(Clone)]
pub struct Unit {
    code: Arc<str>,
    entry: Option<&'static Entry>,
}

/// A linear conversion: `to = scale * from + offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conversion {
    /// Units of the result per unit of the value.
    pub scale: f64,
    /// What is added, in the result's unit.
    pub offset: f64,
}

impl Conversion {
    /// Converts one value.
    pub fn apply(self, value: f64) -> f64 {
        self.scale * value + self.offset
    }
}

impl Unit {
    /// Reads a UCUM code; a code that is not in the table is taken as it stands.
    pub fn parse(code: &str) -> Result<Unit, UnitError> {
        if !(1..=MAX_LEN).contains(&code.len()) || !code.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(UnitError::NotACode(code.chars().take(MAX_LEN).collect()));
        }
        Ok(Unit { code: Arc::from(code), entry: TABLE.iter().find(|entry| entry.code == code) })
    }

    /// The code as it was written.
    pub fn code(&self) -> &Arc<str> {
        &self.code
    }

    /// What sort of quantity it measures.
    pub fn kind(&self) -> Kind {
        self.entry.map_or(Kind::Other, |entry| entry.kind)
    }

    /// Whether the code is in the table.
    pub fn is_known(&self) -> bool {
        self.entry.is_some()
    }

    /// The conversion of values in this unit to values in `to`; an error across kinds.
    pub fn conversion(&self, to: &Unit) -> Result<Conversion, UnitError> {
        if self.code == to.code {
            return Ok(Conversion { scale: 1.0, offset: 0.0 });
        }
        match (self.entry, to.entry) {
            (Some(a), Some(b)) if a.kind == b.kind => Ok(between(a, b)),
            _ => Err(UnitError::DifferentKinds { from: self.code.clone(), to: to.code.clone() }),
        }
    }
}

fn between(from: &Entry, to: &Entry) -> Conversion {
    let (num, den) = (from.num * to.den, from.den * to.num);
    Conversion { scale: num / den, offset: from.shift * num / den - to.shift }
}

/// Micrograms per cubic metre of an ideal gas in one part per billion (by amount).
///
/// `molar_mass` in g/mol, `temperature` in degrees Celsius, `pressure` in kPa;
/// rho = x p M / (R T). At 25 Cel and 101.325 kPa, 1 ppb of CO is 1.145 ug/m3.
pub fn micrograms_per_ppb(molar_mass: f64, temperature: f64, pressure: f64) -> f64 {
    pressure * molar_mass / (MOLAR_GAS_CONSTANT * (temperature + ZERO_CELSIUS))
}

/// Two units are equal if a value in one is the same number in the other.
impl PartialEq for Unit {
    fn eq(&self, other: &Unit) -> bool {
        self.conversion(other).is_ok_and(|c| c.scale == 1.0 && c.offset == 0.0)
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code)
    }
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.code, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn convert(value: f64, from: &str, to: &str) -> f64 {
        Unit::parse(from).unwrap().conversion(&Unit::parse(to).unwrap()).unwrap().apply(value)
    }

    fn refuses(from: &str, to: &str) -> bool {
        Unit::parse(from).unwrap().conversion(&Unit::parse(to).unwrap()).is_err()
    }

    #[test]
    fn converts_exactly_where_decimals_allow() {
        assert_eq!(convert(1.0, "ug/m3", "mg/m3"), 0.001);
        assert_eq!(convert(1013.25, "hPa", "kPa"), 101.325);
        assert_eq!(convert(1.0, "mbar", "hPa"), 1.0);
        assert_eq!(convert(36.0, "km/h", "m/s"), 10.0);
        assert_eq!(convert(60.0, "L/min", "L/s"), 1.0);
        assert_eq!(convert(1.0, "kW.h", "MJ"), 3.6);
        assert_eq!(convert(1.0, "mg/L", "g/m3"), 1.0);
        assert_eq!(convert(1.0, "%", "[ppm]"), 10_000.0);
    }

    #[test]
    fn temperatures_have_a_zero_and_differences_have_none() {
        assert_eq!(convert(0.0, "Cel", "K"), 273.15);
        assert!((convert(212.0, "[degF]", "Cel") - 100.0).abs() < 1e-12);
        assert!((convert(-40.0, "Cel", "[degF]") + 40.0).abs() < 1e-12);
        assert!((convert(9.0, "[degF]{diff}", "K{diff}") - 5.0).abs() < 1e-12);
        assert!(refuses("K", "K{diff}"));
    }

    #[test]
    fn kinds_do_not_mix_and_unknown_codes_stand_for_themselves() {
        assert!(refuses("ppb", "ug/m3"));
        assert!(refuses("nA", "mg/m3"));
        assert!(refuses("dB", "kg/s"), "both of no kind");
        let odd = Unit::parse("[arb'U]").unwrap();
        assert!(!odd.is_known() && odd == odd.clone());
        assert!(refuses("[arb'U]", "1") && refuses("1", "[arb'U]"));
    }

    #[test]
    fn spellings_of_one_unit_are_equal() {
        assert_eq!(Unit::parse("ppb").unwrap(), Unit::parse("[ppb]").unwrap());
        assert_eq!(Unit::parse("hPa").unwrap(), Unit::parse("mbar").unwrap());
        assert_ne!(Unit::parse("K").unwrap(), Unit::parse("Cel").unwrap());
    }

    #[test]
    fn refuses_what_is_not_ascii() {
        for bad in ["", "µg/m³", "°C", "mg m3", "x\n", &"m".repeat(41)] {
            assert!(Unit::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn no_code_stands_twice() {
        for (at, entry) in TABLE.iter().enumerate() {
            assert!(TABLE[..at].iter().all(|e| e.code != entry.code), "{}", entry.code);
        }
    }

    #[test]
    fn one_ppb_of_carbon_monoxide() {
        // 24.465 L/mol at 25 Cel and 1 atm: 28.010 / 24.465
        assert!((micrograms_per_ppb(28.010, 25.0, 101.325) - 28.010 / 24.465).abs() < 1e-4);
        // the EU's reference conditions, 20 Cel: 1.1642 for CO, 1.9125 for NO2
        assert!((micrograms_per_ppb(28.010, 20.0, 101.325) - 1.1644).abs() < 5e-4);
        assert!((micrograms_per_ppb(46.0055, 20.0, 101.325) - 1.9125).abs() < 5e-4);
    }

    proptest! {
        #[test]
        fn there_and_back_is_the_same(
            from in 0..TABLE.len(), to in 0..TABLE.len(), value in -1e6..1e6f64
        ) {
            let (a, b) = (Unit::parse(TABLE[from].code).unwrap(), Unit::parse(TABLE[to].code).unwrap());
            if let (Ok(there), Ok(back)) = (a.conversion(&b), b.conversion(&a)) {
                let again = back.apply(there.apply(value));
                // a shifted scale loses the digits of its shift
                let size = value.abs() + TABLE[from].shift.abs() + 1e3 * TABLE[to].shift.abs();
                prop_assert!((again - value).abs() <= 1e-14 * size, "{value} {a} {b} {again}");
            } else {
                prop_assert!(a.kind() != b.kind());
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,50}") {
            let _ = Unit::parse(&text);
        }
    }
}
