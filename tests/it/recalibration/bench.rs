//! A gateway with a sensor on a serial line, to which the gas is applied that a session asks for.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::control::{get, post};
use crate::support::gateway::Gateway;
use crate::support::process::Daemon;
use crate::support::trust::{Authority, transform};
use crate::support::tty::Tty;
use crate::support::wait::{rest, until, until_true};

/// Between two readings.
const EVERY: Duration = Duration::from_millis(20);

/// The transform that the sensor comes with: value = 0.02 raw - 0.5.
pub fn factory(version: u64) -> Value {
    let mut factory = transform(version);
    factory["pipeline"] = json!([{"kind": "affine", "offset": -0.5, "gain": 0.02,
        "covariance": [[1e-4, 0.0], [0.0, 1e-10]]}]);
    factory["domain"] = json!({"input": [-100.0, 2000.0]});
    factory["uncertainty"] = json!({"residual_std": 0.05, "degrees_of_freedom": 30});
    factory
}

pub struct Bench {
    pub authority: Authority,
    pub gateway: Gateway,
    pub daemon: Option<Daemon>,
    stop: Arc<AtomicBool>,
    line: Option<JoinHandle<()>>,
}

impl Bench {
    /// A gateway whose sensor has drifted, with its transform in force and its standards noted.
    pub fn new() -> Bench {
        Bench::with("")
    }

    /// The same with more lines in its configuration.
    pub fn with(more: &str) -> Bench {
        Bench::made(|_| more.to_owned())
    }

    /// The same with lines that name files of the keys.
    pub fn made(more: impl FnOnce(&Authority) -> String) -> Bench {
        let authority = Authority::with_technician();
        let more = more(&authority);
        let tty = Tty::new();
        let gateway = Gateway::new().trusting(&authority).with(&format!(
            "[source.line]\nkind = \"serial\"\nport = \"{}\"\nbaud = 9600\nformat = {{ kind = \"csv\", separator = \";\" }}\n\
             fields = {{ co = {{ column = 0 }} }}\n\
             [sensor.co-1]\nsource = \"line\"\nfield = \"co\"\nquantity = \"carbon monoxide mass concentration\"\n\
             unit = \"nA\"\nmodel = \"b4\"\nserial = \"162741\"\nperiod = \"20ms\"\nmpe = {{ absolute = 0.5, relative = 0.1 }}\n\
             [sensor.co-1.recalibration]\nt90 = \"200ms\"\nresolution = 0.01\nrange = [0, 30]\n",
            tty.path().display()
        ));
        let gateway = gateway.with(&more);
        let stop = Arc::new(AtomicBool::new(false));
        let line = spoken(tty, gateway.path("run/control.sock"), stop.clone());
        let mut bench = Bench { authority, gateway, daemon: None, stop, line: Some(line) };
        bench.start();
        let signed = bench.file("factory.json", bench.authority.signed(&factory(1)));
        bench.does(&["transform", "install", &signed]);
        bench.does(&[
            "instrument",
            "mount",
            "co-1",
            "--model",
            "b4",
            "--serial",
            "162741",
            "--element-serial",
            "E-1",
        ]);
        for (name, value, due) in
            [("zero-air", "0", "2099-01-01"), ("co-20", "20", "2099-01-01"), ("old-20", "20", "2020-01-01")]
        {
            let body = json!({"id": name, "certificate": "C-7", "due": format!("{due}T00:00:00Z"),
                "values": [{"value": value.parse::<f64>().unwrap(), "unit": "mg/m3", "u": 0.1}]});
            bench.posts("/v1/standards", &body);
        }
        bench
    }

    /// Starts calibd, and waits until it answers with readings.
    pub fn start(&mut self) {
        self.daemon = Some(self.gateway.start());
        let socket = self.socket("control");
        until_true("somebody to answer", || UnixStream::connect(&socket).is_ok());
        until_true("a reading", || self.get("/v1/sensors/co-1")["last"].is_object());
    }

    /// Ends calibd at once, as a power cut would, and starts it again.
    pub fn cut_power(&mut self) {
        self.daemon.take().unwrap().process.kill();
        self.start();
    }

    pub fn socket(&self, name: &str) -> PathBuf {
        self.gateway.path(format!("run/{name}.sock"))
    }

    /// Where a file of this name is.
    pub fn path(&self, name: &str) -> String {
        self.gateway.path(name).to_str().unwrap().to_owned()
    }

    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// The private key of this name.
    pub fn key(&self, name: &str) -> String {
        self.authority.path(format!("{name}.key.pem")).to_str().unwrap().to_owned()
    }

    /// calibctl at admin.sock.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_calibctl"));
        command.args(words).arg("--socket").arg(self.socket("admin"));
        command
    }

    pub fn calibctl(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// calibctl, beside what the test does.
    pub fn spawn(&self, words: &[&str]) -> JoinHandle<Output> {
        let mut command = self.command(words);
        std::thread::spawn(move || command.output().unwrap())
    }

    pub fn does(&self, words: &[&str]) {
        let output = self.calibctl(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    pub fn get(&self, path: &str) -> Value {
        get(&self.socket("control"), path).json()
    }

    /// What is answered; it has to be done.
    pub fn posts(&self, path: &str, body: &Value) -> Value {
        let answer = post(&self.socket("maintenance"), path, body.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    /// Opens a session.
    pub fn open(&self, wanted: Value) -> Value {
        self.posts("/v1/sessions", &wanted)
    }

    /// Does something with a session; what it is then.
    pub fn session(&self, id: &str, command: &str, body: Value) -> Value {
        self.posts(&format!("/v1/sessions/{id}/{command}"), &body)
    }

    /// Waits until a point is taken.
    pub fn point_taken(&self, id: &str) -> Value {
        until("a point", || {
            let whole = self.get(&format!("/v1/sessions/{id}"));
            whole["session"]["measuring"].is_null().then_some(whole)
        })
    }

    /// Opens a session at `co-1` and takes it to the preview of a fit to two points; what it is called and is then.
    pub fn previewed(&self) -> (String, Value) {
        let id = self.open(json!({"sensor": "co-1"}))["session"]["id"].as_str().unwrap().to_owned();
        for (reference, standard) in [("0 mg/m3", "zero-air"), ("20 mg/m3", "co-20")] {
            self.session(&id, "point", json!({"role": "span", "reference": reference, "standard": standard}));
            self.point_taken(&id);
        }
        self.session(&id, "finish", json!({}));
        let whole = self.session(&id, "fit", json!({}));
        (id, whole)
    }

    /// The actions of the audit with this beginning, in their order.
    pub fn audited(&self, beginning: &str) -> Vec<String> {
        let rows = self.get("/v1/audit?limit=10000")["rows"].take();
        let actions = rows.as_array().unwrap().iter().map(|row| row["action"].as_str().unwrap().to_owned());
        actions.filter(|action| action.starts_with(beginning)).collect()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(line) = self.line.take() {
            let _ = line.join();
        }
    }
}

/// Speaks for the sensor: it shows 1.2 x + 0.8 of what the session of the moment asks for, by its transform.
fn spoken(mut tty: Tty, socket: PathBuf, stop: Arc<AtomicBool>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let (mut offered, mut turn) = (0.0, 0u32);
        while !stop.load(Ordering::Relaxed) {
            if turn % 5 == 0 {
                offered = asked_for(&socket).unwrap_or(offered);
            }
            turn += 1;
            // A noise that is no noise, so that the tests always see the same.
            let noise = 0.02 * f64::from(turn * 7 % 11) / 11.0 - 0.01;
            let raw = (1.2 * offered + 0.8 + noise + 0.5) / 0.02;
            tty.write(format!("{raw:.4}\n"));
            rest(EVERY);
        }
    })
}

/// What the open session has applied.
fn asked_for(socket: &Path) -> Option<f64> {
    let sessions = answered(socket, "/v1/sessions")?;
    let id = sessions["sessions"][0]["id"].as_str()?;
    answered(socket, &format!("/v1/sessions/{id}"))?["session"]["measuring"]["offered"]["value"].as_f64()
}

/// An answer, if there is one: the daemon may be ended at any moment.
fn answered(socket: &Path, path: &str) -> Option<Value> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n").as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    serde_json::from_str(text.split_once("\r\n\r\n")?.1).ok()
}
