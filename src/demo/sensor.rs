//! The instrument: a pseudo-terminal out of which the data set comes line by line.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_serial::{SerialPort as _, SerialStream};

use super::dataset::{header, rows};
use super::error::DemoError;

/// An instrument on a serial line.
#[derive(Debug)]
pub struct Sensor {
    port: String,
    line: Option<SerialStream>,
    limit: watch::Sender<usize>,
    sent: watch::Receiver<usize>,
    sender: Option<watch::Sender<usize>>,
    task: Option<JoinHandle<()>>,
}

impl Sensor {
    /// Makes the line; nothing comes out of it yet.
    pub fn new() -> Result<Sensor, DemoError> {
        let setup = |fault: tokio_serial::Error| DemoError::Setup(format!("a pseudo-terminal: {fault}"));
        // The other end is closed here and opened by calibd, under its name.
        let (line, other) = SerialStream::pair().map_err(setup)?;
        let port =
            other.name().ok_or_else(|| DemoError::Setup("the pseudo-terminal has no name".to_owned()))?;
        let (sender, sent) = watch::channel(0);
        let (limit, _) = watch::channel(0);
        Ok(Sensor { port, line: Some(line), limit, sent, sender: Some(sender), task: None })
    }

    /// The device that calibd opens.
    pub fn port(&self) -> &str {
        &self.port
    }

    /// Starts to speak, after a first line that is no measurement.
    pub fn start(&mut self, lines_per_second: f64) {
        let (Some(line), Some(sent)) = (self.line.take(), self.sender.take()) else { return };
        let pause = Duration::from_secs_f64(1.0 / lines_per_second);
        self.task = Some(tokio::spawn(speak(line, pause, self.limit.subscribe(), sent)));
    }

    /// Lets it speak up to this line.
    pub fn allow(&self, lines: usize) {
        self.limit.send_replace(lines);
    }

    /// Lines sent so far.
    pub fn sent(&self) -> usize {
        *self.sent.borrow()
    }
}

impl Drop for Sensor {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn speak(
    mut line: SerialStream,
    pause: Duration,
    mut limit: watch::Receiver<usize>,
    sent: watch::Sender<usize>,
) {
    let mut ticks = tokio::time::interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    if line.write_all(format!("{}\n", header()).as_bytes()).await.is_err() {
        return;
    }
    for (index, row) in rows().iter().enumerate() {
        if limit.wait_for(|limit| *limit > index).await.is_err() {
            return;
        }
        ticks.tick().await;
        if line.write_all(format!("{}\n", row.line).as_bytes()).await.is_err() {
            return;
        }
        sent.send_replace(index + 1);
    }
    // The line stays open until the demo ends: an instrument that is silent is not unplugged.
    std::future::pending::<()>().await;
}
