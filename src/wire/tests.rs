//! Properties of every decoder, and the real captures.

use std::sync::Arc;

use proptest::prelude::*;

use super::checksum::ChecksumKind;
use super::decoder::Decoder;
use super::fault::FaultKind;
use super::format::*;
use super::line::DEFAULT_MAX;
use super::number::{Decimal, Missing, Value};
use super::preset::preset;
use super::time::{Pattern, TimeFormat, TimeUnit};

/// `bytes` cut at the given places.
pub(super) fn pieces<'a>(bytes: &'a [u8], at: &[usize]) -> Vec<&'a [u8]> {
    let mut at: Vec<_> = at.iter().map(|at| at % (bytes.len() + 1)).collect();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

fn field(name: &str, at: Locator) -> FieldSpec {
    FieldSpec { name: Arc::from(name), at, missing: Missing { numbers: vec![-200.0], texts: vec![] } }
}

fn layout(format: FormatSpec, fields: Vec<FieldSpec>, time: Option<TimeSpec>) -> Layout {
    Layout { format, fields, time, event: None, max_length: DEFAULT_MAX }
}

fn csv() -> Layout {
    let spec = CsvSpec { separator: b';', decimal: Decimal::Comma, columns: None };
    let format = TimeFormat::Pattern(Pattern::new("%d/%m/%Y %H.%M.%S", 0).unwrap());
    let time = TimeSpec { at: vec![Locator::Column(0), Locator::Column(1)], format };
    let fields = vec![field("co", Locator::Column(2)), field("t", Locator::Column(4))];
    layout(FormatSpec::Csv(spec), fields, Some(time))
}

fn json() -> Layout {
    let time =
        TimeSpec { at: vec![Locator::Pointer("/ts".into())], format: TimeFormat::Unix(TimeUnit::Millis) };
    let fields =
        vec![field("v", Locator::Pointer("/v".into())), field("deep", Locator::Pointer("/a/1/b~1c".into()))];
    layout(FormatSpec::Json, fields, Some(time))
}

fn regex() -> Layout {
    let pattern = r"(?i)^(?P<name>\w+): CO\s*=\s*(?P<co>\S+) ppm(?: T=(?P<t>\S+))?";
    let fields = vec![field("co", Locator::Group("co".into())), field("t", Locator::Group("t".into()))];
    layout(FormatSpec::Regex { pattern: pattern.into() }, fields, None)
}

fn stated() -> Layout {
    let frame = FrameSpec {
        start: vec![0xaa],
        length: FrameLength::Stated { at: byte(1), adds: 3, max: 32 },
        checksum: Some(ChecksumSpec { kind: ChecksumKind::Xor8, from: 1, to: -1, at: -1 }),
        tail: vec![],
    };
    layout(
        FormatSpec::Frame(frame),
        vec![field("x", Locator::Integer { at: byte(2), scale: 0.5, add: -1.0 })],
        None,
    )
}

fn byte(offset: usize) -> IntegerSpec {
    IntegerSpec { offset, width: 1, little: false, signed: false }
}

fn raw() -> Layout {
    layout(FormatSpec::Raw, vec![field("value", Locator::Whole)], None)
}

fn all() -> Vec<Layout> {
    vec![csv(), json(), regex(), stated(), raw(), preset("sds011").unwrap(), preset("pmsx003").unwrap()]
}

/// The values of a record, or what was wrong with it.
type Outcome = Result<Vec<Value>, FaultKind>;

/// What came out, as text: records with their times and captures, and faults.
fn decode(layout: &Layout, pieces: &[&[u8]]) -> Vec<String> {
    let mut decoder = Decoder::new(layout).unwrap();
    let mut out = Vec::new();
    for piece in pieces {
        decoder.push(piece, &mut |record| out.push(format!("{record:?}")));
    }
    decoder.finish(&mut |record| out.push(format!("{record:?}")));
    out
}

fn values(layout: &Layout, bytes: &[u8]) -> Vec<Outcome> {
    let mut decoder = Decoder::new(layout).unwrap();
    let mut out = Vec::new();
    decoder.push(bytes, &mut |record| out.push(record.map(|r| r.values.to_vec()).map_err(|e| e.kind)));
    out
}

fn message(layout: &Layout, bytes: &[u8]) -> Outcome {
    let mut decoder = Decoder::new(layout).unwrap();
    decoder.message(bytes).map(|record| record.values.to_vec()).map_err(|error| error.kind)
}

const N: fn(f64) -> Value = Value::Number;

/// Bytes that look enough like input to get past the first check.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..8),
        2 => Just(b"10/03/2004;18.00.00;2,6;1360;-200;;\r\n".to_vec()),
        2 => Just(br#"{"ts":1601220052123,"v":-3.25,"a":[0,{"b/c":"7"}]}"#.to_vec()),
        2 => Just(b"north: co = 4.5 ppm T=nan\n".to_vec()),
        2 => Just(vec![0xaa, 0xc0, 6, 0, 6, 0, 0x58, 0xd9, 0x3d, 0xab]),
        2 => Just(vec![0xaa, 1, 9, 8]),
        1 => Just(b"BM\x00\x1c".to_vec()),
        1 => Just(b"\"\";\"\n".to_vec()),
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_however_cut_give_the_same_records(bytes in stream(), at in prop::collection::vec(0usize..400, 0..12)) {
        for layout in all() {
            prop_assert_eq!(decode(&layout, &pieces(&bytes, &at)), decode(&layout, &[&bytes]));
        }
    }

    #[test]
    fn any_message_is_a_record_or_a_fault(bytes in stream()) {
        for layout in all() {
            for value in message(&layout, &bytes).unwrap_or_default() {
                prop_assert!(!matches!(value, Value::Number(number) if !number.is_finite()));
            }
        }
    }

    #[test]
    fn good_frames_are_found_among_garbage(noise in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 1..6)) {
        let frame = [0xaa, 0xc0, 6, 0, 6, 0, 0x58, 0xd9, 0x3d, 0xab];
        let mut bytes = noise.join(&frame[..]);
        // Ten more bytes complete any false frame that begins in the last true one's neighbourhood.
        bytes.extend([0; 10]);
        let layout = preset("sds011").unwrap();
        let found = values(&layout, &bytes).into_iter().filter(|r| r.is_ok()).count();
        prop_assert!(found >= noise.len() - 1, "{found} of {}", noise.len() - 1);
    }
}

fn capture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/data/captures/{name}.hexdump", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let bytes = text.lines().flat_map(|line| {
        let hex = line.split_once(": ").unwrap().1.split("  ").next().unwrap();
        hex.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap())
    });
    bytes.collect()
}

/// The decoded table of a capture: names and rows.
fn table(name: &str) -> (Vec<String>, Vec<Vec<f64>>) {
    let path = format!("{}/tests/data/captures/{name}.csv", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let names = lines.next().unwrap().split(", ").map(str::to_owned).collect();
    (names, lines.map(|line| line.split(", ").map(|cell| cell.parse().unwrap()).collect()).collect())
}

/// Holds every field against the decoded table, after the name that the table gives it.
fn agrees(layout: &Layout, name: &str, column_of: &dyn Fn(&str) -> Option<&'static str>, tolerance: f64) {
    let (names, rows) = table(name);
    let noise = [&[0x42, 0xaa][..], &capture(name), &[0xaa]].concat();
    let records: Vec<_> = values(layout, &noise).into_iter().filter_map(Result::ok).collect();
    assert_eq!(records.len(), rows.len());
    for (record, row) in records.iter().zip(&rows) {
        for (field, value) in layout.fields.iter().zip(record) {
            let Some(column) = column_of(&field.name) else { continue };
            let want = row[names.iter().position(|name| name == column).unwrap()];
            let Value::Number(got) = value else { panic!("{}: {value:?}", field.name) };
            assert!((got - want).abs() <= tolerance, "{}: {got} is not {want}", field.name);
        }
    }
}

#[test]
fn the_sds011_preset_reads_the_real_capture() {
    let names = |name: &str| Some(if name == "pm25" { "pm25" } else { "pm10" });
    agrees(&preset("sds011").unwrap(), "SDS01x", &names, 0.0);
}

#[test]
fn the_plantower_presets_read_the_real_capture() {
    let names = |name: &str| {
        let pairs = [
            ("pm1_cf1", "raw01"),
            ("pm25_cf1", "raw25"),
            ("pm10_cf1", "raw10"),
            ("pm1", "pm01"),
            ("pm25", "pm25"),
            ("pm10", "pm10"),
            ("n0_3", "n0_3"),
            ("n0_5", "n0_5"),
            ("n1_0", "n1_0"),
            ("n2_5", "n2_5"),
            ("n5_0", "n5_0"),
            ("n10_0", "n10_0"),
        ];
        pairs.iter().find(|(ours, _)| *ours == name).map(|(_, theirs)| *theirs)
    };
    agrees(&preset("pms5003").unwrap(), "PMSx003", &names, 0.0);
    agrees(&preset("pmsx003").unwrap(), "PMSx003", &names, 0.0);
}

#[test]
fn a_described_frame_reads_the_capture_of_an_instrument_without_a_preset() {
    let integer = |offset, width, signed, scale| Locator::Integer {
        at: IntegerSpec { offset, width, little: false, signed },
        scale,
        add: 0.0,
    };
    let frame = FrameSpec {
        start: vec![0x5a, 0x5a, 0x3f],
        length: FrameLength::Stated { at: byte(3), adds: 5, max: 64 },
        checksum: Some(ChecksumSpec { kind: ChecksumKind::Sum8, from: 0, to: -1, at: -1 }),
        tail: vec![],
    };
    let fields = vec![
        field("temp", integer(4, 2, true, 0.01)),
        field("rhum", integer(6, 2, false, 0.01)),
        field("pres", integer(8, 3, false, 0.01)),
        field("gas", integer(13, 4, false, 0.001)),
        field("alt", integer(17, 2, true, 1.0)),
    ];
    let names = |name: &str| ["temp", "rhum", "pres", "gas", "alt"].into_iter().find(|n| *n == name);
    // The table is rounded to one digit.
    agrees(&layout(FormatSpec::Frame(frame), fields, None), "MCU680", &names, 0.0501);
}

#[test]
fn a_true_frame_inside_a_rejected_one_is_found() {
    let mut bytes = vec![0xaa, 0xc0, 1, 2];
    bytes.extend([0xaa, 0xc0, 6, 0, 6, 0, 0x58, 0xd9, 0x3d, 0xab]);
    let found = values(&preset("sds011").unwrap(), &bytes);
    assert_eq!(found, [Err(FaultKind::BadTail), Ok(vec![N(0.6), N(0.6)])]);
}

#[test]
fn every_broken_frame_is_named_after_what_is_wrong() {
    let sds = preset("sds011").unwrap();
    let good = [0xaa, 0xc0, 6, 0, 6, 0, 0x58, 0xd9, 0x3d, 0xab];
    for (at, want) in [(0, FaultKind::Garbage), (3, FaultKind::BadChecksum), (9, FaultKind::BadTail)] {
        let mut bad = good;
        bad[at] ^= 1;
        assert_eq!(message(&sds, &bad), Err(want));
        assert_eq!(values(&sds, &bad)[0], Err(want));
    }
    assert_eq!(message(&sds, &good[..9]), Err(FaultKind::BadLength));
    assert_eq!(message(&sds, &[&good[..], &[0]].concat()), Err(FaultKind::BadLength));
    assert_eq!(message(&stated(), &[0xaa, 0xff, 0, 0]), Err(FaultKind::BadLength));
    assert_eq!(message(&stated(), &[0xaa, 1, 9, 8]), Ok(vec![N(3.5)]));
}

#[test]
fn csv_lines_of_the_air_quality_set() {
    let mut decoder = Decoder::new(&csv()).unwrap();
    let record = decoder.message(b"\xef\xbb\xbf10/03/2004;18.00.00;2,6;1360;-200;;\r\n").unwrap();
    assert_eq!(record.values, [N(2.6), Value::Missing]);
    assert_eq!(record.device_time.unwrap().to_string(), "2004-03-10T18:00:00.000000Z");
    let record = decoder.message(b";;;;;;").unwrap();
    assert_eq!((record.values, record.device_time), (&[Value::Missing; 2][..], None));
}

#[test]
fn a_cut_or_garbled_csv_line_gives_no_false_value() {
    let line = b"10/03/2004;18.00.00;2,6;1360;13,6;48\n";
    assert_eq!(values(&csv(), &line[..20]), []);
    assert_eq!(values(&csv(), b"10/03/2004;18.00.00;2,6\n"), [Err(FaultKind::NoSuchField)]);
    assert_eq!(values(&csv(), b"a;b;2.6;1;-2x0\n"), [Err(FaultKind::BadNumber)]);
    assert_eq!(values(&csv(), b"a;b;2,6;1;-2x0\n"), [Ok(vec![N(2.6), Value::Absent])]);
    assert_eq!(values(&csv(), b"a;b;\xff;1;2\n"), [Err(FaultKind::BadUtf8)]);
    assert_eq!(values(&csv(), b"a;b;\"2;1;2\n"), [Err(FaultKind::BadQuote)]);
    assert_eq!(message(&csv(), b"a;b;1;1;2\na;b;1;1;2"), Err(FaultKind::Garbage));
    let mut exact = csv();
    exact.format = FormatSpec::Csv(CsvSpec { separator: b';', columns: Some(5), ..CsvSpec::default() });
    assert_eq!(
        values(&exact, b"a;b;1;1;2\na;b;1;1;2;3\n"),
        [Ok(vec![N(1.0), N(2.0)]), Err(FaultKind::NoSuchField)]
    );
}

#[test]
fn not_a_number_is_missing_and_counted_and_a_bad_time_costs_only_the_time() {
    let mut decoder = Decoder::new(&csv()).unwrap();
    let record = decoder.message(b"0/0/0;x;nan;;inf;").unwrap();
    assert_eq!(record.values, [Value::Missing, Value::Missing]);
    let kinds: Vec<_> = record.faults.iter().map(|fault| fault.kind).collect();
    assert_eq!(kinds, [FaultKind::NotFinite, FaultKind::NotFinite, FaultKind::BadTime]);
    assert_eq!(record.device_time, None);
}

#[test]
fn json_is_read_where_the_pointers_lead() {
    let mut decoder = Decoder::new(&json()).unwrap();
    let record =
        decoder.message(br#"{"x":[[{}]],"v":-3.25,"a":[0,{"b/c":" 7 "}],"ts":1601220052123}"#).unwrap();
    assert_eq!(record.values, [N(-3.25), N(7.0)]);
    assert_eq!(record.device_time.unwrap().to_string(), "2020-09-27T15:20:52.123000Z");
    assert!(record.faults.is_empty());
    let cases: [(&[u8], Outcome); 14] = [
        (br#"{"v":null}"#, Ok(vec![Value::Missing, Value::Absent])),
        (br#"{"v":"-200"}"#, Ok(vec![Value::Missing, Value::Absent])),
        (br#"{"v":1,"a":[0,{"b/c":-200}]}"#, Ok(vec![N(1.0), Value::Missing])),
        (br#"{"v":18446744073709551615}"#, Ok(vec![N(18446744073709551615.0), Value::Absent])),
        (br#"{"v":"NaN"}"#, Ok(vec![Value::Missing, Value::Absent])),
        (br#"{"v":NaN}"#, Err(FaultKind::BadJson)),
        (br#"{"v":1e999}"#, Err(FaultKind::BadJson)),
        (br#"{"v":true}"#, Err(FaultKind::BadNumber)),
        (br#"{"v":{"v":1}}"#, Err(FaultKind::BadNumber)),
        (br#"{"v":1,"v":2}"#, Err(FaultKind::Duplicate)),
        (br#"{"w":1}"#, Err(FaultKind::NoSuchField)),
        (br#"{"v":1} x"#, Err(FaultKind::BadJson)),
        (b"{\"v\":1,\"w\":\"\xff\"}", Err(FaultKind::BadUtf8)),
        (b"", Err(FaultKind::BadJson)),
    ];
    for (payload, want) in cases {
        assert_eq!(message(&json(), payload), want, "{}", payload.escape_ascii());
    }
}

#[test]
fn hostile_json_is_refused_without_harm() {
    let deep = "[".repeat(60_000);
    assert_eq!(message(&json(), deep.as_bytes()), Err(FaultKind::BadJson));
    let deep = format!("{{\"a\":{}", "[".repeat(60_000));
    assert_eq!(message(&json(), deep.as_bytes()), Err(FaultKind::BadJson));
    assert_eq!(message(&json(), &vec![b' '; DEFAULT_MAX + 1]), Err(FaultKind::TooLong));
}

#[test]
fn regex_groups_are_fields_or_captures() {
    let mut decoder = Decoder::new(&regex()).unwrap();
    assert_eq!(decoder.capture_names(), ["name"]);
    let record = decoder.message(b"north: co = 4.5 ppm\xff").unwrap();
    assert_eq!(record.values, [N(4.5), Value::Absent]);
    assert_eq!(record.captures, [("name", "north")]);
    assert_eq!(record.readings().collect::<Vec<_>>(), [(0, Some(4.5))]);
    assert_eq!(message(&regex(), b"boot ok"), Err(FaultKind::NoMatch));
    assert_eq!(message(&regex(), b"a: CO=\xff ppm"), Err(FaultKind::BadUtf8));
}

#[test]
fn regex_groups_are_found_beside_other_characters_and_bytes_that_are_none() {
    let wanted = |pattern: &str| Layout { format: FormatSpec::Regex { pattern: pattern.into() }, ..regex() };
    let value = |pattern, line: &[u8]| message(&wanted(pattern), line).map(|values| values[0]);
    let both = r"(?P<t>)(?P<co>\d+)";
    for line in [&b"\xb0\xff\xc2 17"[..], "µ°C 17".as_bytes(), b"\xf0\x9f\xff\xc2\xb5 17 \xe2\x82"] {
        assert_eq!(value(both, line), Ok(N(17.0)), "{line:?}");
    }
    let named = r"(?P<t>)(?P<co>\d+) °C.$";
    assert_eq!(value(named, "17 °C\u{b7}".as_bytes()), Ok(N(17.0)));
    assert_eq!(value(named, b"17 \xc2\xb0C\xb7"), Ok(N(17.0)));
    assert_eq!(value(named, b"17 \xb0C."), Err(FaultKind::NoMatch));
}

#[test]
fn a_plain_number_is_a_message() {
    assert_eq!(message(&raw(), b" 21.5\n"), Ok(vec![N(21.5)]));
    assert_eq!(message(&raw(), b"-200"), Ok(vec![Value::Missing]));
    assert_eq!(message(&raw(), b"on"), Err(FaultKind::BadNumber));
}

#[test]
fn layouts_that_cannot_work_name_the_field_and_the_key() {
    let wrong = |layout: Layout| {
        let error = Decoder::new(&layout).unwrap_err();
        (error.field.map(|field| field.to_string()), error.key)
    };
    let on = |base: Layout, at: Locator| Layout { fields: vec![field("x", at)], ..base };
    let x = Some("x".to_owned());
    assert_eq!(wrong(on(csv(), Locator::Whole)), (x.clone(), "column"));
    assert_eq!(wrong(on(csv(), Locator::Header("CO".into()))), (x.clone(), "column"));
    assert_eq!(wrong(on(json(), Locator::Pointer("v".into()))), (x.clone(), "pointer"));
    assert_eq!(wrong(on(json(), Locator::Pointer("/ts/x".into()))).1, "pointer");
    assert_eq!(wrong(on(regex(), Locator::Group("none".into()))), (x.clone(), "group"));
    let wide = Locator::Integer { at: IntegerSpec { width: 7, ..byte(0) }, scale: 1.0, add: 0.0 };
    assert_eq!(wrong(on(stated(), wide)), (x.clone(), "offset"));
    let flat = Locator::Integer { at: byte(2), scale: f64::NAN, add: 0.0 };
    assert_eq!(wrong(on(stated(), flat)), (x, "scale"));
    let far = Locator::Integer { at: byte(31), scale: 1.0, add: 0.0 };
    assert!(Decoder::new(&on(stated(), far)).is_ok());
    assert_eq!(wrong(Layout { fields: vec![], ..raw() }), (None, "fields"));
    assert_eq!(wrong(Layout { max_length: 0, ..raw() }), (None, "max_length"));
    let pattern = |pattern: &str| Layout { format: FormatSpec::Regex { pattern: pattern.into() }, ..regex() };
    assert_eq!(wrong(pattern("(")), (None, "pattern"));
    assert_eq!(wrong(pattern("(?P<co>a{1000}{1000})(?P<t>)")), (None, "pattern"));
}
