//! calibd and its companions as real processes.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::wait::{until, until_true};

/// A TCP port that nobody uses. It lies below those that the system gives to outgoing connections,
/// so that a service can be stopped and started on it without anybody taking it meanwhile.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id() * 131 % 12_000;
    until("a free port", || {
        let port = 20_000 + (start + NEXT.fetch_add(1, Ordering::SeqCst)) % 12_000;
        let port = u16::try_from(port).unwrap();
        TcpListener::bind(("127.0.0.1", port)).is_ok().then_some(port)
    })
}

/// Runs a program to its end and answers its standard output; it has to succeed.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// The same command in a process that has none of this one's open files.
///
/// Pseudo-terminals are inherited, and a port whose device another test's process holds, too, is not
/// unplugged when its own test lets it go.
pub fn without_our_files(command: &Command) -> Command {
    const CLOSE: &str = r#"
        for fd in /proc/$$/fd/*; do
            fd=${fd##*/}
            if ((fd > 2)); then eval "exec $fd>&-"; fi
        done
        exec "$@""#;
    let mut bare = Command::new("bash");
    bare.args(["-c", CLOSE, "bash"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => bare.env(name, value),
            None => bare.env_remove(name),
        };
    }
    bare
}

/// A program that runs until it is stopped; what it says goes to a file.
pub struct Process {
    child: Child,
    /// Held open: the log can be read even when its directory is gone.
    log: File,
    name: String,
}

impl Process {
    /// Starts it; `log` is where standard error goes, after what is there already.
    pub fn start(command: &Command, log: &Path) -> Process {
        let errors = File::options().create(true).append(true).read(true).open(log).unwrap();
        let log = errors.try_clone().unwrap();
        let mut bare = without_our_files(command);
        let child = bare.stdin(Stdio::null()).stdout(errors.try_clone().unwrap()).stderr(errors).spawn();
        let name = command.get_program().to_string_lossy().into_owned();
        let child = child.unwrap_or_else(|error| panic!("{name}: {error}"));
        Process { child, log, name }
    }

    /// What it has said so far, at this start and before.
    pub fn log(&self) -> String {
        let length = usize::try_from(self.log.metadata().unwrap().len()).unwrap();
        let mut bytes = vec![0; length];
        self.log.read_exact_at(&mut bytes, 0).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        // The shell's own `kill`: a small system may have no other.
        run(Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]));
    }

    /// Waits until it has ended.
    pub fn ended(&mut self) -> ExitStatus {
        let name = self.name.clone();
        until(&format!("the end of {name}"), || self.child.try_wait().unwrap())
    }

    /// Asks it to end, and waits for that.
    pub fn stop(&mut self) -> ExitStatus {
        self.terminate();
        self.ended()
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    #[expect(clippy::print_stderr, reason = "a failed test shows what the process said")]
    fn drop(&mut self) {
        let before = self.child.try_wait();
        self.kill();
        if std::thread::panicking() {
            // `Ok(None)`: it was still running.
            eprintln!("--- {} ({before:?}) said:\n{}", self.name, self.log());
        }
    }
}

/// A page of an HTTP server on this machine: its status and its body; `None` while nobody serves it.
pub fn page(http: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", http)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: test\r\n\r\n").as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// The metrics page at a port; `None` while nobody serves it.
pub fn metrics(http: u16) -> Option<String> {
    page(http, "/metrics").filter(|(status, _)| *status == 200).map(|(_, body)| body)
}

/// The value of a series on the metrics page at a port; 0 where there is none yet.
pub fn metric(http: u16, series: &str) -> i64 {
    let page = metrics(http).unwrap_or_default();
    let value = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok());
    value.unwrap_or(0)
}

/// A running calibd.
pub struct Daemon {
    /// The process.
    pub process: Process,
    /// The port of its metrics.
    pub http: u16,
}

impl Daemon {
    /// Starts calibd with this configuration; its metrics are at port `http`.
    pub fn start(config: &Path, http: u16, log: &Path) -> Daemon {
        Daemon::start_with(config, http, log, &[])
    }

    /// Starts calibd with this environment in addition.
    pub fn start_with(config: &Path, http: u16, log: &Path, environment: &[(&str, &str)]) -> Daemon {
        let mut command = Command::new(env!("CARGO_BIN_EXE_calibd"));
        command.arg("--config").arg(config).env_remove("CALIBD_LOG").env_remove("JOURNAL_STREAM");
        command.env_remove("NOTIFY_SOCKET").envs(environment.iter().copied());
        Daemon { process: Process::start(&command, log), http }
    }

    /// The value of a series, such as `calibd_source_up{source="line1"}`; 0 where there is none yet.
    pub fn metric(&self, series: &str) -> i64 {
        metric(self.http, series)
    }

    /// The sum of all series of a metric.
    pub fn total(&self, name: &str) -> i64 {
        let page = metrics(self.http).unwrap_or_default();
        let ours = page.lines().filter(|line| line.starts_with(&format!("{name}{{")));
        ours.filter_map(|line| line.rsplit_once(' ')?.1.parse::<i64>().ok()).sum()
    }

    /// Waits until a series has at least this value.
    pub fn reaches(&mut self, series: &str, value: i64) {
        until_true(&format!("{series} to reach {value}"), || {
            assert!(self.process.runs(), "calibd ended");
            self.metric(series) >= value
        });
    }

    /// Waits until the broker is connected and the subscriptions are made.
    pub fn linked(&mut self) {
        self.reaches("calibd_link_up", 1);
    }

    /// Waits until the log holds `text`.
    pub fn says(&self, text: &str) {
        until_true(&format!("the log to say `{text}`"), || self.process.log().contains(text));
    }
}
