//! Rollups in the file equal what the readings in the file give, whatever happened in between.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::domain::digest::Digest;
use crate::domain::id::Id;
use crate::domain::quality::{Reasons, State};
use crate::domain::sample::{Reading, TransformRef};
use crate::domain::stats::Stats;

const LIMITS: Limits = Limits { max_age: Duration::from_secs(86_400), max_size: 1 << 30, max_pages: None };
const CLOSING: Extra<'_> = Extra { cursors: None, gaps: &[], closing: true };

fn open_in(dir: &Path) -> History {
    let opened = open(dir, LIMITS, true, Timestamp::EPOCH).unwrap();
    assert_eq!(opened.quarantined, None);
    opened.history
}

/// What happens: readings are committed, rollups are written, the process dies and starts again.
#[derive(Debug, Clone)]
enum Step {
    Commit(Vec<(u8, i64, f64)>),
    Roll,
    Die,
}

fn step() -> impl Strategy<Value = Step> {
    let reading = (0u8..3, 0i64..200, -1e3..1e3f64);
    prop_oneof![
        4 => prop::collection::vec(reading, 1..50).prop_map(Step::Commit),
        1 => Just(Step::Roll),
        1 => Just(Step::Die),
    ]
}

fn reading(seq: u64, (sensor, second, raw): (u8, i64, f64), turn: usize) -> Reading {
    let time = Timestamp::EPOCH.saturating_add_micros(second * 1_000_000 - 90_000_000);
    let transform = (!turn.is_multiple_of(3)).then(|| {
        let version = turn as u64 % 3;
        Arc::new(TransformRef { id: Id::new("t").unwrap(), version, digest: Digest([version as u8; 32]) })
    });
    Reading {
        sensor: Id::new(["a", "b", "c"][usize::from(sensor)]).unwrap(),
        seq,
        after: seq.checked_sub(1).filter(|after| *after > 0),
        time,
        received: time.saturating_add_micros(second % 3),
        raw: (second % 7 != 0).then_some(raw),
        value: transform.is_some().then_some(raw * 2.0),
        u: (second % 2 == 0).then_some(0.5),
        p0_p1: None,
        event: seq.is_multiple_of(3).then(|| format!("e-{seq}").into()),
        unit: if turn.is_multiple_of(2) { "mV".into() } else { "mg/m3".into() },
        state: State::Suspect,
        reasons: Reasons::from_bits(second as u32),
        transform,
    }
}

/// Series and minute, with statistics of raw and value and the number of readings.
type Summary = BTreeMap<(i64, i64), (Stats, Stats, u64)>;

fn from_rollups(history: &History) -> Summary {
    let sql = "SELECT series, minute, n, raw_n, raw_min, raw_max, raw_mean, raw_m2,
                      value_n, value_min, value_max, value_mean, value_m2 FROM rollups";
    let mut summary = Summary::new();
    let mut statement = history.db.prepare(sql).unwrap();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let stats = |at: usize| {
            let field = |place: usize| row.get::<_, Option<f64>>(at + place).unwrap().unwrap_or(0.0);
            Stats { n: row.get(at).unwrap(), min: field(1), max: field(2), mean: field(3), m2: field(4) }
        };
        let entry = summary.entry((row.get(0).unwrap(), row.get(1).unwrap())).or_default();
        *entry =
            (entry.0.merged(stats(3)), entry.1.merged(stats(8)), entry.2 + row.get::<_, u64>(2).unwrap());
    }
    summary
}

fn from_readings(history: &History) -> Summary {
    let mut summary = Summary::new();
    let sql = "SELECT series, time, raw, value FROM readings ORDER BY seq";
    let mut statement = history.db.prepare(sql).unwrap();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let minute = row.get::<_, i64>(1).unwrap().div_euclid(60_000_000);
        let entry = summary.entry((row.get(0).unwrap(), minute)).or_default();
        row.get::<_, Option<f64>>(2).unwrap().into_iter().for_each(|raw| entry.0.push(raw));
        row.get::<_, Option<f64>>(3).unwrap().into_iter().for_each(|value| entry.1.push(value));
        entry.2 += 1;
    }
    summary
}

fn close(one: &Stats, other: &Stats) -> bool {
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-7 * (1.0 + a.abs());
    one.n == other.n
        && one.min == other.min
        && one.max == other.max
        && near(one.mean, other.mean)
        && near(one.m2, other.m2)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn rollups_survive_crashes_exactly_and_readings_come_back_as_they_were(steps in prop::collection::vec(step(), 1..25)) {
        let dir = tempfile::tempdir().unwrap();
        let mut history = open_in(dir.path());
        let mut written: Vec<Reading> = Vec::new();
        for (turn, step) in steps.into_iter().enumerate() {
            match step {
                Step::Commit(rows) => {
                    let from = written.len() as u64 + 1;
                    let batch: Vec<Reading> =
                        (from..).zip(rows).map(|(seq, row)| reading(seq, row, turn)).collect();
                    history.commit(&batch, &Extra::default(), Duration::ZERO).unwrap();
                    written.extend(batch);
                }
                Step::Roll => history.commit(&[], &CLOSING, Duration::ZERO).unwrap(),
                Step::Die => {
                    drop(history);
                    history = open_in(dir.path());
                }
            }
        }
        prop_assert_eq!(history.read_after(0, 10_000, u64::MAX).unwrap(), written.clone());
        for (name, last) in history.last_of_sensors() {
            prop_assert_eq!(written.iter().rfind(|reading| reading.sensor == *name).unwrap().seq, last);
        }
        history.commit(&[], &CLOSING, Duration::ZERO).unwrap();
        let (stored, wanted) = (from_rollups(&history), from_readings(&history));
        prop_assert_eq!(stored.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
        for (key, (raw, value, n)) in &wanted {
            prop_assert!(close(&stored[key].0, raw) && close(&stored[key].1, value), "{key:?}");
            prop_assert_eq!(stored[key].2, *n);
        }
        let outside: u64 = history.db.query_row(
            "SELECT count(*) FROM readings LEFT JOIN minutes ON minute = (time + 90000000000) / 60000000 - 1500
             WHERE first_seq IS NULL OR seq NOT BETWEEN first_seq AND last_seq",
            [], |row| row.get(0)).unwrap();
        prop_assert_eq!(outside, 0);
    }
}

#[test]
fn a_crash_loses_no_number_even_when_all_readings_have_gone() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = open_in(dir.path());
    let batch: Vec<Reading> = (1..=100).map(|seq| reading(seq, (0, 1, 1.0), 0)).collect();
    history.commit(&batch, &Extra::default(), Duration::ZERO).unwrap();
    while history.retain(&BTreeMap::new(), 1, Duration::ZERO).unwrap().deleted > 0 {}
    assert_eq!(history.read_after(0, 10, u64::MAX).unwrap(), []);
    drop(history);
    let history = open_in(dir.path());
    assert_eq!(history.last_seq(), 100);
    assert_eq!(history.last_of_sensors().collect::<Vec<_>>(), [(&Id::new("a").unwrap(), 100)]);
}

#[test]
fn a_full_file_takes_new_readings_for_old_ones() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { max_pages: Some(60), ..LIMITS };
    let mut history = open(dir.path(), limits, true, Timestamp::EPOCH).unwrap().history;
    for start in (1..=10_000).step_by(200) {
        let batch: Vec<Reading> =
            (start..start + 200).map(|seq| reading(seq, (0, seq as i64 * 2, seq as f64 / 7.0), 1)).collect();
        let mut steps = 0;
        while history.commit(&batch, &Extra::default(), Duration::ZERO).is_err() {
            history.retain(&BTreeMap::new(), 200, Duration::ZERO).unwrap();
            steps += 1;
            assert!(steps < 4);
        }
    }
    assert_eq!(history.last_seq(), 10_000);
}

#[test]
fn a_history_that_is_read_only_takes_the_same_readings_once_it_is_writable() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = open_in(dir.path());
    let batch = [reading(1, (0, 1, 1.0), 1)];
    history.db.pragma_update(None, "query_only", true).unwrap();
    let error = history.commit(&batch, &Extra::default(), Duration::ZERO).unwrap_err();
    assert_eq!(error.kind(), crate::store::FailureKind::ReadOnly);
    assert!(error.to_string().contains("history.db: read-only; "), "{error}");
    history.db.pragma_update(None, "query_only", false).unwrap();
    history.commit(&batch, &Extra::default(), Duration::ZERO).unwrap();
    assert_eq!(history.read_after(0, 9, u64::MAX).unwrap(), batch);
}

/// A reading of a transform of its own, at its second since 1970.
fn of_version(seq: u64, version: u64) -> Reading {
    let id = Id::new("t").unwrap();
    let transform = Some(Arc::new(TransformRef { id, version, digest: Digest([7; 32]) }));
    let time = Timestamp::EPOCH.saturating_add_micros(seq as i64 * 1_000_000);
    Reading { transform, time, received: time, reasons: Reasons::NONE, ..reading(seq, (0, 0, 1.0), 1) }
}

/// How many series the file has, and how many of them are missing in it though a row names them.
fn series_of(history: &History) -> (u64, u64) {
    let sql = "SELECT (SELECT count(*) FROM series), count(*) FROM
        (SELECT series FROM readings UNION SELECT series FROM rollups) WHERE series NOT IN (SELECT id FROM series)";
    history.db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

/// A step that looks for series, as the first one after a start does.
fn swept(history: &mut History) -> retention::Retained {
    history.steps = 0;
    history.retain(&BTreeMap::new(), 1, Duration::ZERO).unwrap()
}

#[test]
fn series_go_with_their_readings_and_come_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = open_in(dir.path());
    for from in (1..=20_000).step_by(100) {
        let batch: Vec<Reading> = (from..from + 100).map(|seq| of_version(seq, seq / 10)).collect();
        history.commit(&batch, &Extra::default(), Duration::ZERO).unwrap();
    }
    assert_eq!(series_of(&history), (2001, 0));
    // Another start knows of each series how long it is needed.
    history.commit(&[], &CLOSING, Duration::ZERO).unwrap();
    drop(history);
    let mut history = open_in(dir.path());
    while swept(&mut history).cut < 19_000 {}
    let (stored, missing) = series_of(&history);
    assert!(stored < 300 && missing == 0, "{stored} {missing}");
    assert_eq!(
        (history.index.series.len(), history.index.sensors[0].series.len()),
        (stored as usize, stored as usize)
    );
    let batch = [of_version(20_001, 0), of_version(20_002, 2000)];
    history.commit(&batch, &Extra::default(), Duration::ZERO).unwrap();
    assert_eq!(series_of(&history), (stored + 1, 0));
    assert_eq!(history.read_after(20_000, 9, u64::MAX).unwrap(), batch);
    drop(history);
    assert_eq!(open_in(dir.path()).read_after(20_000, 9, u64::MAX).unwrap(), batch);
}

#[test]
fn a_series_from_before_they_went_is_kept_as_long_as_it_may_be_needed() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = open_in(dir.path());
    let batch: Vec<Reading> = (1..=100).map(|seq| of_version(seq, seq)).collect();
    history.commit(&batch, &Extra::default(), Duration::ZERO).unwrap();
    history.commit(&[], &CLOSING, Duration::ZERO).unwrap();
    history.db.execute_batch("ALTER TABLE series DROP COLUMN last_seq; PRAGMA user_version = 7").unwrap();
    drop(history);
    let mut history = open_in(dir.path());
    assert_eq!((series_of(&history), history.index.unused(99).len()), ((100, 0), 0));
    while swept(&mut history).deleted > 0 {}
    assert_eq!(series_of(&history), (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn no_row_is_without_its_series_whatever_happens(
        steps in prop::collection::vec((0u8..6, 0u64..40, 1u64..60), 1..60),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut history = open_in(dir.path());
        let (mut next, mut cut) = (1, 0);
        for (step, version, count) in steps {
            match step {
                0 => history.commit(&[], &CLOSING, Duration::ZERO).unwrap(),
                1 => {
                    drop(history);
                    history = open_in(dir.path());
                }
                2 | 3 => cut = swept(&mut history).cut.max(cut),
                _ => {
                    let batch: Vec<Reading> =
                        (next..next + count).map(|seq| of_version(seq, version + seq / 20)).collect();
                    history.commit(&batch, &Extra::default(), Duration::ZERO).unwrap();
                    next += count;
                }
            }
            prop_assert_eq!(series_of(&history).1, 0);
            let kept = history.read_after(0, 10_000, u64::MAX).unwrap();
            let seqs = kept.iter().map(|reading| (reading.seq, reading.unit.clone())).collect::<Vec<_>>();
            prop_assert_eq!(seqs, (cut + 1..next).map(|seq| (seq, of_version(seq, 0).unit)).collect::<Vec<_>>());
        }
        while swept(&mut history).deleted > 0 {}
        prop_assert_eq!((series_of(&history), history.index.series.len()), ((0, 0), 0));
    }
}
