//! Readings as SenML (RFC 8428, JSON), with the secondary units of RFC 8798.
//!
//! A calibrated value has the sensor's name, its standard uncertainty that name with `:u`; a raw value, where
//! there is no other, `:raw`; a state other than `valid` is a text, `:state`.

use serde::Serialize;

use crate::domain::time::Timestamp;

/// RFC 8428; with the feature "secondary units" (bit 4) of RFC 9100.
const VERSION: u32 = 10;
const VERSION_SECONDARY: u32 = VERSION + (1 << 4);

/// What SenML can say of a reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry<'a> {
    /// Identifier of the sensor.
    pub sensor: &'a str,
    /// When it was measured.
    pub time: Timestamp,
    /// The raw value.
    pub raw: Option<f64>,
    /// The calibrated value.
    pub value: Option<f64>,
    /// Its standard uncertainty.
    pub u: Option<f64>,
    /// UCUM code of the value; of the raw one where there is no other.
    pub unit: &'a str,
    /// `valid`, `suspect` or `invalid`.
    pub state: &'a str,
}

/// A record, as far as it is used here. Base fields stand for the records after it, too.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Record<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    bn: Option<&'a str>,
    /// Seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    bt: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bver: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    u: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    v: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vs: Option<&'a str>,
    /// Seconds after the base time.
    t: f64,
}

/// Appends a pack: one JSON array.
pub fn write(entries: &[Entry<'_>], out: &mut Vec<u8>) {
    let base = entries.first().map_or(0, |first| first.time.as_micros().div_euclid(1_000_000));
    let secondary = entries.iter().any(|entry| unit(entry.unit).1);
    let version = if secondary { VERSION_SECONDARY } else { VERSION };
    let mut name = None;
    let mut head = Some((base, version));
    out.push(b'[');
    for entry in entries {
        for mut record in records(entry, base) {
            record.bn = Some(entry.sensor).filter(|sensor| name.replace(*sensor) != Some(*sensor));
            let first = head.take();
            (record.bt, record.bver) = (first.map(|(base, _)| base), first.map(|(_, version)| version));
            out.extend_from_slice(if first.is_some() { b"\n" } else { b",\n" });
            // Writing numbers, texts and flat structs to memory cannot fail.
            let _ = serde_json::to_writer(&mut *out, &record);
        }
    }
    out.extend_from_slice(b"\n]\n");
}

/// The records of one reading: one at least.
fn records<'a>(entry: &Entry<'a>, base: i64) -> Vec<Record<'a>> {
    let after = entry.time.as_micros().saturating_sub(base.saturating_mul(1_000_000));
    let plain =
        Record { bn: None, bt: None, bver: None, n: None, u: None, v: None, vs: None, t: after as f64 / 1e6 };
    let number = |n, v: f64| Record { n, u: Some(unit(entry.unit).0), v: Some(v), ..plain };
    let value = entry.value.filter(|value| value.is_finite()).map(|value| number(None, value));
    let raw = entry.raw.filter(|raw| value.is_none() && raw.is_finite()).map(|raw| number(Some(":raw"), raw));
    let u = entry.u.filter(|u| value.is_some() && u.is_finite()).map(|u| number(Some(":u"), u));
    let untold = entry.state != "valid" || value.is_none() && raw.is_none();
    let state = untold.then_some(Record { n: Some(":state"), vs: Some(entry.state), ..plain });
    [value, raw, u, state].into_iter().flatten().collect()
}

/// SenML's name of a unit, and whether it is a secondary one; what SenML does not know is given as it is.
fn unit(ucum: &str) -> (&str, bool) {
    const DIFFERENT: [(&str, &str, bool); 19] = [
        ("1", "/", false),
        ("[pH]", "pH", false),
        ("/s", "1/s", false),
        ("/min", "1/min", false),
        ("{beats}/min", "beat/min", false),
        ("L", "l", false),
        ("L/s", "l/s", false),
        ("By", "B", false),
        ("V.A", "VA", false),
        ("B[SPL]", "Bspl", false),
        ("K{diff}", "K", false),
        ("[ppm]", "ppm", true),
        ("[ppth]", "/1000", true),
        ("mbar", "hPa", true),
        ("A.h", "Ah", true),
        ("W.h", "Wh", true),
        ("kW.h", "kWh", true),
        ("kV.A", "kVA", true),
        ("MBy/s", "MB/s", true),
    ];
    const SECONDARY: [&str; 18] = [
        "ms", "min", "h", "MHz", "kW", "mV", "mA", "dBm", "ug/m3", "mm/h", "m/h", "ppm", "hPa", "mm", "cm",
        "km", "km/h", "Mbit/s",
    ];
    match DIFFERENT.iter().find(|(code, ..)| *code == ucum) {
        Some((_, name, secondary)) => (name, *secondary),
        None => (ucum, SECONDARY.contains(&ucum)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// RFC 8428, 4.6: records with names, times in microseconds and values, the base fields applied.
    fn resolved(pack: &[u8]) -> BTreeMap<(String, i64), (Value, Value)> {
        let records: Vec<Value> = serde_json::from_slice(pack).unwrap();
        let (mut name, mut time) = (String::new(), 0);
        let mut found = BTreeMap::new();
        for record in &records {
            if let Some(base) = record["bn"].as_str() {
                base.clone_into(&mut name);
            }
            time = record["bt"].as_i64().unwrap_or(time);
            let full = format!("{name}{}", record["n"].as_str().unwrap_or(""));
            let micros = time * 1_000_000 + (record["t"].as_f64().unwrap() * 1e6).round() as i64;
            let value = if record["vs"].is_null() { &record["v"] } else { &record["vs"] };
            found.insert((full, micros), (value.clone(), record["u"].clone()));
        }
        found
    }

    fn entry<'a>(sensor: &'a str, micros: i64, unit: &'a str) -> Entry<'a> {
        let time = Timestamp::from_micros(micros).unwrap();
        Entry { sensor, time, raw: Some(512.25), value: Some(4.5), u: Some(0.25), unit, state: "valid" }
    }

    fn pack(entries: &[Entry<'_>]) -> Vec<u8> {
        let mut out = Vec::new();
        write(entries, &mut out);
        out
    }

    #[test]
    fn a_pack_has_its_base_fields_once() {
        let (first, mut second) =
            (entry("co-1", 1_795_341_600_123_456, "mg/m3"), entry("t-1", 1_795_341_599_000_000, "Cel"));
        (second.value, second.u, second.state) = (None, None, "suspect");
        let expected = r#"[
{"bn":"co-1","bt":1795341600,"bver":10,"u":"mg/m3","v":4.5,"t":0.123456},
{"n":":u","u":"mg/m3","v":0.25,"t":0.123456},
{"bn":"t-1","n":":raw","u":"Cel","v":512.25,"t":-1.0},
{"n":":state","vs":"suspect","t":-1.0}
]
"#;
        assert_eq!(String::from_utf8(pack(&[first, second])).unwrap(), expected);
        assert_eq!(pack(&[]), b"[\n]\n");
    }

    #[test]
    fn units_have_the_names_of_senml_and_secondary_ones_another_version() {
        for (ucum, senml, version) in [
            ("1", "/", 10),
            ("%", "%", 10),
            ("[pH]", "pH", 10),
            ("mbar", "hPa", 26),
            ("mV", "mV", 26),
            ("nA", "nA", 10),
        ] {
            let records: Value = serde_json::from_slice(&pack(&[entry("a", 0, ucum)])).unwrap();
            assert_eq!((&records[0]["u"], &records[0]["bver"]), (&senml.into(), &version.into()), "{ucum}");
        }
    }

    proptest! {
        #[test]
        fn resolved_records_are_the_readings(
            of in prop::collection::btree_map(
                (0usize..3, 300_000_000_000_000i64..4_000_000_000_000_000),
                (prop::option::of(-1e9..1e9f64), prop::option::of(-1e9..1e9f64), prop::option::of(0.0..1e9f64), 0usize..3),
                0..30,
            ),
        ) {
            let entries: Vec<Entry<'_>> = of
                .iter()
                .map(|((sensor, micros), (raw, value, u, state))| Entry {
                    raw: *raw,
                    value: *value,
                    u: *u,
                    state: ["valid", "suspect", "invalid"][*state],
                    ..entry(["a", "b_1", "c-2"][*sensor], *micros, "mg/m3")
                })
                .collect();
            let found = resolved(&pack(&entries));
            let mut records = 0;
            for entry in &entries {
                let at = |kind: &str| found.get(&(format!("{}{kind}", entry.sensor), entry.time.as_micros()));
                let number = |kind: &str| at(kind).map(|(value, _)| value.as_f64().unwrap());
                let calibrated = entry.value.is_some();
                prop_assert_eq!(number(""), entry.value);
                prop_assert_eq!(number(":u"), entry.u.filter(|_| calibrated));
                prop_assert_eq!(number(":raw"), entry.raw.filter(|_| !calibrated));
                let told = at(":state").map_or("valid", |(state, _)| state.as_str().unwrap());
                prop_assert_eq!(told, entry.state);
                records += ["", ":u", ":raw", ":state"].iter().filter(|kind| at(kind).is_some()).count();
            }
            prop_assert_eq!(records, found.len());
        }
    }
}
