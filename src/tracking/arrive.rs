//! References that come from the broker: checked, stored, and only then acknowledged. What is stored and comes
//! again changes nothing, so a crash between the two loses nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::Ask;
use super::about::{About, Came, units_in_force};
use crate::domain::id::SensorId;
use crate::domain::reference::{Given, Origin, Reference, Standard};
use crate::domain::strict_json;
use crate::pipeline::run::Request;
use crate::pipeline::time::TimeCheck;
use crate::runtime::clock::Clock;
use crate::source::binding::Sensors;
use crate::store::{Added, Store, StoreError, StoredStandard};
use crate::sync::link::Link;
use crate::sync::references::{ArrivedReferences, Waiting};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::tracking::{MessageRefused, received};
use crate::wire::message::ClockState;

/// References of one transaction: the store's thread has to commit readings, too.
const TOGETHER: usize = 1000;
/// Wait before another try, after the store or the pipeline could not do what it was asked.
const AGAIN: Duration = Duration::from_secs(1);

/// Takes references from the broker.
#[derive(Debug)]
pub struct Arrivals {
    pub sensors: Sensors,
    pub store: Store,
    pub link: Link,
    /// Says which units values have.
    pub pipeline: mpsc::Sender<Request>,
    pub tracking: mpsc::Sender<Ask>,
    pub time: TimeCheck,
    pub clock: Clock,
    pub metrics: Metrics,
}

/// What a whole batch is checked with.
struct Moment {
    units: HashMap<SensorId, Arc<str>>,
    standards: Arc<[Standard]>,
}

impl Arrivals {
    /// Runs until the store has ended.
    pub async fn run(self, mut waiting: Waiting) {
        loop {
            let messages = waiting.next(&self.link).await;
            if self.take(messages).await.is_err() {
                // The daemon is about to end; what was not acknowledged comes again.
                return std::future::pending().await;
            }
        }
    }

    async fn take(&self, messages: Vec<ArrivedReferences>) -> Result<(), StoreError> {
        let moment = self.moment().await?;
        let mut sound = Vec::new();
        for message in &messages {
            self.check(message, &moment, &mut sound).await?;
            // The largest batch takes a while.
            tokio::task::yield_now().await;
        }
        for references in sound.chunks(TOGETHER) {
            let outcomes = self.stored(references).await?;
            outcomes.into_iter().for_each(|added| received(&self.metrics, added.as_str()));
        }
        messages.iter().filter_map(|message| message.token).for_each(|token| self.link.settled(token));
        Ok(())
    }

    /// What is known now.
    async fn moment(&self) -> Result<Moment, StoreError> {
        let standards = match self.standards().await {
            Ok(standards) => standards.into_iter().map(|kept| kept.standard).collect(),
            Err(StoreError::Closed) => return Err(StoreError::Closed),
            Err(error) => {
                // A ledger can be broken for long, and what waits here holds back acknowledgements of readings.
                tracing::warn!("references from the broker are taken without their standards: {error}");
                Arc::default()
            }
        };
        loop {
            match units_in_force(&self.pipeline).await {
                Some(units) => return Ok(Moment { units, standards }),
                None => tracing::warn!("references wait: the pipeline does not say which units are in force"),
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// The standards, as soon as the store has time for that: it soon has, where a broken ledger may stay so.
    async fn standards(&self) -> Result<Vec<StoredStandard>, StoreError> {
        loop {
            match self.store.standards().await {
                Err(StoreError::Busy) => tokio::time::sleep(AGAIN).await,
                answer => return answer,
            }
        }
    }

    /// Has references stored and paired, however often it takes to try: they come again if the end is near.
    async fn stored(&self, references: &[Reference]) -> Result<Vec<Added>, StoreError> {
        insist(|| async {
            let (ask, answer) = oneshot::channel();
            let asked = self.tracking.send(Ask::Keep(references.to_vec(), ask)).await;
            asked.map_err(|_| StoreError::Closed)?;
            answer.await.unwrap_or(Err(StoreError::Closed))
        })
        .await
    }

    /// Adds what can be stored of a message; the rest is counted.
    async fn check(
        &self,
        message: &ArrivedReferences,
        moment: &Moment,
        sound: &mut Vec<Reference>,
    ) -> Result<(), StoreError> {
        let refused = |reason, problem: &str| {
            MessageRefused { sensor: message.sensor.as_str(), reason, problem }.record(&self.metrics);
        };
        let given = match read(&message.payload) {
            Ok(given) => given,
            Err(problem) => {
                refused("bad_json", &problem);
                return Ok(());
            }
        };
        if !self.knows(&message.sensor).await? {
            refused("unknown_sensor", "there is no such sensor; `calibctl sensors` lists them");
            return Ok(());
        }
        let about = self.about(&message.sensor, moment);
        for given in given {
            // What has no time of its own may come hours late, and again under another id.
            if given.as_ref().is_ok_and(|given| given.time.is_none() && given.event.is_none()) {
                refused("no_time", "give its time, or the event that the label is about");
                continue;
            }
            match given.map(|given| about.check(&given)) {
                Ok(Ok(reference)) => sound.push(reference),
                Ok(Err(error)) => refused(error.reason(), &error.to_string()),
                Err(problem) => refused("bad_json", &problem),
            }
        }
        Ok(())
    }

    /// Whether there is such a sensor, or has been.
    async fn knows(&self, sensor: &SensorId) -> Result<bool, StoreError> {
        if self.sensors.get(sensor).is_some() {
            return Ok(true);
        }
        let past = insist(|| self.store.latest(Some(vec![sensor.clone()]))).await?;
        Ok(!past.is_empty())
    }

    fn about(&self, sensor: &SensorId, moment: &Moment) -> About {
        // One that a template made before the last start may not have been seen again yet.
        let configured = self.sensors.known_or_possible(sensor);
        let unit = moment.units.get(sensor).map(|unit| &**unit);
        let came = Came {
            standards: moment.standards.clone(),
            now: self.clock.now(),
            trusted: self.time.of(&self.clock) != ClockState::Untrusted,
            origin: Origin::Mqtt,
        };
        About::new(sensor.clone(), configured.as_deref(), unit, came)
    }
}

/// Asks the store until it can do it, or has ended.
async fn insist<T, F: Future<Output = Result<T, StoreError>>>(ask: impl Fn() -> F) -> Result<T, StoreError> {
    loop {
        match ask().await {
            Err(error) if !matches!(error, StoreError::Closed) => {
                tracing::warn!("references from the broker wait for the store: {error}");
                tokio::time::sleep(AGAIN).await;
            }
            done => return done,
        }
    }
}

/// Reads one reference, or a list of them; each of a list is taken or refused on its own.
fn read(payload: &[u8]) -> Result<Vec<Result<Given, String>>, String> {
    let value = strict_json::parse(payload).map_err(|error| error.to_string())?;
    let one = |value: &Value| strict_json::from_value::<Given>(value);
    match &value {
        Value::Array(list) => {
            let read =
                |(place, value)| one(value).map_err(|error| error.under(&format!("[{place}]")).to_string());
            Ok(list.iter().enumerate().map(read).collect())
        }
        value => Ok(vec![Ok(one(value).map_err(|error| error.to_string())?)]),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use proptest::prelude::*;

    use super::*;

    fn outcomes(payload: &str) -> Vec<bool> {
        read(payload.as_bytes()).unwrap().iter().map(Result::is_ok).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_end_of_the_store_ends_the_asking() {
        let answers = RefCell::new(vec![Ok(7), Err(StoreError::Busy), Err(StoreError::Deadline)]);
        let ask = || async { answers.borrow_mut().pop().unwrap_or(Err(StoreError::Closed)) };
        assert_eq!(insist(ask).await.unwrap(), 7);
        assert!(matches!(insist(ask).await, Err(StoreError::Closed)));
    }

    #[test]
    fn a_message_is_one_reference_or_a_list_of_them() {
        assert_eq!(outcomes(r#"{"value":1,"event":"e-1"}"#), [true]);
        assert_eq!(outcomes(r#"[{"value":1},{"value":0,"time":"2026-11-22T10:00:00Z"}]"#), [true, true]);
        assert_eq!(outcomes("[]"), [true; 0]);
    }

    #[test]
    fn a_bad_one_of_a_list_spoils_no_other() {
        assert_eq!(
            outcomes(r#"[{"value":1},{"value":0,"colour":"red"},7,{"value":0}]"#),
            [true, false, false, true]
        );
        let bad = read(br#"[{"value":1},{"value":"1"}]"#).unwrap().pop().unwrap().unwrap_err();
        assert!(bad.starts_with("[1].value"), "{bad}");
    }

    #[test]
    fn what_is_no_json_or_says_too_much_is_refused() {
        let deep = "[".repeat(100_000);
        for bad in [
            "",
            "1",
            "null",
            "{",
            r#"{"value":1e999}"#,
            r#"{"value":1,"value":0}"#,
            r#"{"value":1} x"#,
            &deep,
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad:.40}");
        }
        assert!(read(b"{\"value\":1,\"event\":\"\xff\"}").is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_end_the_process(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
