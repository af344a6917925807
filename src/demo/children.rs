//! The processes that the demo starts: the broker, calibd and calibctl, all of them this very binary.

use std::fs::File;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::error::DemoError;
use super::site::Ports;

/// How long the broker may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What runs.
#[derive(Debug, Default)]
pub struct Children {
    /// The broker.
    pub broker: Option<Broker>,
    /// calibd.
    pub gateway: Option<Gateway>,
}

impl Children {
    /// Ends what still runs: calibd in order, within `patience`, then the broker.
    pub async fn end(&mut self, patience: Duration) {
        if let Some(gateway) = self.gateway.take() {
            // Whoever is interested in how it ended has stopped it before.
            let _ = gateway.stop(patience).await;
        }
        if let Some(broker) = self.broker.take() {
            broker.kill().await;
        }
    }
}

/// This binary, in a process group of its own: a Ctrl-C reaches the demo, which ends its children in order.
fn this_binary() -> Result<Command, DemoError> {
    let path = std::env::current_exe().map_err(DemoError::io("this program's own file"))?;
    let mut command = Command::new(path);
    command.process_group(0).kill_on_drop(true);
    Ok(command)
}

/// Runs calibctl with these words, at the socket for maintenance below `control` if it needs any; what it says.
pub async fn calibctl(control: Option<&Path>, words: &[&str]) -> Result<String, DemoError> {
    let mut command = this_binary()?;
    command.arg("demo-calibctl").args(words);
    if let Some(control) = control {
        command.arg("--socket").arg(control.join("maintenance.sock"));
    }
    let output = command.stdin(Stdio::null()).output().await.map_err(DemoError::io("calibctl"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(DemoError::NotSo(format!("`calibctl {}` does its work ({})", words.join(" "), said.trim())))
}

/// The broker's process.
#[derive(Debug)]
pub struct Broker {
    child: Child,
    words: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Broker {
    /// Starts it; it lets only the operator in.
    pub fn start(ports: &Ports) -> Result<Broker, DemoError> {
        let mut command = this_binary()?;
        command.args(["demo-broker", "--operator", &ports.operator.to_string()]);
        command.args(["--gateways", &ports.gateways.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(DemoError::io("the broker"))?;
        let (Some(words), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(DemoError::Setup("the broker has no standard input and output".to_owned()));
        };
        Ok(Broker { child, words, answers: BufReader::new(answers).lines() })
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Lets gateways in.
    pub async fn open(&mut self) -> Result<(), DemoError> {
        self.say("open\n").await
    }

    /// Cuts gateways off; nothing more is confirmed to them.
    pub async fn close(&mut self) -> Result<(), DemoError> {
        self.say("close\n").await
    }

    async fn say(&mut self, word: &str) -> Result<(), DemoError> {
        let answered = async {
            self.words.write_all(word.as_bytes()).await?;
            self.words.flush().await?;
            self.answers.next_line().await
        };
        match timeout(PATIENCE, answered).await {
            Ok(Ok(Some(_))) => Ok(()),
            Ok(Err(error)) => Err(DemoError::Io { what: "the broker".to_owned(), source: error }),
            Ok(Ok(None)) => Err(DemoError::NotSo("the broker runs (it ended)".to_owned())),
            Err(_) => Err(DemoError::NotSo("the broker answers within 10 s".to_owned())),
        }
    }

    /// Kills it, without a word of farewell.
    pub async fn kill(mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill().await;
    }
}

/// calibd's process.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
}

impl Gateway {
    /// Starts `calibd --config` with this file; what it says goes to `log`.
    pub fn start(config: &Path, log: &Path) -> Result<Gateway, DemoError> {
        let file = File::create_new(log).map_err(DemoError::io(log.display().to_string()))?;
        let mut command = this_binary()?;
        command.arg("--config").arg(config);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        let child = command.spawn().map_err(DemoError::io("calibd"))?;
        Ok(Gateway { child })
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Asks it to stop, as systemd would, and waits; `None` if it had to be killed after `patience`.
    pub async fn stop(mut self, patience: Duration) -> Result<Option<ExitStatus>, DemoError> {
        if let Some(id) = self.child.id() {
            // Every shell can send a signal; the standard library can't.
            let ask =
                Command::new("sh").args(["-c", "kill -TERM \"$1\"", "sh", &id.to_string()]).status().await;
            ask.map_err(DemoError::io("sh"))?;
        }
        match timeout(patience, self.child.wait()).await {
            Ok(ended) => ended.map(Some).map_err(DemoError::io("calibd")),
            Err(_) => {
                // An error means that it has ended meanwhile.
                let _ = self.child.kill().await;
                Ok(None)
            }
        }
    }
}
