//! How many bytes a stored reading costs, for different layouts, page sizes and commit sizes.
//!
//! `cargo bench --bench store_wear -- DIR [BLOCK_DEVICE [store]]`: writes databases below DIR, which must
//! be on a real file system, and prints for each variant, a reading: bytes handed to the block
//! layer by this process (`write_bytes` of /proc/self/io: data, WAL and checkpoints), bytes that
//! arrived at BLOCK_DEVICE (for example `loop0`: with the file system's journal; nothing else may
//! use the device), processor time of all threads and, for a commit, the time it takes. The last
//! rows are the store itself, through its interface; with `store` they are all that is measured.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement prints a table, paces itself and needs the machine's time"
)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use std::sync::Arc;

use calibd::domain::id::Id;
use calibd::domain::quality::{Reasons, State};
use calibd::domain::sample::Reading;
use calibd::domain::time::Timestamp;
use calibd::runtime::clock::Clock;
use calibd::store::{self, Opened, Options};
use rusqlite::{Connection, Statement, params};

#[derive(Clone)]
struct Variant {
    name: &'static str,
    page: u32,
    index: bool,
    cursor_every: usize,
    checkpoint: u32,
    rows: usize,
    total: usize,
    synchronous: &'static str,
    journal: &'static str,
    block: bool,
    multi: usize,
}

const BASE: Variant = Variant {
    name: "",
    page: 4096,
    index: false,
    cursor_every: 0,
    checkpoint: 1000,
    rows: 100,
    total: 20_000,
    synchronous: "FULL",
    journal: "WAL",
    block: false,
    multi: 1,
};

struct Cost {
    process: f64,
    device: Option<f64>,
    cpu_micros: f64,
    commit_millis: f64,
    file: f64,
}

fn now() -> Instant {
    Instant::now()
}

fn process_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/io").expect("Linux gives /proc/self/io");
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|number| number.trim().parse().ok()).expect("write_bytes is a number")
}

fn device_bytes(device: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/sys/block/{device}/stat")).expect("the device has counters");
    let sectors: u64 = text.split_whitespace().nth(6).and_then(|field| field.parse().ok()).expect("field 7");
    sectors * 512
}

/// Processor time of this process, all threads, in microseconds: nanoseconds run, from schedstat.
fn cpu_micros() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux gives the threads");
    let nanos = tasks.flatten().filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    });
    nanos.sum::<f64>() / 1000.0
}

fn sync() {
    std::process::Command::new("sync").status().expect("sync runs");
}

fn open(path: &Path, variant: &Variant) -> Connection {
    let db = Connection::open(path).expect("opens");
    db.execute_batch(&format!(
        "PRAGMA page_size={}; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode={}; PRAGMA synchronous={};
         PRAGMA wal_autocheckpoint={}; PRAGMA journal_size_limit=8388608;
         CREATE TABLE readings(seq INTEGER PRIMARY KEY, series INTEGER, time INTEGER, lag INTEGER, back INTEGER,
             raw REAL, value REAL, u REAL, flags INTEGER);
         CREATE TABLE cursors(sink TEXT PRIMARY KEY, seq INTEGER) WITHOUT ROWID;",
        variant.page, variant.journal, variant.synchronous, variant.checkpoint
    ))
    .expect("the schema is right");
    if variant.index {
        db.execute_batch("CREATE INDEX by_time ON readings(series, time)").expect("the index is right");
    }
    db
}

const SENSORS: usize = 20;
const PACE: Duration = Duration::from_millis(5);

fn bind(statement: &mut Statement<'_>, from: usize, seq: usize) {
    let time = 1_795_341_600_000_000_i64 + seq as i64 * 9_973;
    let raw = 512.0 + (seq % 997) as f64 * 0.0137;
    let real = |statement: &mut Statement<'_>, at, value: f64| statement.raw_bind_parameter(from + at, value);
    let whole =
        |statement: &mut Statement<'_>, at, value: i64| statement.raw_bind_parameter(from + at, value);
    whole(statement, 1, seq as i64).expect("binds");
    whole(statement, 2, (seq % SENSORS) as i64 + 1).expect("binds");
    whole(statement, 3, time).expect("binds");
    statement.raw_bind_parameter(from + 4, rusqlite::types::Null).expect("binds");
    whole(statement, 5, SENSORS as i64).expect("binds");
    real(statement, 6, raw).expect("binds");
    real(statement, 7, raw * 1.034 - 0.42).expect("binds");
    real(statement, 8, 0.0931 + raw * 1e-5).expect("binds");
    whole(statement, 9, 0).expect("binds");
}

fn run(dir: &Path, device: Option<&str>, variant: &Variant) -> Cost {
    let path = dir.join("wear.db");
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let _ = std::fs::remove_file(PathBuf::from(format!("{}{suffix}", path.display())));
    }
    let db = open(&path, variant);
    // Past the first checkpoints, so that the WAL has its final size and is written in place.
    let frames = (variant.rows * 52 / variant.page as usize).max(1);
    let warm = variant.rows * (variant.checkpoint as usize * 5 / 4 / frames + 10);
    let mut seq = 0;
    let mut measured = (0, None, 0.0, now());
    while seq < warm + variant.total {
        if seq == warm {
            sync();
            measured = (process_bytes(), device.map(device_bytes), cpu_micros(), now());
        }
        db.execute_batch("BEGIN").expect("begins");
        if variant.block {
            let blob = vec![0x5a_u8; 37 * variant.rows];
            let mut statement =
                db.prepare_cached("INSERT INTO readings(seq, raw) VALUES (?, ?)").expect("prepares");
            seq += variant.rows;
            statement.execute(params![seq as i64, blob]).expect("inserts");
        } else {
            let group = "(?,?,?,?,?,?,?,?,?)";
            let sql = format!("INSERT INTO readings VALUES {}", vec![group; variant.multi].join(","));
            let mut statement = db.prepare_cached(&sql).expect("prepares");
            for _ in 0..variant.rows / variant.multi {
                for slot in 0..variant.multi {
                    seq += 1;
                    bind(&mut statement, slot * 9, seq);
                }
                statement.raw_execute().expect("inserts");
            }
        }
        if variant.cursor_every > 0 && (seq / variant.rows).is_multiple_of(variant.cursor_every) {
            db.execute("INSERT OR REPLACE INTO cursors VALUES ('uplink', ?)", [seq as i64]).expect("inserts");
        }
        db.execute_batch("COMMIT").expect("commits");
        // File times move in ticks of some milliseconds: faster commits would hide what a changed
        // time costs in the file system's journal.
        if variant.rows <= 10 && seq > warm {
            std::thread::sleep(PACE);
        }
    }
    let cpu = cpu_micros() - measured.2;
    let wall = measured.3.elapsed().as_secs_f64() * 1000.0;
    drop(db);
    sync();
    let rows = variant.total as f64;
    Cost {
        process: (process_bytes() - measured.0) as f64 / rows,
        device: device.map(|device| (device_bytes(device) - measured.1.unwrap_or(0)) as f64 / rows),
        cpu_micros: cpu / rows,
        commit_millis: wall / (rows / variant.rows as f64),
        file: std::fs::metadata(&path).map_or(0.0, |meta| meta.len() as f64) / (warm + variant.total) as f64,
    }
}

fn readings(into: &mut Vec<Reading>, sensors: &[Id], from: u64, rows: u64) {
    for seq in from..from + rows {
        let time = Timestamp::EPOCH.saturating_add_micros(1_795_341_600_000_000 + seq as i64 * 9_973);
        let raw = 512.0 + (seq % 997) as f64 * 0.0137;
        into.push(Reading {
            sensor: sensors[seq as usize % sensors.len()].clone(),
            seq,
            after: seq.checked_sub(sensors.len() as u64).filter(|after| *after > 0),
            time,
            received: time,
            raw: Some(raw),
            value: Some(raw * 1.034 - 0.42),
            u: Some(0.0931 + raw * 1e-5),
            p0_p1: None,
            event: None,
            unit: UNIT.with(Arc::clone),
            state: State::Valid,
            reasons: Reasons::NONE,
            transform: None,
        });
    }
}

thread_local! {
    static UNIT: Arc<str> = Arc::from("mg/m3");
}

/// The store itself: `rows` a commit, forced by `flush` (0: as full as batches get).
async fn run_store(dir: &Path, device: Option<&str>, rows: u64, total: u64, max_size: u64) -> Cost {
    let dir = dir.join("store");
    let _ = std::fs::remove_dir_all(&dir);
    let options = Options {
        dir: dir.clone(),
        commit_interval: Duration::from_secs(1),
        ack_batch: 10,
        max_age: Duration::from_secs(90 * 86_400),
        max_size,
        max_pages: None,
    };
    let Opened { store, mut commits, .. } = store::open(options, Clock::system()).expect("opens");
    let sensors: Vec<Id> = (0..SENSORS).map(|n| Id::new(&format!("sensor-{n}")).expect("an id")).collect();
    let handed = if rows == 0 { 100 } else { rows };
    let warm = if rows == 0 { 100_000 } else { rows * 1300 };
    let mut batch = Vec::new();
    let mut measured = (0, 0, 0.0, now());
    let mut made = 0.0;
    for seq in (1..=warm + total).step_by(handed as usize) {
        if seq > warm && measured.2 == 0.0 {
            sync();
            measured = (process_bytes(), device.map_or(0, device_bytes), cpu_micros(), now());
        }
        let before = now();
        readings(&mut batch, &sensors, seq, handed);
        if measured.2 > 0.0 {
            made += before.elapsed().as_secs_f64() * 1e6;
        }
        store.append(&mut batch, &mut Vec::new()).await.expect("appends");
        if rows > 0 {
            store.flush().await.expect("commits");
            if rows <= 10 && seq > warm {
                std::thread::sleep(PACE);
            }
        }
        while commits.try_recv().is_ok() {}
    }
    store.flush().await.expect("commits");
    // Making the readings is the bench's own work.
    let cpu = cpu_micros() - measured.2 - made;
    let wall = measured.3.elapsed().as_secs_f64() * 1000.0;
    store.close(Duration::from_secs(60)).await.expect("closes");
    sync();
    Cost {
        process: (process_bytes() - measured.0) as f64 / total as f64,
        device: device.map(|device| (device_bytes(device) - measured.1) as f64 / total as f64),
        cpu_micros: cpu / total as f64,
        commit_millis: wall / (total as f64 / if rows == 0 { 4096.0 } else { rows as f64 }),
        file: std::fs::metadata(dir.join("history.db")).map_or(0.0, |meta| meta.len() as f64)
            / (warm + total) as f64,
    }
}

fn variants() -> Vec<Variant> {
    let mut list = Vec::new();
    for (rows, total) in [(1, 1_000), (10, 10_000), (100, 50_000), (1000, 200_000)] {
        let base = Variant { rows, total, ..BASE };
        list.push(Variant { name: "no index, page 4096, checkpoint 1000, FULL", ..base.clone() });
        list.push(Variant { name: "with index (series, time)", index: true, ..base.clone() });
        list.push(Variant { name: "cursor in every commit", cursor_every: 1, ..base.clone() });
        list.push(Variant { name: "page 1024", page: 1024, ..base.clone() });
        list.push(Variant { name: "page 2048", page: 2048, ..base.clone() });
        list.push(Variant { name: "page 8192", page: 8192, ..base.clone() });
        list.push(Variant { name: "page 16384", page: 16384, ..base.clone() });
        list.push(Variant { name: "checkpoint 100", checkpoint: 100, ..base.clone() });
        list.push(Variant { name: "checkpoint 250", checkpoint: 250, ..base.clone() });
        list.push(Variant { name: "checkpoint 4000", checkpoint: 4000, ..base.clone() });
        list.push(Variant { name: "synchronous NORMAL", synchronous: "NORMAL", ..base.clone() });
        list.push(Variant { name: "rollback journal, kept", journal: "PERSIST", ..base.clone() });
        if rows >= 100 {
            list.push(Variant { name: "4 rows a statement", multi: 4, ..base.clone() });
            list.push(Variant { name: "20 rows a statement", multi: 20, ..base.clone() });
            list.push(Variant { name: "50 rows a statement", multi: 50, ..base.clone() });
        }
        list.push(Variant { name: "one blob a commit", block: true, ..base.clone() });
    }
    list
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let Some(dir) = words.first().map(PathBuf::from) else {
        println!("usage: cargo bench --bench store_wear -- DIR [BLOCK_DEVICE]");
        return;
    };
    let device = words.get(1).map(String::as_str);
    println!(
        "| rows a commit | variant | process B/reading | device B/reading | file B/reading | µs CPU/reading | ms/commit |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    if words.get(2).is_none() {
        for variant in variants() {
            print(&variant.rows.to_string(), variant.name, &run(&dir, device, &variant));
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for (rows, total) in [(1, 1_000), (10, 10_000), (100, 50_000), (1000, 400_000), (0, 1_000_000)] {
        let name = if rows == 0 { "full".to_owned() } else { rows.to_string() };
        let cost = runtime.block_on(run_store(&dir, device, rows, total, 2 << 30));
        print(&name, "the store itself", &cost);
        if rows >= 10 {
            // Small enough to be reached before the measurement begins.
            let cost = runtime.block_on(run_store(&dir, device, rows, total, 512 << 10));
            print(&name, "the store itself, at its largest size", &cost);
        }
    }
    let (process, on_device) = runtime.block_on(run_blocks(&dir, device)).expect("reserves");
    println!(
        "\na block of sequence numbers: {process:.0} bytes by the process, {on_device:.0} at the device"
    );
}

/// What a reserved block of sequence numbers costs: bytes by the process and at the device.
async fn run_blocks(dir: &Path, device: Option<&str>) -> Result<(f64, f64), store::StoreError> {
    const BLOCKS: u32 = 500;
    let options = Options {
        dir: dir.join("store"),
        commit_interval: Duration::from_secs(1),
        ack_batch: 10,
        max_age: Duration::from_secs(90 * 86_400),
        max_size: 2 << 30,
        max_pages: None,
    };
    let Opened { store, .. } = store::open(options, Clock::system())?;
    for _ in 0..BLOCKS {
        store.reserve().await?;
    }
    sync();
    let before = (process_bytes(), device.map_or(0, device_bytes));
    for _ in 0..BLOCKS {
        store.reserve().await?;
        std::thread::sleep(PACE);
    }
    sync();
    let (process, on_device) = (process_bytes() - before.0, device.map_or(0, device_bytes) - before.1);
    store.close(Duration::from_secs(60)).await?;
    Ok((process as f64 / f64::from(BLOCKS), on_device as f64 / f64::from(BLOCKS)))
}

fn print(rows: &str, name: &str, cost: &Cost) {
    let device = cost.device.map_or("-".to_owned(), |bytes| format!("{bytes:.0}"));
    println!(
        "| {rows} | {name} | {:.0} | {device} | {:.1} | {:.2} | {:.2} |",
        cost.process, cost.file, cost.cpu_micros, cost.commit_millis
    );
}
