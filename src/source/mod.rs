//! Sources: one folder for each kind. A source turns bytes into samples and knows nothing of the store.

pub mod binding;
pub mod deliver;
pub mod layout;
pub mod mqtt;
pub mod replay;
pub mod serial;
pub mod synthetic;

use tokio::sync::mpsc;

use crate::domain::id::Id;
use crate::domain::sample::Sample;
use crate::runtime::clock::Clock;
use crate::runtime::shutdown::Shutdown;
use crate::telemetry::source::SourceEvents;
use binding::Binding;

/// Samples that may wait between a source and the pipeline, at least.
pub const CHANNEL_CAPACITY: usize = 4096;

/// All that a source task is given.
#[derive(Debug)]
pub struct SourceContext {
    /// The source's name in the configuration.
    pub name: Id,
    /// Its number; no other source that runs has it.
    pub index: u16,
    /// Where samples go.
    pub out: SampleSender,
    /// Which sensors a field of this source feeds.
    pub bind: Binding,
    /// Counters and log lines.
    pub events: SourceEvents,
    /// The time.
    pub clock: Clock,
    /// The wish to stop.
    pub shutdown: Shutdown,
}

/// The source's own bounded channel to the pipeline.
#[derive(Clone, Debug)]
pub struct SampleSender(mpsc::Sender<Sample>);

/// The pipeline has ended; nothing can be delivered any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the pipeline has ended")]
pub struct PipelineGone;

impl SampleSender {
    /// Makes a channel of `capacity` samples.
    pub fn channel(capacity: usize) -> (SampleSender, mpsc::Receiver<Sample>) {
        let (sender, receiver) = mpsc::channel(capacity);
        (SampleSender(sender), receiver)
    }

    /// How many samples fit in, when it is empty.
    pub fn capacity(&self) -> usize {
        self.0.max_capacity()
    }

    /// Delivers a sample, waiting while the channel is full.
    pub async fn send(&self, sample: Sample) -> Result<(), PipelineGone> {
        self.0.send(sample).await.map_err(|_| PipelineGone)
    }

    /// Delivers a sample at once; gives it back in `Ok(Some(_))` if the channel is full.
    pub fn try_send(&self, sample: Sample) -> Result<Option<Sample>, PipelineGone> {
        match self.0.try_send(sample) {
            Ok(()) => Ok(None),
            Err(mpsc::error::TrySendError::Full(sample)) => Ok(Some(sample)),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(PipelineGone),
        }
    }
}
