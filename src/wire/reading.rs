//! Readings as JSON: the full form, and forms with chosen fields.

use serde::Serialize;

use super::reading_field::ReadingField;
use crate::domain::sample::{Reading, TransformRef};

/// A reading as published; field order is that of the reference.
#[derive(Serialize)]
struct Full<'a> {
    sensor: &'a str,
    seq: u64,
    after: Option<u64>,
    time: Ascii<27>,
    raw: Option<f64>,
    value: Option<f64>,
    u: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p0: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p1: Option<f64>,
    unit: &'a str,
    state: &'a str,
    reasons: crate::domain::quality::Reasons,
    transform: Option<&'a TransformRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a str>,
}

/// ASCII text of a fixed length.
struct Ascii<const N: usize>([u8; N]);

impl<const N: usize> Serialize for Ascii<N> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(std::str::from_utf8(&self.0).unwrap_or_default())
    }
}

/// How a sink writes readings.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadingFormat {
    /// `,"key":` for each field (the first without its comma); empty: the full form.
    fields: Vec<(Vec<u8>, ReadingField)>,
}

impl ReadingFormat {
    /// The full form.
    pub fn full() -> ReadingFormat {
        ReadingFormat { fields: Vec::new() }
    }

    /// An object with these keys, in this order; the full form if there are none.
    pub fn with_fields(fields: &[(String, ReadingField)]) -> ReadingFormat {
        let prefix = |(index, (key, field)): (usize, &(String, ReadingField))| {
            let comma = if index == 0 { "" } else { "," };
            (format!("{comma}{}:", serde_json::Value::from(key.as_str())).into_bytes(), *field)
        };
        ReadingFormat { fields: fields.iter().enumerate().map(prefix).collect() }
    }

    /// Appends one reading as a JSON object.
    pub fn write(&self, reading: &Reading, out: &mut Vec<u8>) {
        if self.fields.is_empty() {
            return append(out, &full(reading));
        }
        out.push(b'{');
        for (prefix, field) in &self.fields {
            out.extend_from_slice(prefix);
            write_field(*field, reading, out);
        }
        out.push(b'}');
    }

    /// Several readings as a JSON array.
    pub fn write_batch(&self, readings: &[Reading], out: &mut Vec<u8>) {
        out.push(b'[');
        for (index, reading) in readings.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            self.write(reading, out);
        }
        out.push(b']');
    }
}

fn full(reading: &Reading) -> Full<'_> {
    Full {
        sensor: reading.sensor.as_str(),
        seq: reading.seq,
        after: reading.after,
        time: Ascii(reading.time.to_ascii()),
        raw: reading.raw,
        value: reading.value,
        u: reading.u,
        p0: reading.p0_p1.map(|[p0, _]| p0),
        p1: reading.p0_p1.map(|[_, p1]| p1),
        unit: &reading.unit,
        state: reading.state.as_str(),
        reasons: reading.reasons,
        transform: reading.transform.as_deref(),
        event: reading.event.as_deref(),
    }
}

fn write_field(field: ReadingField, reading: &Reading, out: &mut Vec<u8>) {
    match field {
        ReadingField::Sensor => append(out, &reading.sensor.as_str()),
        ReadingField::Seq => append(out, &reading.seq),
        ReadingField::After => append(out, &reading.after),
        ReadingField::Time => append(out, &Ascii(reading.time.to_ascii())),
        ReadingField::TimeMs => append(out, &reading.time.as_micros().div_euclid(1000)),
        ReadingField::Raw => append(out, &reading.raw),
        ReadingField::Value => append(out, &reading.value),
        ReadingField::U => append(out, &reading.u),
        ReadingField::P0 => append(out, &reading.p0_p1.map(|[p0, _]| p0)),
        ReadingField::P1 => append(out, &reading.p0_p1.map(|[_, p1]| p1)),
        ReadingField::Unit => append(out, &&*reading.unit),
        ReadingField::State => append(out, &reading.state.as_str()),
        ReadingField::Reasons => append(out, &reading.reasons),
        ReadingField::Transform => append(out, &reading.transform.as_deref()),
        ReadingField::Event => append(out, &reading.event.as_deref()),
    }
}

fn append<T: Serialize>(out: &mut Vec<u8>, value: &T) {
    // Writing numbers, texts and flat structs to memory cannot fail.
    let _ = serde_json::to_writer(out, value);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::digest::Digest;
    use crate::domain::id::Id;
    use crate::domain::quality::{ReasonCode, Reasons, State};
    use crate::domain::time::Timestamp;

    pub fn reading() -> Reading {
        Reading {
            sensor: Id::new("co-1").unwrap(),
            seq: 1841,
            after: Some(1840),
            time: Timestamp::parse("2026-11-22T10:00:00.123456Z").unwrap(),
            received: Timestamp::parse("2026-11-22T10:00:00.123456Z").unwrap(),
            raw: Some(512.25),
            value: Some(4.9812),
            u: Some(0.091),
            p0_p1: None,
            event: None,
            unit: Arc::from("mg/m3"),
            state: State::Valid,
            reasons: Reasons::NONE,
            transform: Some(Arc::new(TransformRef {
                id: Id::new("co-electrochemical").unwrap(),
                version: 7,
                digest: Digest::of(&[b"x"]),
            })),
        }
    }

    #[test]
    fn the_full_form_is_that_of_the_reference() {
        let mut out = Vec::new();
        ReadingFormat::full().write(&reading(), &mut out);
        let digest = Digest::of(&[b"x"]);
        let expected = format!(
            r#"{{"sensor":"co-1","seq":1841,"after":1840,"time":"2026-11-22T10:00:00.123456Z","raw":512.25,"value":4.9812,"u":0.091,"unit":"mg/m3","state":"valid","reasons":[],"transform":{{"id":"co-electrochemical","version":7,"digest":"{digest}"}}}}"#
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_raw_reading_has_nulls() {
        let mut raw = reading();
        (raw.value, raw.u, raw.transform, raw.after) = (None, None, None, None);
        raw.reasons = Reasons::of(ReasonCode::RawOnly);
        let mut out = Vec::new();
        ReadingFormat::full().write(&raw, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains(r#""after":null"#) && text.contains(r#""value":null,"u":null"#), "{text}");
        assert!(text.contains(r#""reasons":["raw_only"],"transform":null"#), "{text}");
    }

    #[test]
    fn a_probability_carries_the_two_that_it_merges() {
        let mut merged = reading();
        merged.p0_p1 = Some([0.4, 0.55]);
        let mut out = Vec::new();
        ReadingFormat::full().write(&merged, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains(r#""u":0.091,"p0":0.4,"p1":0.55,"unit""#), "{text}");
    }

    #[test]
    fn a_reading_names_its_event_where_it_has_one() {
        let named = Reading { event: Some("batch/17".into()), ..reading() };
        let mut out = Vec::new();
        ReadingFormat::full().write(&named, &mut out);
        assert!(String::from_utf8(out).unwrap().ends_with(r#"},"event":"batch/17"}"#));
    }

    #[test]
    fn chosen_fields_keep_their_order_and_names() {
        let fields = [("ts".to_owned(), ReadingField::TimeMs), ("v\"".to_owned(), ReadingField::Value)];
        let mut out = Vec::new();
        ReadingFormat::with_fields(&fields).write_batch(&[reading(), reading()], &mut out);
        let one = r#"{"ts":1795341600123,"v\"":4.9812}"#;
        assert_eq!(String::from_utf8(out).unwrap(), format!("[{one},{one}]"));
    }

    #[test]
    fn every_field_writes_valid_json() {
        for (name, field) in ReadingField::ALL {
            let mut out = Vec::new();
            ReadingFormat::with_fields(&[(name.to_owned(), field)]).write(&reading(), &mut out);
            serde_json::from_slice::<serde_json::Value>(&out).unwrap();
        }
    }
}
