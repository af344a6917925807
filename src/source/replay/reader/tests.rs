//! Rows and pace of recorded files.

use super::*;
use crate::config::reader::read_str;

fn config(text: &str) -> ReplayConfig {
    let (config, faults) = read_str("a.toml", text, ReplayConfig::read);
    assert!(faults.is_empty(), "{faults:?}");
    config.unwrap()
}

const UCI: &str = r#"
    file = "a.csv"
    format = { separator = ";", decimal = "," }
    [fields]
    co = { column = "PT08.S1(CO)", missing = [-200] }
    reference = { column = "CO(GT)", missing = [-200] }
    time = { columns = ["Date", "Time"], format = "%d/%m/%Y %H.%M.%S", offset = "+01:00" }
"#;

/// Times, values and fault names of a whole file, read in pieces of `size`.
fn rows(config: &ReplayConfig, file: &[u8], size: usize) -> Vec<String> {
    let mut reader = Reader::new(config);
    let mut out = Vec::new();
    let mut each = |row: Row<'_>| match row {
        Row::Values(record, time) => {
            let values: Vec<_> = record.values.iter().map(|value| value.reading()).collect();
            out.push(format!("{time} {values:?}"));
        }
        Row::Fault(fault) => out.push(fault.kind.as_str().to_owned()),
        Row::Unusable(errors) => out.extend(errors.iter().map(ToString::to_string)),
    };
    file.chunks(size).chain([&[][..]]).for_each(|piece| reader.push(piece, &mut each));
    out
}

#[test]
fn the_air_quality_set_as_published() {
    let file = "\u{feff}Date;Time;CO(GT);PT08.S1(CO);NMHC(GT);;\r\n\
        10/03/2004;18.00.00;2,6;1360;150;;\r\n\
        10/03/2004;19.00.00;-200;1292,5;112;;\r\n\
        10/03/2004;25.00.00;2,2;1402;88;;\r\n\
        10/03/2004;21.00.00;2,x;1402;88;;\r\n\
        10/03/2004\r\n\
        ;;;;;;\r\n\
        \r\n\
        ;;;;;;";
    let want = [
        "2004-03-10T17:00:00.000000Z [Some(Some(1360.0)), Some(Some(2.6))]",
        "2004-03-10T18:00:00.000000Z [Some(Some(1292.5)), Some(None)]",
        "bad_time",
        "2004-03-10T20:00:00.000000Z [Some(Some(1402.0)), None]",
        "no_such_field",
    ];
    for size in [1, 7, 1000] {
        assert_eq!(rows(&config(UCI), file.as_bytes(), size), want, "{size}");
    }
}

#[test]
fn a_header_without_the_columns_makes_the_file_unusable() {
    let out = rows(&config(UCI), b"Date;Time;CO(GT)\n1;2;3\n", 100);
    let want = "the header has no `PT08.S1(CO)`; it has `Date`, `Time`, `CO(GT)`";
    assert_eq!(out, [want]);
}

#[test]
fn preambles_are_skipped_and_headers_may_be_absent() {
    let text = r#"
        file = "a.csv"
        skip = 2
        header = false
        fields = { x = { column = 1 }, time = { column = 0, unit = "s" } }
    "#;
    let out = rows(&config(text), b"Serial: 1\nLST,x\n0,5\n", 3);
    assert_eq!(out, ["1970-01-01T00:00:00.000000Z [Some(Some(5.0))]"]);
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000).unwrap()
}

#[test]
fn the_pace_follows_the_file() {
    let mut pace = Pace::new(&config(UCI));
    pace.speed = Speed::Times(60.0);
    for (time, due) in [(600, 0), (660, 1000), (630, 500), (540, 0), (720, 2000)] {
        assert_eq!(pace.place(at(time)), (Duration::from_millis(due), Some(at(time))));
    }
    pace.times = Times::Now;
    assert_eq!(pace.place(at(900)).1, None);
    pace.speed = Speed::Max;
    assert_eq!(pace.place(at(9000)).0, Duration::ZERO);
}

#[test]
fn another_pass_goes_on_where_the_last_one_ended() {
    let mut pace = Pace::new(&config(UCI));
    let mut last = Duration::ZERO;
    for pass in 0..3 {
        for time in [100, 110] {
            let (due, given) = pace.place(at(time));
            assert_eq!(given, Some(at(time + 20 * pass)));
            assert!(due >= last);
            last = due;
        }
        pace.again();
    }
    assert_eq!(last, Duration::from_secs(50));
}
