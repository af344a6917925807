//! The sources at work: started, stopped and exchanged one by one.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::wiring::Kit;
use crate::config::source::{SourceConfig, SourceKind};
use crate::control::gateway;
use crate::pipeline::run::Request;
use crate::runtime::clock::Clock;
use crate::runtime::shutdown::{self, Stopper};
use crate::runtime::supervise::supervise;
use crate::source::binding::Sensors;
use crate::source::{SampleSender, replay, serial};
use crate::telemetry::alarm::Alarm;
use crate::telemetry::metrics::Metrics;
use crate::wire::format::SpecError;

/// How long a source that is exchanged may take to hand over what it has read.
const HANDOVER: Duration = Duration::from_secs(5);

/// The sources at work, in the order of the configuration.
#[derive(Debug)]
pub struct Sources {
    entries: Vec<Entry>,
    sensors: Sensors,
    metrics: Metrics,
    clock: Clock,
    pipeline: mpsc::Sender<Request>,
    shown: watch::Sender<gateway::Sources>,
    next_index: u16,
}

/// One source. An MQTT source has no task of its own: the driver of its connection calls it.
#[derive(Debug)]
struct Entry {
    kit: Kit,
    stopper: Stopper,
    task: Option<JoinHandle<()>>,
}

impl Sources {
    /// None yet.
    pub fn new(
        sensors: &Sensors,
        metrics: &Metrics,
        clock: &Clock,
        pipeline: &mpsc::Sender<Request>,
    ) -> Sources {
        Sources {
            entries: Vec::new(),
            sensors: sensors.clone(),
            metrics: metrics.clone(),
            clock: clock.clone(),
            pipeline: pipeline.clone(),
            shown: watch::Sender::default(),
            next_index: 0,
        }
    }

    /// Names and kinds, as they are and as they will be.
    pub fn shown(&self) -> watch::Receiver<gateway::Sources> {
        self.shown.subscribe()
    }

    /// The kits, in the order of the configuration.
    pub fn kits(&self) -> impl Iterator<Item = &Kit> {
        self.entries.iter().map(|entry| &entry.kit)
    }

    /// Stops those that are not among these, each once it has handed over what it has read; answers with
    /// their numbers.
    pub async fn retire(&mut self, configs: &[SourceConfig]) -> Vec<u16> {
        let other = |entry: &&mut Entry| !configs.contains(&entry.kit.config);
        let gone: Vec<&mut Entry> = self.entries.iter_mut().filter(other).collect();
        let numbers = gone.iter().map(|entry| entry.kit.index).collect();
        stop(gone, Instant::now() + HANDOVER).await;
        numbers
    }

    /// Goes over to these sources: those that are the same go on untouched, others are started. What is
    /// not among them was retired before.
    pub async fn change(&mut self, configs: &[SourceConfig]) {
        let same = |entry: &Entry| configs.contains(&entry.kit.config);
        let (mut kept, mut gone): (Vec<Entry>, Vec<Entry>) = self.entries.drain(..).partition(same);
        for config in configs {
            let place = kept.iter().position(|entry| *config == entry.kit.config);
            let entry = match place {
                Some(place) => kept.swap_remove(place),
                None => {
                    let before = gone.iter().position(|entry| entry.kit.config.name == config.name);
                    let before = before.map(|place| gone.swap_remove(place));
                    self.start(config, before).await
                }
            };
            self.entries.push(entry);
        }
        let kind = |kit: &Kit| (kit.config.name.clone(), kit.config.kind.name());
        self.shown.send_replace(self.kits().map(kind).collect());
    }

    /// Starts a source, on the channel of the one `before` where that is large enough: what still waits
    /// there stays ahead.
    async fn start(&mut self, config: &SourceConfig, before: Option<Entry>) -> Entry {
        let room = Kit::room(config);
        let channel = before.map(|entry| entry.kit.out).filter(|out| out.capacity() >= room);
        let out = match channel {
            Some(out) => out,
            None => {
                let (out, receiver) = SampleSender::channel(room);
                // An error means that the pipeline has ended, which is noticed elsewhere.
                let _ = self.pipeline.send(Request::Attach(receiver)).await;
                out
            }
        };
        let (stopper, shutdown) = shutdown::channel();
        let kit = Kit {
            config: config.clone(),
            index: self.next_index,
            out,
            sensors: self.sensors.clone(),
            metrics: self.metrics.clone(),
            clock: self.clock.clone(),
            shutdown,
        };
        // The last one stands for messages from above.
        self.next_index = (self.next_index + 1) % u16::MAX;
        let task = run(&kit);
        Entry { kit, stopper, task }
    }

    /// Stops all; one that does not end by `by` is cut off, and the pipeline takes what it has delivered.
    pub async fn stop(&mut self, by: Instant) {
        stop(self.entries.iter_mut().collect(), by).await;
        self.entries.clear();
    }
}

/// Stops these, all at once.
async fn stop(entries: Vec<&mut Entry>, by: Instant) {
    entries.iter().for_each(|entry| entry.stopper.stop());
    for entry in entries {
        if let Some(mut task) = entry.task.take()
            && tokio::time::timeout_at(by, &mut task).await.is_err()
        {
            let name = &entry.kit.config.name;
            tracing::warn!(source = %name, "cut off: it did not hand over in time what it had read");
            task.abort();
        }
    }
}

fn run(kit: &Kit) -> Option<JoinHandle<()>> {
    let name = format!("source {}", kit.config.name);
    let (restarts, shutdown, kit) = (restarts(&kit.metrics), kit.shutdown.clone(), kit.clone());
    match kit.config.kind.clone() {
        SourceKind::Mqtt(_) => None,
        SourceKind::Serial(config) => Some(supervise(name, shutdown, restarts, move || {
            ended(kit.alarm(), serial::run::run(config.clone(), kit.context()))
        })),
        SourceKind::Replay(config) => {
            Some(supervise(name, shutdown, restarts, move || replay::run::run(config.clone(), kit.context())))
        }
    }
}

async fn ended(alarm: Alarm, task: impl Future<Output = Result<(), SpecError>>) {
    if let Err(fault) = task.await {
        alarm.raise("layout", format!("cannot work as configured: {fault}"), "correct the configuration");
    }
}

/// Counts the tasks that had to be started again.
pub fn restarts(metrics: &Metrics) -> impl Fn(&str) + Send + 'static {
    let metrics = metrics.clone();
    move |task| {
        metrics.task_restarts.get_or_create(&vec![("task", task.to_owned())]).inc();
    }
}
