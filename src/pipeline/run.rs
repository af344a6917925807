//! The pipeline task: serves every source in turn, so that a flood from one blocks only itself.

use std::future::poll_fn;
use std::task::Poll;

use tokio::sync::{mpsc, oneshot};

use super::active::Change;
use super::calibrate::{Calibrator, Moment};
use super::time::TimeCheck;
use crate::domain::sample::{AckToken, Sample};
use crate::domain::sequence::Sequencer;
use crate::domain::time::Timestamp;
use crate::runtime::clock::Clock;
use crate::source::binding::Sensors;
use crate::store::{Store, StoreError};
use crate::sync::link::Link;
use crate::telemetry::metrics::Metrics;

/// Samples taken from one source before the next has its turn.
const TURN: usize = 64;

/// Asks the pipeline for something, between two readings.
#[derive(Debug)]
pub enum Request {
    /// Put these changes in force together.
    Activate(Vec<Change>, oneshot::Sender<()>),
    /// A newer time was proven.
    Prove(Timestamp),
}

/// Everything the pipeline works with.
#[derive(Debug)]
pub struct Pipeline {
    /// One channel for each source; it closes when the source has ended.
    pub sources: Vec<mpsc::Receiver<Sample>>,
    /// Requests from the link.
    pub requests: mpsc::Receiver<Request>,
    /// All sensors.
    pub sensors: Sensors,
    /// What is in force.
    pub calibrator: Calibrator,
    /// Sequence numbers.
    pub sequencer: Sequencer,
    /// Where readings are kept.
    pub store: Store,
    /// Where readings are published.
    pub links: Vec<Link>,
    /// Whether the clock can be believed.
    pub time: TimeCheck,
    /// The time.
    pub clock: Clock,
    /// Counters.
    pub metrics: Metrics,
}

enum Work {
    Samples,
    Request(Request),
    Ended,
}

impl Pipeline {
    /// Runs until every source has ended and everything they delivered is with the store.
    pub async fn run(mut self) -> Result<(), StoreError> {
        let mut turn = 0;
        let mut samples = Vec::with_capacity(TURN);
        loop {
            samples.clear();
            match self.next(&mut turn, &mut samples).await {
                Work::Ended => return Ok(()),
                Work::Request(request) => self.serve(request),
                Work::Samples => self.take(&samples).await?,
            }
        }
    }

    /// Waits for samples of the source whose turn it is, or of the next that has some, or for a request.
    async fn next(&mut self, turn: &mut usize, samples: &mut Vec<Sample>) -> Work {
        let (sources, requests) = (&mut self.sources, &mut self.requests);
        poll_fn(|context| {
            if let Poll::Ready(Some(request)) = requests.poll_recv(context) {
                return Poll::Ready(Work::Request(request));
            }
            let count = sources.len();
            let mut open = false;
            for offset in 0..count {
                let index = (*turn + offset) % count;
                match sources[index].poll_recv_many(context, samples, TURN) {
                    Poll::Ready(0) => {}
                    Poll::Ready(_) => {
                        *turn = (index + 1) % count;
                        return Poll::Ready(Work::Samples);
                    }
                    Poll::Pending => open = true,
                }
            }
            if open { Poll::Pending } else { Poll::Ready(Work::Ended) }
        })
        .await
    }

    fn serve(&mut self, request: Request) {
        match request {
            Request::Prove(time) => self.time.prove(time),
            Request::Activate(changes, done) => {
                for change in changes {
                    self.calibrator.set_active(&change.sensor, change.active);
                }
                // Whoever asked may have given up waiting; the change stands all the same.
                let _ = done.send(());
            }
        }
    }

    async fn take(&mut self, samples: &[Sample]) -> Result<(), StoreError> {
        let moment = self.moment();
        let mut readings = Vec::with_capacity(samples.len());
        let mut acks: Vec<AckToken> = Vec::new();
        for sample in samples {
            if !self.calibrator.knows(&sample.sensor)
                && let Some(sensor) = self.sensors.get(&sample.sensor)
            {
                self.calibrator.add(sensor);
            }
            let seq = self.number().await?;
            if let Some(reading) = self.calibrator.reading(sample, seq, moment) {
                readings.push(reading);
            }
            acks.extend(sample.ack);
        }
        for link in &self.links {
            link.offer(&readings);
        }
        self.store.append(readings, acks).await?;
        for link in &self.links {
            link.appended();
        }
        Ok(())
    }

    fn moment(&mut self) -> Moment {
        let now = self.clock.now();
        if let Some(jump) = self.time.observe(now, self.clock.monotonic()) {
            let direction = if jump.micros < 0 { "back" } else { "forward" };
            self.metrics.clock_jumps.get_or_create(&vec![("direction", direction.to_owned())]).inc();
            let seconds = jump.micros as f64 / 1e6;
            tracing::warn!("the clock jumped by {seconds:.1} s to {now}; readings keep their order by sequence number");
        }
        Moment { now, trusted: self.time.trusts(now) }
    }

    async fn number(&mut self) -> Result<u64, StoreError> {
        loop {
            if let Some(seq) = self.sequencer.next() {
                return Ok(seq);
            }
            let (start, end) = self.store.reserve().await?;
            self.sequencer.extend(start, end);
        }
    }
}
