//! The pipeline task: serves every source in turn, so that a flood from one blocks only itself.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::active::{Active, Change};
use super::beside::{Beside, Watch};
use super::calibrate::{Calibrator, Judgement, Moment, OnExpired};
use super::keep::Keeping;
use super::live::Live;
use super::time::{Jump, TimeCheck};
use crate::alerting::Alerting;
use crate::config::peers::PeersConfig;
use crate::domain::alert::{Event, Kind};
use crate::domain::id::SensorId;
use crate::domain::sample::{AckToken, Reading, Sample};
use crate::domain::sequence::Numbers;
use crate::runtime::clock::Clock;
use crate::runtime::pulse::{Pulse, Waits};
use crate::source::binding::Sensors;
use crate::store::{Store, StoreError};
use crate::sync::link::Link;
use crate::telemetry::clock::ClockJumped;
use crate::telemetry::found::{self, Found};
use crate::telemetry::metrics::Metrics;
use crate::wire::message::ClockState;

/// Samples taken from one source before the next has its turn.
const TURN: usize = 64;
/// Wait before sequence numbers are asked for again, after the ledger could not give any.
const RESERVE_AGAIN: Duration = Duration::from_secs(1);

/// Asks the pipeline for something, between two readings.
#[derive(Debug)]
pub enum Request {
    /// Put these changes in force together.
    Activate(Vec<Change>, oneshot::Sender<()>),
    /// Take what the sources have delivered so far, then take over that another instrument is at a sensor,
    /// and put these changes in force with it.
    Mounted(Vec<Change>, oneshot::Sender<()>),
    /// Take what the sources have delivered so far, then take over the sensors' new facts, and put these
    /// changes in force with them.
    Reconfigure(Vec<Change>, OnExpired, oneshot::Sender<()>),
    /// Take samples from one more source.
    Attach(mpsc::Receiver<Sample>),
    /// Compute this beside the transform in force at a sensor, and nothing else.
    Watch(SensorId, Watch),
    /// Say what is in force at which sensor.
    InForce(oneshot::Sender<Vec<(SensorId, Arc<Active>)>>),
    /// Flag a sensor's readings as made in maintenance, or stop doing so.
    Maintenance(SensorId, bool),
    /// Compare these sensors, which measure the same thing, and no others.
    Peers(Vec<PeersConfig>),
    /// Look for sensors that have fallen silent.
    Look,
    /// Take what the sources have delivered so far, nothing more, and end.
    Finish,
}

/// Everything the pipeline works with.
#[derive(Debug)]
pub struct Pipeline {
    /// One channel for each source; one that has closed is forgotten.
    pub sources: Vec<mpsc::Receiver<Sample>>,
    /// Requests from the link.
    pub requests: mpsc::Receiver<Request>,
    /// All sensors.
    pub sensors: Sensors,
    /// What is in force.
    pub calibrator: Calibrator,
    /// Sequence numbers.
    pub numbers: Numbers,
    /// Where readings are kept.
    pub store: Store,
    /// Where readings are published.
    pub uplink: Link,
    /// Whoever watches.
    pub live: Live,
    /// What other transforms make of the readings.
    pub beside: Beside,
    /// The alerts.
    pub alerting: Alerting,
    /// Whether the clock can be believed.
    pub time: TimeCheck,
    /// The time.
    pub clock: Clock,
    /// Counters.
    pub metrics: Metrics,
    /// Signs of life.
    pub pulse: Pulse,
}

enum Work {
    Samples,
    Request(Request),
    Ended,
}

/// What is in force, by sensor; `None`: the pipeline did not say within `patience`.
pub async fn in_force(
    pipeline: &mpsc::Sender<Request>,
    patience: Duration,
) -> Option<Vec<(SensorId, Arc<Active>)>> {
    let (ask, answer) = oneshot::channel();
    let asked = async {
        pipeline.send(Request::InForce(ask)).await.ok()?;
        answer.await.ok()
    };
    tokio::time::timeout(patience, asked).await.ok().flatten()
}

impl Pipeline {
    /// Runs until [`Request::Finish`], and answers with the last sequence number given (0 if none was).
    ///
    /// # Errors
    /// The store has ended: nothing can be kept any more.
    pub async fn run(mut self) -> Result<u64, StoreError> {
        let mut turn = 0;
        let mut finishing = false;
        let mut last = 0;
        let mut batch = Batch::default();
        let mut waits = self.pulse.waits();
        let mut keeping = Keeping::new(self.clock.monotonic());
        self.expect();
        loop {
            match waits.on(self.next(&mut turn, finishing, &mut batch.samples)).await {
                Work::Ended => {
                    waits.on(keeping.finish(&self.calibrator, &self.store)).await;
                    return Ok(last);
                }
                Work::Request(Request::Finish) => {
                    finishing = true;
                    self.sources.iter_mut().for_each(mpsc::Receiver::close);
                }
                Work::Request(request) => {
                    if let Request::Reconfigure(..) | Request::Mounted(..) = request {
                        last = self.take_delivered(&mut batch, &mut waits).await?.unwrap_or(last);
                    }
                    let looks = matches!(request, Request::Look);
                    self.serve(request);
                    if looks {
                        keeping.turn(&self.calibrator, &self.store, self.clock.monotonic());
                    }
                }
                Work::Samples => last = self.take(&mut batch, &mut waits).await?.unwrap_or(last),
            }
        }
    }

    /// Waits for samples of the source whose turn it is, or of the next that has some, or for a request.
    async fn next(&mut self, turn: &mut usize, finishing: bool, samples: &mut Vec<Sample>) -> Work {
        let (sources, requests) = (&mut self.sources, &mut self.requests);
        poll_fn(|context| {
            if let Poll::Ready(Some(request)) = requests.poll_recv(context) {
                return Poll::Ready(Work::Request(request));
            }
            let count = sources.len();
            for index in (0..count).map(|offset| (*turn + offset) % count) {
                match sources[index].poll_recv_many(context, samples, TURN) {
                    // Closed and empty, or nothing yet.
                    Poll::Ready(0) | Poll::Pending => {}
                    Poll::Ready(_) => {
                        *turn = (index + 1) % count;
                        return Poll::Ready(Work::Samples);
                    }
                }
            }
            sources.retain(|source| !(source.is_closed() && source.is_empty()));
            if finishing && sources.is_empty() { Poll::Ready(Work::Ended) } else { Poll::Pending }
        })
        .await
    }

    fn serve(&mut self, request: Request) {
        match request {
            Request::Finish => {}
            Request::Look => self.look(),
            Request::Peers(peers) => self.calibrator.compare(peers),
            Request::Maintenance(sensor, on) => self.calibrator.maintain(sensor, on),
            // Whoever asked may have given up waiting.
            Request::InForce(answer) => drop(answer.send(self.calibrator.in_force())),
            Request::Attach(source) => self.sources.push(source),
            Request::Activate(changes, done) => self.put_in_force(changes, done),
            Request::Watch(sensor, watch) => {
                self.calibrator.watch(&sensor, &watch);
                self.beside.watch(&sensor, watch);
            }
            Request::Mounted(changes, done) => {
                self.calibrator.pass(self.clock.monotonic());
                self.calibrator.follow(|id| self.sensors.get(id));
                self.put_in_force(changes, done);
            }
            Request::Reconfigure(changes, on_expired, done) => {
                self.calibrator.pass(self.clock.monotonic());
                self.calibrator.reconfigure(|id| self.sensors.get(id), on_expired);
                self.expect();
                self.put_in_force(changes, done);
            }
        }
    }

    fn look(&mut self) {
        self.calibrator.pass(self.clock.monotonic());
        let now = self.clock.now();
        self.calibrator.look(now);
        self.tell_findings();
        let (alerting, sensors) = (&self.alerting, &self.sensors);
        self.calibrator.judge(now, &mut |judgement| tell(alerting, sensors, judgement));
    }

    /// Expects readings of all sensors that are configured, so that one that never speaks is noticed.
    fn expect(&mut self) {
        self.calibrator.pass(self.clock.monotonic());
        for sensor in self.sensors.all() {
            if !self.calibrator.knows(&sensor.id) {
                self.calibrator.add(sensor);
            }
        }
    }

    fn tell_findings(&mut self) {
        for (sensor, finding) in self.calibrator.findings() {
            Found { sensor: &sensor, finding: &finding }.record(&self.metrics);
        }
        for (sensor, outcome) in self.calibrator.outcomes() {
            found::checked(&self.metrics, &sensor, &outcome);
        }
    }

    fn put_in_force(&mut self, changes: Vec<Change>, done: oneshot::Sender<()>) {
        for change in changes {
            self.calibrator.set_active(&change.sensor, change.active);
        }
        // Whoever asked may have given up waiting; the change stands all the same.
        let _ = done.send(());
    }

    /// Takes what has been delivered until now: it was read under the facts that are about to change.
    async fn take_delivered(
        &mut self,
        batch: &mut Batch,
        waits: &mut Waits,
    ) -> Result<Option<u64>, StoreError> {
        let mut last = None;
        for source in 0..self.sources.len() {
            for _ in 0..self.sources[source].len() {
                batch.samples.extend(self.sources[source].try_recv().ok());
                if batch.samples.len() == TURN {
                    last = self.take(batch, waits).await?.or(last);
                }
            }
        }
        Ok(self.take(batch, waits).await?.or(last))
    }

    /// Makes readings of the samples and hands them on; answers with the last number given.
    async fn take(&mut self, batch: &mut Batch, waits: &mut Waits) -> Result<Option<u64>, StoreError> {
        let moment = self.moment();
        self.calibrator.pass(self.clock.monotonic());
        let Batch { samples, readings, acks } = batch;
        for sample in samples.drain(..) {
            acks.extend(sample.ack);
            if !self.calibrator.knows(&sample.sensor) {
                // A binding gives only sensors that exist; a number is taken only for a reading.
                let Some(sensor) = self.sensors.get(&sample.sensor) else { continue };
                self.calibrator.add(sensor);
            }
            let seq = self.number(waits).await?;
            readings.extend(self.calibrator.reading(&sample, seq, moment));
        }
        let last = readings.last().map(|reading| reading.seq);
        self.uplink.offer(readings);
        // Before anybody makes pairs of them.
        self.calibrator.shelve(&self.beside);
        self.live.show(readings);
        self.metrics.sensors.note(readings);
        self.tell_findings();
        self.store.append(readings, acks).await?;
        self.uplink.appended();
        Ok(last)
    }

    fn moment(&mut self) -> Moment {
        let now = self.clock.now();
        if let Some(Jump { micros }) = self.time.observe(now, self.clock.monotonic()) {
            ClockJumped { micros, now }.record(&self.metrics);
            self.calibrator.clock_jumped();
        }
        let state = self.time.state(now, self.clock.discipline());
        Moment { now, trusted: state != ClockState::Untrusted }
    }

    async fn number(&mut self, waits: &mut Waits) -> Result<u64, StoreError> {
        loop {
            if let Some(number) = self.numbers.take() {
                return Ok(number);
            }
            let alarm = self.metrics.alarms.part("numbers");
            match self.store.reserve().await {
                Ok(block) => {
                    alarm.clear();
                    self.numbers.add(block);
                }
                Err(StoreError::Closed) => return Err(StoreError::Closed),
                Err(error) => {
                    let message = format!("no sequence numbers, so readings wait: {error}");
                    alarm.raise(error.kind().as_str(), message, "free space on the disk of store.dir");
                    // A disk that is full is no reason to be started again.
                    waits.on(tokio::time::sleep(RESERVE_AGAIN)).await;
                }
            }
        }
    }
}

/// Tells the alerts; says whether there was room. What sensors have in common is told, too: their source and cohort,
/// or the sensor that they are compared with.
fn tell(alerting: &Alerting, sensors: &Sensors, judgement: Judgement) -> bool {
    let Judgement { sensor, kind, finding, stood } = judgement;
    let comparison = &sensor.comparison;
    let (source, cohort) = match &comparison.reference {
        Some(reference) if kind == Kind::Reference => (None, Some(format!("reference={}", reference.sensor))),
        _ => (sensors.owner(&sensor.id).map(|owner| owner.source), comparison.group()),
    };
    let over = finding.is_none() && stood;
    let id = sensor.id.clone();
    let event = Event::Judged { sensor: id, kind, source, cohort, finding: finding.map(Box::new) };
    let told = alerting.try_tell(event);
    if told && over {
        found::over(&sensor.id, kind);
    }
    told
}

/// Buffers that are used again for each batch.
#[derive(Default)]
struct Batch {
    samples: Vec<Sample>,
    readings: Vec<Reading>,
    acks: Vec<AckToken>,
}
