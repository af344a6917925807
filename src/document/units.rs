//! Units as readers and as D-SI write them.

use crate::domain::units::{Conversion, Kind, Unit};

/// One UCUM code of the project.
struct Entry {
    /// The code.
    code: &'static str,
    /// As readers know it.
    symbol: &'static str,
    /// The code in which D-SI states it: D-SI has neither ppb nor degrees Fahrenheit, and discourages bar.
    stated: &'static str,
    /// That in D-SI.
    dsi: &'static str,
}

const fn unit(code: &'static str, symbol: &'static str, stated: &'static str, dsi: &'static str) -> Entry {
    Entry { code, symbol, stated, dsi }
}

static TABLE: &[Entry] = &[
    unit("1", "1", "1", r"\one"),
    unit("%", "%", "%", r"\percent"),
    unit("[ppth]", "\u{2030}", "%", r"\percent"),
    unit("[ppm]", "ppm", "[ppm]", r"\ppm"),
    unit("ppm", "ppm", "[ppm]", r"\ppm"),
    unit("[ppb]", "ppb", "[ppm]", r"\ppm"),
    unit("ppb", "ppb", "[ppm]", r"\ppm"),
    unit("[pptr]", "ppt", "[ppm]", r"\ppm"),
    unit("kg/m3", "kg/m\u{b3}", "kg/m3", r"\kilogram\metre\tothe{-3}"),
    unit("g/m3", "g/m\u{b3}", "g/m3", r"\gram\metre\tothe{-3}"),
    unit("mg/m3", "mg/m\u{b3}", "mg/m3", r"\milli\gram\metre\tothe{-3}"),
    unit("ug/m3", "\u{b5}g/m\u{b3}", "ug/m3", r"\micro\gram\metre\tothe{-3}"),
    unit("ng/m3", "ng/m\u{b3}", "ng/m3", r"\nano\gram\metre\tothe{-3}"),
    unit("g/L", "g/L", "g/L", r"\gram\litre\tothe{-1}"),
    unit("mg/L", "mg/L", "mg/L", r"\milli\gram\litre\tothe{-1}"),
    unit("ug/L", "\u{b5}g/L", "ug/L", r"\micro\gram\litre\tothe{-1}"),
    unit("/m3", "m\u{207b}\u{b3}", "/m3", r"\metre\tothe{-3}"),
    unit("/cm3", "cm\u{207b}\u{b3}", "/cm3", r"\centi\metre\tothe{-3}"),
    unit("/L", "L\u{207b}\u{b9}", "/L", r"\litre\tothe{-1}"),
    unit("K", "K", "K", r"\kelvin"),
    unit("Cel", "\u{b0}C", "Cel", r"\degreecelsius"),
    unit("[degF]", "\u{b0}F", "Cel", r"\degreecelsius"),
    unit("K{diff}", "K", "K{diff}", r"\kelvin"),
    unit("Cel{diff}", "\u{b0}C", "K{diff}", r"\kelvin"),
    unit("[degF]{diff}", "\u{b0}F", "K{diff}", r"\kelvin"),
    unit("Pa", "Pa", "Pa", r"\pascal"),
    unit("hPa", "hPa", "hPa", r"\hecto\pascal"),
    unit("kPa", "kPa", "kPa", r"\kilo\pascal"),
    unit("MPa", "MPa", "MPa", r"\mega\pascal"),
    unit("bar", "bar", "kPa", r"\kilo\pascal"),
    unit("mbar", "mbar", "hPa", r"\hecto\pascal"),
    unit("atm", "atm", "kPa", r"\kilo\pascal"),
    unit("mm[Hg]", "mmHg", "Pa", r"\pascal"),
    unit("V", "V", "V", r"\volt"),
    unit("mV", "mV", "mV", r"\milli\volt"),
    unit("uV", "\u{b5}V", "uV", r"\micro\volt"),
    unit("kV", "kV", "kV", r"\kilo\volt"),
    unit("A", "A", "A", r"\ampere"),
    unit("mA", "mA", "mA", r"\milli\ampere"),
    unit("uA", "\u{b5}A", "uA", r"\micro\ampere"),
    unit("nA", "nA", "nA", r"\nano\ampere"),
    unit("pA", "pA", "pA", r"\pico\ampere"),
    unit("Ohm", "\u{3a9}", "Ohm", r"\ohm"),
    unit("mOhm", "m\u{3a9}", "mOhm", r"\milli\ohm"),
    unit("kOhm", "k\u{3a9}", "kOhm", r"\kilo\ohm"),
    unit("MOhm", "M\u{3a9}", "MOhm", r"\mega\ohm"),
    unit("S/m", "S/m", "S/m", r"\siemens\metre\tothe{-1}"),
    unit("mS/cm", "mS/cm", "mS/cm", r"\milli\siemens\centi\metre\tothe{-1}"),
    unit("uS/cm", "\u{b5}S/cm", "uS/cm", r"\micro\siemens\centi\metre\tothe{-1}"),
    unit("[pH]", "pH", "[pH]", r"\one"),
    unit("km", "km", "km", r"\kilo\metre"),
    unit("m", "m", "m", r"\metre"),
    unit("cm", "cm", "cm", r"\centi\metre"),
    unit("mm", "mm", "mm", r"\milli\metre"),
    unit("um", "\u{b5}m", "um", r"\micro\metre"),
    unit("nm", "nm", "nm", r"\nano\metre"),
    unit("m3", "m\u{b3}", "m3", r"\metre\tothe{3}"),
    unit("L", "L", "L", r"\litre"),
    unit("mL", "mL", "mL", r"\milli\litre"),
    unit("kg", "kg", "kg", r"\kilogram"),
    unit("g", "g", "g", r"\gram"),
    unit("mg", "mg", "mg", r"\milli\gram"),
    unit("d", "d", "d", r"\day"),
    unit("h", "h", "h", r"\hour"),
    unit("min", "min", "min", r"\minute"),
    unit("s", "s", "s", r"\second"),
    unit("ms", "ms", "ms", r"\milli\second"),
    unit("us", "\u{b5}s", "us", r"\micro\second"),
    unit("Hz", "Hz", "Hz", r"\hertz"),
    unit("/min", "min\u{207b}\u{b9}", "/min", r"\minute\tothe{-1}"),
    unit("kHz", "kHz", "kHz", r"\kilo\hertz"),
    unit("MHz", "MHz", "MHz", r"\mega\hertz"),
    unit("m/s", "m/s", "m/s", r"\metre\second\tothe{-1}"),
    unit("mm/s", "mm/s", "mm/s", r"\milli\metre\second\tothe{-1}"),
    unit("km/h", "km/h", "km/h", r"\kilo\metre\hour\tothe{-1}"),
    unit("mm/h", "mm/h", "mm/h", r"\milli\metre\hour\tothe{-1}"),
    unit("m3/s", "m\u{b3}/s", "m3/s", r"\metre\tothe{3}\second\tothe{-1}"),
    unit("m3/h", "m\u{b3}/h", "m3/h", r"\metre\tothe{3}\hour\tothe{-1}"),
    unit("L/s", "L/s", "L/s", r"\litre\second\tothe{-1}"),
    unit("L/min", "L/min", "L/min", r"\litre\minute\tothe{-1}"),
    unit("L/h", "L/h", "L/h", r"\litre\hour\tothe{-1}"),
    unit("mL/min", "mL/min", "mL/min", r"\milli\litre\minute\tothe{-1}"),
    unit("lx", "lx", "lx", r"\lux"),
    unit("klx", "klx", "klx", r"\kilo\lux"),
    unit("W/m2", "W/m\u{b2}", "W/m2", r"\watt\metre\tothe{-2}"),
    unit("mW/cm2", "mW/cm\u{b2}", "mW/cm2", r"\milli\watt\centi\metre\tothe{-2}"),
    unit("W", "W", "W", r"\watt"),
    unit("mW", "mW", "mW", r"\milli\watt"),
    unit("kW", "kW", "kW", r"\kilo\watt"),
    unit("MW", "MW", "MW", r"\mega\watt"),
    unit("J", "J", "J", r"\joule"),
    unit("kJ", "kJ", "kJ", r"\kilo\joule"),
    unit("MJ", "MJ", "MJ", r"\mega\joule"),
    unit("W.h", "W\u{b7}h", "W.h", r"\watt\hour"),
    unit("kW.h", "kW\u{b7}h", "kW.h", r"\kilo\watt\hour"),
    unit("deg", "\u{b0}", "deg", r"\degree"),
];

fn entry(code: &str) -> Option<&'static Entry> {
    TABLE.iter().find(|entry| entry.code == code)
}

/// The unit as readers know it; a code that is not in the table stands for itself.
pub fn symbol(code: &str) -> &str {
    entry(code).map_or(code, |entry| entry.symbol)
}

/// How D-SI states values of a unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stated {
    /// From values in the certificate's unit to values in D-SI's.
    pub values: Conversion,
    /// The unit of values.
    pub unit: &'static str,
    /// The unit of differences, which temperatures have of their own.
    pub differences: &'static str,
}

impl Stated {
    /// A value.
    pub fn value(&self, value: f64) -> f64 {
        self.values.apply(value)
    }

    /// A difference of two values, or an uncertainty.
    pub fn difference(&self, difference: f64) -> f64 {
        self.values.scale * difference
    }
}

/// How D-SI states values of a unit; `None` for a code that is not in the table.
pub fn stated(code: &str) -> Option<Stated> {
    let entry = entry(code)?;
    let (from, to) = (Unit::parse(entry.code).ok()?, Unit::parse(entry.stated).ok()?);
    let values = from.conversion(&to).ok()?;
    let differences = if from.kind() == Kind::Temperature { r"\kelvin" } else { entry.dsi };
    Some(Stated { values, unit: entry.dsi, differences })
}

#[cfg(test)]
pub(super) fn codes() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLE.iter().map(|entry| (entry.code, entry.dsi))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_known_and_states_what_it_means() {
        for (at, entry) in TABLE.iter().enumerate() {
            assert!(Unit::parse(entry.code).unwrap().is_known(), "{}", entry.code);
            assert!(stated(entry.code).is_some(), "{}", entry.code);
            assert!(TABLE[..at].iter().all(|other| other.code != entry.code), "{}", entry.code);
        }
    }

    #[test]
    fn units_that_d_si_lacks_are_stated_in_one_that_it_has() {
        let fahrenheit = stated("[degF]").unwrap();
        assert!((fahrenheit.value(212.0) - 100.0).abs() < 1e-12);
        assert!((fahrenheit.difference(9.0) - 5.0).abs() < 1e-12);
        assert_eq!((fahrenheit.unit, fahrenheit.differences), (r"\degreecelsius", r"\kelvin"));
        assert!((stated("ppb").unwrap().value(400.0) - 0.4).abs() < 1e-15);
        assert_eq!(stated("[arb'U]"), None);
        assert_eq!(symbol("[arb'U]"), "[arb'U]");
    }
}
