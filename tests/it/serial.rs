//! The serial source on real pseudo-terminals: bad input, unplugging, two users of one port.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use calibd::config::reader::read_str;
use calibd::source::SourceContext;
use calibd::source::serial::config::SerialConfig;
use calibd::source::serial::{port, run};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio_serial::{SerialPort, SerialStream};

use crate::support::source::{Bench, bench, template_bench};

const CSV: &str = r#"
    format = { kind = "csv", separator = ";" }
    fields = { co = { column = 1, missing = [-200] }, t = { column = 2 } }
"#;

/// A name that can be plugged into one pseudo-terminal after the other.
struct Socket {
    dir: TempDir,
}

impl Socket {
    fn new() -> Socket {
        Socket { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("tty")
    }

    /// Makes a device at the path; what is written to the result comes out of it.
    fn plug(&self) -> SerialStream {
        let (master, slave) = SerialStream::pair().unwrap();
        let fresh = self.dir.path().join("fresh");
        symlink(slave.name().unwrap(), &fresh).unwrap();
        std::fs::rename(fresh, self.path()).unwrap();
        master
    }

    fn config(&self, text: &str) -> SerialConfig {
        let text = format!("port = \"{}\"\n{text}", self.path().display());
        let (config, faults) = read_str("a.toml", &text, SerialConfig::read);
        assert!(faults.is_empty(), "{faults:?}");
        config.unwrap()
    }
}

/// Starts the source and waits until it listens.
async fn start(config: SerialConfig, (context, bench): (SourceContext, Bench)) -> Bench {
    tokio::spawn(run::run(config, context));
    bench.reaches("calibd_source_up", None, 1).await;
    bench
}

fn some(sensor: &str, value: f64) -> (String, Option<f64>) {
    (sensor.to_owned(), Some(value))
}

#[tokio::test]
async fn bad_lines_are_counted_and_good_ones_between_them_arrive() {
    let socket = Socket::new();
    let mut device = socket.plug();
    let mut bench = start(socket.config(CSV), bench(&["co", "t"])).await;
    device.write_all(b"cut off;9;9\na;1.5;20\n").await.unwrap();
    assert_eq!((bench.next().await, bench.next().await), (some("co", 1.5), some("t", 20.0)));

    device.write_all(&vec![b'x'; 1 << 20]).await.unwrap();
    device
        .write_all(b"\na;\xff\xfe;1\n\x00\x01\na;2\na;1e999;7\na;;-0.5\na;-200;nan\na;3,5;21\n")
        .await
        .unwrap();
    let missing = |sensor: &str| (sensor.to_owned(), None);
    for want in [
        missing("co"), // 1e999
        some("t", 7.0),
        missing("co"), // empty
        some("t", -0.5),
        missing("co"),   // the sentinel
        missing("t"),    // nan
        some("t", 21.0), // 3,5 is no number here: no reading of co at all
    ] {
        assert_eq!(bench.next().await, want);
    }
    for (reason, times) in
        [("too_long", 1), ("bad_utf8", 1), ("no_such_field", 2), ("not_finite", 2), ("bad_number", 1)]
    {
        bench.reaches("calibd_samples_dropped_total", Some(reason), times).await;
    }
    assert_eq!(bench.metric("calibd_readings_total", None), 9);
    assert_eq!(bench.metric("calibd_source_reconnects_total", None), 0);
}

#[tokio::test]
async fn frames_are_found_again_after_garbage() {
    let socket = Socket::new();
    let mut device = socket.plug();
    let mut bench = start(socket.config("format = { preset = \"sds011\" }"), bench(&["pm25", "pm10"])).await;
    let frame = [0xaa, 0xc0, 6, 0, 9, 0, 0x58, 0xd9, 0x40, 0xab];
    let mut garbled = frame;
    garbled[2] ^= 0x10;
    for bytes in [&frame[4..], &frame, b"\xaa\xaa\xc0", &garbled, &frame[..7], &frame] {
        device.write_all(bytes).await.unwrap();
    }
    for _ in 0..2 {
        assert_eq!((bench.next().await, bench.next().await), (some("pm25", 0.6), some("pm10", 0.9)));
    }
    assert_eq!(bench.dropped("bad_checksum"), 1);
}

#[tokio::test]
async fn an_unplugged_port_is_opened_again_when_it_is_back() {
    let socket = Socket::new();
    let mut device = socket.plug();
    let mut bench = start(socket.config(CSV), bench(&["co", "t"])).await;
    device.write_all(b"\na;1;2\na;3;").await.unwrap();
    assert_eq!((bench.next().await, bench.next().await), (some("co", 1.0), some("t", 2.0)));

    drop(device);
    bench.reaches("calibd_source_up", None, 0).await;
    let mut device = socket.plug();
    bench.reaches("calibd_source_up", None, 1).await;
    assert!(bench.metric("calibd_source_reconnects_total", None) >= 1);

    // The half line from before must not be joined with what comes now.
    device.write_all(b"4\na;5;6\n").await.unwrap();
    assert_eq!((bench.next().await, bench.next().await), (some("co", 5.0), some("t", 6.0)));
}

#[tokio::test]
async fn a_port_that_is_not_there_yet_is_awaited() {
    let socket = Socket::new();
    let (context, mut bench) = bench(&["co", "t"]);
    tokio::spawn(run::run(socket.config(CSV), context));
    bench.reaches("calibd_source_reconnects_total", None, 1).await;
    let mut device = socket.plug();
    bench.reaches("calibd_source_up", None, 1).await;
    device.write_all(b"\na;1;2\n").await.unwrap();
    assert_eq!(bench.next().await, some("co", 1.0));
}

#[tokio::test]
async fn what_waited_in_the_port_before_is_not_taken_for_new() {
    let socket = Socket::new();
    let mut device = socket.plug();
    device.write_all(b"\na;8;8\na;9;9\n").await.unwrap();
    let mut bench = start(socket.config(&format!("first_line = \"keep\"\n{CSV}")), bench(&["co", "t"])).await;
    device.write_all(b"a;1;2\n").await.unwrap();
    assert_eq!(bench.next().await, some("co", 1.0));
}

#[tokio::test]
async fn a_second_user_of_a_port_is_refused_and_the_first_reads_on() {
    let socket = Socket::new();
    let mut device = socket.plug();
    let mut first = start(socket.config(CSV), bench(&["co", "t"])).await;
    let error = port::open(&socket.config(CSV)).unwrap_err();
    assert!(error.remedy.starts_with("another program or source holds it"), "{error:?}");

    let (context, second) = bench(&["co", "t"]);
    tokio::spawn(run::run(socket.config(CSV), context));
    second.reaches("calibd_source_reconnects_total", None, 1).await;
    assert_eq!(second.metric("calibd_source_up", None), 0);
    device.write_all(b"\na;1;2\n").await.unwrap();
    assert_eq!(first.next().await, some("co", 1.0));
}

#[tokio::test]
async fn what_is_no_port_is_refused_with_a_remedy() {
    let socket = Socket::new();
    std::fs::write(socket.path(), "a file").unwrap();
    let error = port::open(&socket.config(CSV)).unwrap_err();
    assert!(error.problem.contains("tty") && error.remedy.starts_with("check `port`"), "{error:?}");
}

#[tokio::test]
async fn captures_make_sensors_up_to_the_maximum() {
    let socket = Socket::new();
    let mut device = socket.plug();
    let text = r#"
        format = { kind = "regex", pattern = '^(?P<name>\S+)=(?P<t>\S+)$' }
        fields = { t = { group = "t" } }
    "#;
    let mut bench = start(socket.config(text), template_bench("t", "room-{name}", 2)).await;
    device.write_all(b"\na=1\nb=2\n../x=3\nc=4\na=5\n").await.unwrap();
    for want in [some("room-a", 1.0), some("room-b", 2.0), some("room-a", 5.0)] {
        assert_eq!(bench.next().await, want);
    }
    assert_eq!((bench.dropped("bad_sensor_name"), bench.dropped("too_many_sensors")), (1, 1));
}

#[tokio::test]
async fn a_full_pipeline_costs_readings_only_where_that_was_chosen() {
    let socket = Socket::new();
    let mut device = socket.plug();
    let text = "format = { kind = \"raw\" }\nfields = { v = {} }\nfirst_line = \"keep\"\n";
    let lines = "1\n".repeat(5000);
    let bench = start(socket.config(&format!("{text}on_full = \"drop\"")), bench(&["v"])).await;
    device.write_all(lines.as_bytes()).await.unwrap();
    bench.reaches("calibd_samples_dropped_total", Some("channel_full"), 5000 - 4096).await;
    assert_eq!(bench.metric("calibd_readings_total", None), 4096);
}

#[tokio::test]
async fn a_source_that_waits_for_the_pipeline_still_sees_the_stop() {
    let socket = Socket::new();
    let mut device = socket.plug();
    let text = "format = { kind = \"raw\" }\nfields = { v = {} }\nfirst_line = \"keep\"\n";
    let (context, mut bench) = bench(&["v"]);
    let source = tokio::spawn(run::run(socket.config(text), context));
    bench.reaches("calibd_source_up", None, 1).await;
    device.write_all("1\n".repeat(4200).as_bytes()).await.unwrap();
    bench.reaches("calibd_readings_total", None, 4096).await;
    assert_eq!(bench.next().await, some("v", 1.0));
    bench.reaches("calibd_readings_total", None, 4097).await;
    bench.stopper.stop();
    source.await.unwrap().unwrap();
    assert_eq!(bench.dropped("channel_full"), 0);
    assert_eq!(bench.metric("calibd_source_up", None), 0);
}
