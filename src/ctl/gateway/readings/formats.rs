//! Readings as a table, as CSV and as SenML.

use super::super::show::{clean, reading, state, time};
use crate::wire::control::Reading;
use crate::wire::senml::{self, Entry};

/// Columns for people.
pub fn table(readings: &[Reading]) -> Vec<Vec<String>> {
    let head = ["TIME", "READING", "RAW", "STATE", "TRANSFORM"].map(str::to_owned).to_vec();
    let row = |shown: &Reading| {
        vec![
            time(shown.time),
            reading(shown),
            shown.raw.map_or("-".to_owned(), |raw| raw.to_string()),
            state(shown),
            shown.transform.as_ref().map_or("-".to_owned(), |t| format!("{} {}", t.id, t.version)),
        ]
    };
    [head].into_iter().chain(readings.iter().map(row)).collect()
}

/// A header and a row a reading, all digits.
pub fn csv(readings: &[Reading]) -> String {
    let mut out = "time,sensor,seq,raw,value,u,unit,state,reasons,transform,version,p0,p1,event\n".to_owned();
    for reading in readings {
        let (id, version) = reading
            .transform
            .as_ref()
            .map_or((String::new(), String::new()), |t| (t.id.to_string(), t.version.to_string()));
        let cells = [
            reading.time.to_string(),
            reading.sensor.to_string(),
            reading.seq.to_string(),
            number(reading.raw),
            number(reading.value),
            number(reading.u),
            quoted(&reading.unit),
            clean(&reading.state),
            quoted(&reading.reasons.join(" ")),
            id,
            version,
            number(reading.p0),
            number(reading.p1),
            quoted(reading.event.as_deref().unwrap_or_default()),
        ];
        out.push_str(&cells.join(","));
        out.push('\n');
    }
    out
}

/// One array.
pub fn senml(readings: &[Reading]) -> Vec<u8> {
    let mut out = Vec::new();
    senml::write(&readings.iter().map(entry).collect::<Vec<_>>(), &mut out);
    out
}

fn entry(reading: &Reading) -> Entry<'_> {
    Entry {
        sensor: reading.sensor.as_str(),
        time: reading.time,
        raw: reading.raw,
        value: reading.value,
        u: reading.u,
        unit: &reading.unit,
        state: &reading.state,
    }
}

/// A cell with all digits of a number.
pub fn number(value: Option<f64>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

/// A cell, in quotes where CSV needs them (RFC 4180).
pub fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_with_separators_are_quoted() {
        assert_eq!((quoted("mg/m3"), quoted("a,\"b\"")), ("mg/m3".into(), "\"a,\"\"b\"\"\"".into()));
    }
}
