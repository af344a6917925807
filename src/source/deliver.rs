//! The way of decoded records to the pipeline, the same for every source that reads by itself.

use std::sync::Arc;
use std::time::Duration;

use super::layout::OnFull;
use super::{PipelineGone, SourceContext};
use crate::domain::sample::Sample;
use crate::domain::time::Timestamp;
use crate::runtime::shutdown::Shutdown;
use crate::telemetry::tap::{Seen, Value, excerpt};
use crate::wire::decoder::Record;
use crate::wire::fault::DecodeError;

/// How long a source that has to stop waits for the pipeline.
const GRACE: Duration = Duration::from_secs(2);

async fn stopped_for_long(shutdown: &mut Shutdown) {
    shutdown.requested().await;
    tokio::time::sleep(GRACE).await;
}

/// Whether a source goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Going {
    /// It goes on.
    On,
    /// The stop was asked for, or the pipeline has ended.
    Stop,
}

impl SourceContext {
    /// Counts a fault of the input.
    pub fn fault(&mut self, fault: &DecodeError) {
        self.events.dropped(fault.kind.as_str(), &fault.to_string());
    }

    /// Adds the samples of a record to `samples`, one for each sensor that a field feeds.
    ///
    /// A field without a value gives a sample without one; a field that the record does not have,
    /// or that was garbled, gives none.
    pub fn samples_of(&mut self, record: &Record<'_>, now: Timestamp, samples: &mut Vec<Sample>) {
        for fault in record.faults {
            self.fault(fault);
        }
        let event: Option<Arc<str>> = record.event.map(Arc::from);
        for (field, raw) in record.readings() {
            let (sensors, problem) = self.bind.sensors(field, &record.captures);
            samples.extend(sensors.iter().map(|sensor| Sample {
                sensor: sensor.clone(),
                device_time: record.device_time,
                gateway_time: now,
                raw,
                u: None,
                event: event.clone(),
                ack: None,
            }));
            if let Some(problem) = problem {
                let names: Vec<_> = record.captures.iter().map(|(_, value)| value.escape_debug()).collect();
                let names: String = names.into_iter().flatten().take(80).collect();
                self.events.dropped(problem.as_str(), &format!("`{names}`"));
            }
        }
    }

    /// Shows a record to whoever tests this source; `captures` name the sensors of templates.
    pub fn show(&mut self, record: &Record<'_>, topic: Option<&str>, captures: &[(&str, &str)]) {
        if !self.events.tap().watched() {
            return;
        }
        let value = |(field, raw)| Value {
            field: self.bind.field(field).map(str::to_owned),
            raw,
            sensors: self.bind.sensors(field, captures).0.to_vec(),
        };
        let values = record.readings().map(value).collect();
        let (topic, input) = (topic.map(str::to_owned), Some(excerpt(record.input)));
        self.events.tap().show(|| Seen::Record { topic, input, values });
    }

    /// Hands the samples over and empties the list.
    pub async fn deliver(&mut self, samples: &mut Vec<Sample>, on_full: OnFull) -> Going {
        let count = samples.len();
        for (done, sample) in samples.drain(..).enumerate() {
            let delivered = match on_full {
                // Also while it is time to stop: what was read is not lost if the pipeline takes it soon.
                OnFull::Block => {
                    tokio::select! {
                        biased;
                        delivered = self.out.send(sample) => delivered.map(|()| true),
                        () = stopped_for_long(&mut self.shutdown) => {
                            for _ in done..count {
                                self.events.dropped("stopped", "the pipeline was full when the source had to stop");
                            }
                            return Going::Stop;
                        }
                    }
                }
                OnFull::Drop => self.try_deliver(sample),
            };
            match delivered {
                Ok(true) => self.events.sample(),
                Ok(false) => {}
                Err(PipelineGone) => return Going::Stop,
            }
        }
        Going::On
    }

    fn try_deliver(&mut self, sample: Sample) -> Result<bool, PipelineGone> {
        let rejected = self.out.try_send(sample)?;
        if let Some(sample) = &rejected {
            let detail = format!("a reading of {} came while the pipeline was full", sample.sensor);
            self.events.dropped("channel_full", &detail);
        }
        Ok(rejected.is_none())
    }
}
