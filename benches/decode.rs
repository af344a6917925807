//! What it costs to decode one message of each format.

#![allow(clippy::panic, reason = "a bench that cannot start has failed")]

use std::hint::black_box;

use calibd::config::reader::read_str;
use calibd::source::layout::read_layout;
use calibd::wire::decoder::Decoder;
use criterion::{Criterion, criterion_group, criterion_main};

const CASES: [(&str, &str, &[u8]); 5] = [
    (
        "json",
        r#"
        format = { kind = "json" }
        fields = { v = { pointer = "/v" }, time = { pointer = "/ts", unit = "ms" } }"#,
        br#"{"ts":1601220052123,"v":512.25}"#,
    ),
    (
        "json, large",
        r#"
        format = { kind = "json" }
        fields = { v = { pointer = "/data/pm/1/value" } }"#,
        br#"{"device":{"id":"north-17","firmware":"2.4.1","uptime":88123,"tags":["a","b"]},"data":
            {"temperature":21.5,"humidity":44,"pm":[{"size":1,"value":3.2},{"size":2.5,"value":5.75}]},
            "status":"measuring","errors":[],"position":{"lat":52.52,"lon":13.405,"alt":34}}"#,
    ),
    (
        "csv",
        r#"
        format = { kind = "csv", separator = ";" }
        fields = { co = { column = 3, missing = [-200] } }"#,
        b"a17;2004;18.00;2.6;1360;150;11.9;1046",
    ),
    (
        "regex",
        r#"
        format = { kind = "regex", pattern = 'T=(?P<t>[-0-9.]+) RH=(?P<rh>[0-9.]+)' }
        fields = { t = { group = "t" }, rh = { group = "rh" } }"#,
        b"T=21.5 RH=44.1",
    ),
    ("frame", r#"format = { preset = "sds011" }"#, &[0xaa, 0xc0, 6, 0, 6, 0, 0x58, 0xd9, 0x3d, 0xab]),
];

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for (name, text, message) in CASES {
        let (layout, faults) = read_str("bench.toml", text, read_layout);
        let layout = layout.unwrap_or_else(|| panic!("{faults:?}"));
        let mut decoder = Decoder::new(&layout).expect("the bench's layout works");
        assert!(decoder.message(message).is_ok(), "{name}");
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let record = decoder.message(black_box(message));
                black_box(record.is_ok_and(|record| !record.values.is_empty()))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
