//! Layouts as they are written, and what is said of wrong ones.

use super::*;
use crate::config::reader::read_str;
use crate::wire::number::Value;

fn read_as(usage: Usage, text: &str) -> (Option<Layout>, Vec<String>) {
    let (layout, faults) = read_str("a.toml", text, |root| read(root, usage));
    (layout, faults.iter().map(ToString::to_string).collect())
}

fn good(usage: Usage, text: &str) -> Decoder {
    let (layout, faults) = read_as(usage, text);
    assert_eq!(faults, [""; 0]);
    Decoder::new(&layout.unwrap()).unwrap()
}

/// The faults of a wrong layout, which is never accepted.
fn faults(usage: Usage, text: &str) -> Vec<String> {
    let (layout, faults) = read_as(usage, text);
    assert!(layout.is_none() || !faults.is_empty());
    faults
}

#[test]
fn csv_with_a_time_of_two_columns() {
    let text = r#"
        format = { kind = "csv", separator = ";", decimal = ",", columns = 5 }
        [fields]
        co = { column = 2, missing = [-200, "---"] }
        time = { columns = [0, 1], format = "%d/%m/%Y %H.%M.%S", offset = "+01:00" }
    "#;
    let mut decoder = good(Usage::Stream, text);
    let record = decoder.message(b"10/03/2004;18.00.00;2,6;1;2").unwrap();
    assert_eq!(record.values, [Value::Number(2.6)]);
    assert_eq!(record.device_time.unwrap().to_string(), "2004-03-10T17:00:00.000000Z");
    for missing in [&b"a;b;---;1;2"[..], b"a;b;-200;1;2"] {
        assert_eq!(decoder.message(missing).unwrap().values, [Value::Missing]);
    }
}

#[test]
fn json_as_in_the_reference() {
    let text = r#"
        format = { kind = "json" }
        fields = { value = { pointer = "/v" }, time = { pointer = "/ts", unit = "ms" } }
    "#;
    let mut decoder = good(Usage::Message, text);
    let record = decoder.message(br#"{"ts":1000,"v":4.5}"#).unwrap();
    assert_eq!(record.device_time.unwrap().to_string(), "1970-01-01T00:00:01.000000Z");
}

#[test]
fn the_event_of_the_values_is_no_field() {
    let json = r#"
        format = { kind = "json" }
        fields = { p = { pointer = "/p" }, event = { pointer = "/id" } }
    "#;
    let mut decoder = good(Usage::Message, json);
    for (text, event, faults) in [
        (r#"{"p":0.5,"id":"batch/17"}"#, Some("batch/17"), 0),
        (r#"{"id":18446744073709551615,"p":0.5}"#, Some("18446744073709551615"), 0),
        (r#"{"p":0.5}"#, None, 0),
        (r#"{"p":0.5,"id":null}"#, None, 0),
        (r#"{"p":0.5,"id":" "}"#, None, 0),
        (r#"{"p":0.5,"id":1.5}"#, None, 1),
        (r#"{"p":0.5,"id":"two words"}"#, None, 1),
        (r#"{"p":0.5,"id":{"a":1}}"#, None, 1),
        (r#"{"p":0.5,"id":"a","id":"b"}"#, None, 1),
    ] {
        let record = decoder.message(text.as_bytes()).unwrap();
        assert_eq!((record.event, record.faults.len()), (event, faults), "{text}");
        assert_eq!(record.values, [Value::Number(0.5)], "{text}");
    }
    assert!(decoder.message(br#"{"id":"batch/17"}"#).is_err(), "an event alone is no reading");
    let csv = "format = { kind = \"csv\" }\nfields = { p = { column = 1 }, event = { column = 0 } }";
    assert_eq!(good(Usage::Stream, csv).message(b"e-1,0.5").unwrap().event, Some("e-1"));
    let regex = r"
        format = { kind = 'regex', pattern = '^(?P<id>\S+) (?P<p>\S+)$' }
        fields = { p = { group = 'p' }, event = { group = 'id' } }
    ";
    assert_eq!(good(Usage::Stream, regex).message(b"e-1 0.5").unwrap().event, Some("e-1"));
    let raw = "format = { kind = \"raw\" }\nfields = { p = {}, event = {} }";
    assert!(faults(Usage::Message, raw)[0].contains("no event"));
}

#[test]
fn frames_with_the_defaults_of_a_checksum_at_the_end() {
    let text = r#"
        [format]
        kind = "frame"
        start = "5a 5a 3f"
        length = { offset = 3, adds = 5, max = 64 }
        checksum = { kind = "sum8" }
        [fields]
        temperature = { offset = 4, width = 2, endian = "big", signed = true, scale = 0.01 }
    "#;
    let frame = b"\x5a\x5a\x3f\x0f\x09\x7d\x0a\xc4\x01\x8b\x89\x00\x19\x00\x00\x9e\xf2\x00\x05\x19";
    assert_eq!(good(Usage::Stream, text).message(frame).unwrap().values, [Value::Number(24.29)]);
    let text = r#"
        format = { kind = "frame", start = "aac0", length = 10, tail = "ab", checksum = { kind = "sum8", from = 2 } }
        fields = { pm25 = { offset = 2, width = 2, endian = "little", scale = 0.1 } }
    "#;
    let frame = [0xaa, 0xc0, 6, 0, 6, 0, 0x58, 0xd9, 0x3d, 0xab];
    assert_eq!(good(Usage::Stream, text).message(&frame).unwrap().values, [Value::Number(0.6)]);
}

#[test]
fn regex_raw_and_presets() {
    let text = r#"
        format = { kind = "regex", pattern = 'CO=(?P<co>\S+)' }
        fields = { co = { group = "co" } }
    "#;
    assert_eq!(good(Usage::Stream, text).message(b"CO=4").unwrap().values, [Value::Number(4.0)]);
    let text = "format = { kind = \"raw\", max_length = \"1KiB\" }\nfields = { value = {} }";
    assert_eq!(good(Usage::Message, text).message(b"4").unwrap().values, [Value::Number(4.0)]);
    let (layout, _) = read_as(Usage::Stream, "format = { preset = \"pms5003\" }");
    assert_eq!(layout.unwrap().fields.len(), 13);
    let text = "format = { preset = \"pms5003\" }\nfields = { pm25 = { missing = [65535] } }";
    assert_eq!(read_as(Usage::Stream, text).0.unwrap().fields.len(), 1);
}

#[test]
fn a_file_is_csv_and_may_name_its_columns() {
    let text = "fields = { co = { column = \"CO(GT)\" }, time = { column = \"when\" } }";
    let (layout, faults) = read_as(Usage::File, text);
    assert_eq!(faults, [""; 0]);
    let mut layout = layout.unwrap();
    crate::wire::csv::resolve(&mut layout, "\u{feff}when,\"CO(GT)\"").unwrap();
    assert_eq!(layout.fields[0].at, Locator::Column(1));
    let wrong = crate::wire::csv::resolve(&mut layout, "x").err();
    assert_eq!(wrong, None, "resolved names stay resolved");
}

#[test]
fn every_fault_is_named_with_its_key_and_remedy() {
    let cases: [(&str, &str); 17] = [
        ("", "format: is missing; write `format = { kind = \"csv\" }`"),
        ("format = {}", "format.kind: is missing"),
        ("format = { kind = \"cvs\" }", "did you mean `csv`?"),
        ("format = { kind = \"csv\" }", "fields: is missing; write `fields = { co = { column = 3 } }`"),
        ("format = { kind = \"csv\" }\nfields = {}", "fields: there is no field"),
        (
            "format = { kind = \"csv\", separator = \";;\" }\nfields = { a = { column = 1 } }",
            "is not one character",
        ),
        (
            "format = { kind = \"csv\", separator = \".\" }\nfields = { a = { column = 1 } }",
            "format.separator: is the decimal",
        ),
        (
            "format = { kind = \"csv\" }\nfields = { a = { column = \"CO\" } }",
            "fields.a.column: there is no header",
        ),
        ("format = { kind = \"csv\" }\nfields = { a = { pointer = \"/a\" } }", "fields.a.column: is missing"),
        (
            "format = { kind = \"json\" }\nfields = { a = { pointer = \"a\" } }",
            "fields.a.pointer: is not a JSON pointer",
        ),
        (
            "format = { kind = \"regex\", pattern = \"(\" }\nfields = { a = { group = \"a\" } }",
            "format.pattern: ",
        ),
        ("format = { kind = \"raw\" }\nfields = { time = {} }", "fields.time: a raw message"),
        (
            "format = { kind = \"frame\", start = \"a\", length = 3 }\nfields = { a = { offset = 1 } }",
            "format.start: `a` is not hex",
        ),
        (
            "format = { kind = \"frame\", start = \"aa\", length = 3 }\nfields = { a = { offset = 3 } }",
            "format.length: ",
        ),
        (
            "format = { kind = \"frame\", start = \"aa\", length = 3 }\nfields = { a = { offset = 1, width = 2 } }",
            "fields.a.endian: is missing",
        ),
        (
            "format = { preset = \"sds011\" }\nfields = { pm1 = {} }",
            "fields.pm1: is not a field of the preset; use some of pm25, pm10",
        ),
        (
            "format = { kind = \"csv\" }\nfields = { a = { column = 1 }, time = { column = 0, format = \"%H:%M\" } }",
            "fields.time.format: ",
        ),
    ];
    for (text, want) in cases {
        let faults = faults(Usage::Stream, text);
        assert!(faults.iter().any(|fault| fault.contains(want)), "{text}: {faults:?}");
        let unknown = usize::from(want.ends_with("a.column: is missing"));
        assert_eq!(faults.len(), 1 + unknown, "{faults:?}");
    }
}
