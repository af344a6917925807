//! Decoding and calibrating a reading allocate nothing, whatever the format, the transform and the reading.

use calibd::config::reader::read_str;
use calibd::domain::monitor::peers::{PeerLimits, PeerValue, Peers};
use calibd::domain::monitor::{Limits, Monitors, Observed};
use calibd::domain::resample::Seeded;
use calibd::domain::time::Timestamp;
use calibd::domain::transform::artifact::Transform;
use calibd::domain::transform::{Covariate, Input, compile};
use calibd::source::layout::read_layout;
use calibd::wire::decoder::Decoder;

use crate::support::allocator::allocations;

const PIPELINE: &str = r#"{"kind": "offset", "offset": 1, "covariance": [[0.1]]},
    {"kind": "polynomial", "coefficients": [0, 1, 0.001], "covariance": [[1, 0, 0], [0, 1e-4, 0], [0, 0, 1e-9]]},
    {"kind": "table", "x": [0, 10, 50, 100], "y": [0, 11, 48, 103]},
    {"kind": "affine", "offset": 0, "gain": 1.1, "covariance": [[1, 0.01], [0.01, 1]]},
    {"kind": "unit", "from": "[ppb]", "to": "[ppm]"}"#;

const AROUND: &str = r#"{"kind": "multilinear", "offset": 1, "gain": 1.5,
    "terms": [{"covariate": "temperature", "gain": 0.5}],
    "covariance": [[1, 0, 0], [0, 1e-4, 0], [0, 0, 1e-4]]},
    {"kind": "covariate_polynomial", "covariate": "temperature", "reference": 20, "coefficients": [0.1, 0.01]},
    {"kind": "covariate_table", "covariate": "temperature", "x": [0, 20, 30], "y": [1, 1.1, 1.3],
        "operation": "multiply", "u": [0.1, 0.1, 0.1]},
    {"kind": "pchip", "x": [0, 40, 100], "y": [0, 55, 99], "u": [0.1, 0.2, 0.3]},
    {"kind": "logarithm", "parameters": [1, 30]}"#;

fn transform(pipeline: &str, outside: &str) -> Transform {
    let text = format!(
        r#"{{"schema": 1, "id": "t", "epoch": 1, "version": 1,
            "target": {{"fleet": "f", "sensors": ["s"]}}, "quantity": "q", "input_unit": "mV",
            "output_unit": "[ppm]", "pipeline": [{pipeline}],
            "domain": {{"input": [0, 100], "output": [0, 0.2], "covariates": {{"temperature": [0, 40]}},
                "outside": "{outside}"}},
            "uncertainty": {{"residual_std": 0.08}},
            "issued_at": "2026-11-22T10:00:00Z", "expires": "2027-11-22T00:00:00Z"}}"#
    );
    Transform::parse(text.as_bytes()).expect("parses")
}

#[test]
fn calibrating_a_reading_allocates_nothing() {
    assert_ne!(allocations(|| drop(transform(PIPELINE, "flag"))), 0, "the allocator counts");
    let around = [AROUND, PIPELINE].join(",");
    for pipeline in [PIPELINE, &around] {
        for outside in ["clamp", "flag", "reject", "extrapolate"] {
            let compiled = compile(&transform(pipeline, outside)).expect("compiles");
            for raw in [50.0, -1000.0, 1e300, f64::NAN] {
                for temperature in [Some(20.0), Some(-20.0), None] {
                    let covariates = [temperature.map(|value| Covariate { value, u: Some(0.5) })];
                    let input = Input { raw, u_raw: Some(0.1), covariates: &covariates, age_days: 3.0 };
                    let count = allocations(|| {
                        std::hint::black_box(compiled.apply(std::hint::black_box(&input)));
                    });
                    assert_eq!(count, 0, "{outside} {input:?}");
                }
            }
        }
    }
}

#[test]
fn watching_a_reading_allocates_nothing() {
    let (mut monitors, mut draws) = (Monitors::default(), Seeded::new(1));
    let limits =
        Limits { learn: std::time::Duration::ZERO, tolerance: 0.1, rate: Some(1.0), ..Limits::default() };
    let mut peers = Peers::new(3).unwrap();
    let learn = std::time::Duration::from_secs(5);
    let peer_limits = PeerLimits { max_age: learn, learn, tolerance: None };
    let mut found = 0;
    for second in 0..3000 {
        let time = Timestamp::EPOCH.saturating_add_micros(second * 1_000_000);
        // After 2,000 readings it is stuck.
        let raw = if second < 2000 { draws.normal() } else { 5.0 };
        let value = PeerValue { time, value: raw, u: None };
        let count = allocations(|| {
            let reading = Observed { time, raw, out_of_domain: second % 2 == 0 };
            found += monitors.note(std::hint::black_box(reading), &limits).raised.iter().count();
            found += usize::from(peers.note(second as usize % 3, value, &peer_limits).is_some());
            found += monitors.findings(&limits).count();
        });
        assert_eq!(count, 0, "{second}");
    }
    assert!(found > 3000);
}

#[test]
fn decoding_a_good_message_allocates_nothing() {
    let cases: [(&str, &[u8]); 5] = [
        (
            "format = { kind = \"json\" }\n\
             fields = { v = { pointer = \"/d/v\" }, time = { pointer = \"/ts\", unit = \"ms\" } }",
            br#"{"ts":1601220052123,"id":"a","x":true,"d":{"v":-3.25}}"#,
        ),
        (
            "format = { kind = \"csv\", separator = \";\", decimal = \",\" }\n\
             fields = { v = { column = 2, missing = [-200] }, time = { columns = [0, 1], format = \"%d/%m/%Y %H.%M.%S\" } }",
            b"10/03/2004;18.00.00;2,6;1360;;",
        ),
        (
            "format = { kind = \"regex\", pattern = 'v=(?P<v>[0-9.]+)' }\nfields = { v = { group = \"v\" } }",
            b"v=3.5 x",
        ),
        ("format = { preset = \"sds011\" }", &[0xaa, 0xc0, 6, 0, 6, 0, 0x58, 0xd9, 0x3d, 0xab]),
        ("format = { kind = \"raw\" }\nfields = { v = {} }", b"21.5"),
    ];
    for (text, message) in cases {
        let (layout, faults) = read_str("a.toml", text, read_layout);
        let mut decoder = Decoder::new(&layout.unwrap_or_else(|| panic!("{faults:?}"))).unwrap();
        // The first message may make room that the later ones use again.
        assert!(decoder.message(message).is_ok(), "{text}");
        let count = allocations(|| assert!(decoder.message(std::hint::black_box(message)).is_ok()));
        assert_eq!(count, 0, "{text}");
        let stream = [message, b"\n"].concat();
        decoder.push(&stream, &mut |_| ());
        let mut records = 0;
        let count =
            allocations(|| decoder.push(&stream, &mut |record| records += usize::from(record.is_ok())));
        assert_eq!(records, 1, "{text}");
        // A line end between two frames is garbage, and is reported.
        assert_eq!(count, 0, "{text}");
    }
}
