//! What the fleet asks for once: verified, into the ledger, done, answered on the gateway's own branch.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use super::{Desk, Item, Reach};
use crate::domain::alert::{Event, Finding, Kind, Severity};
use crate::domain::digest::Digest;
use crate::domain::id::SensorId;
use crate::domain::trust::command::{Accepted, Past, Wanted, verify_command};
use crate::domain::trust::reason::{Reason, Refusal};
use crate::domain::trust::verify::Refused;
use crate::runtime::logging;
use crate::store::{AcceptedCommand, Recalibration, StoreError};
use crate::wire::message::{Ack, CommandReply, Verdict};

/// What commands are called in answers and in the audit.
const NAME: &str = "command";

/// What commands have left behind.
#[derive(Debug)]
pub(super) struct Commands {
    past: Past,
    /// The recalibrations that are asked for.
    asked: BTreeMap<SensorId, Recalibration>,
    /// Until when another log level holds (monotonic).
    log_until: Option<Duration>,
    /// When the desk began (monotonic).
    begun: Duration,
}

impl Commands {
    /// As the ledger holds them.
    pub fn new(past: Past, asked: Vec<Recalibration>, begun: Duration) -> Commands {
        let mut by_sensor = BTreeMap::new();
        by_sensor.extend(asked.into_iter().map(|asked| (asked.sensor.clone(), asked)));
        Commands { past, asked: by_sensor, log_until: None, begun }
    }

    /// Takes over which command is the newest that was accepted.
    pub fn newest(&mut self, newest: Option<(u64, Digest)>) {
        self.past.newest = newest;
    }
}

impl Desk {
    /// Says again what is asked for: alerts know what was found of sensors only from who finds it.
    pub(super) async fn resume_commands(&mut self) {
        self.begin_commands().await;
        for asked in self.commands.asked.values() {
            self.tell_asked(&asked.sensor, Some(asked)).await;
        }
    }

    /// Notes from when on commands are followed, once the clock is believed: in a new incarnation nobody knows which
    /// ones were followed before.
    async fn begin_commands(&mut self) {
        if self.commands.past.since.is_some() || !self.time_view().trusted {
            return;
        }
        let passed = self.clock.monotonic().saturating_sub(self.commands.begun);
        let since = self.clock.now().saturating_add_micros(-crate::domain::time::micros(passed));
        match self.store.begin_commands(since).await {
            Ok(()) => self.commands.past.since = Some(since),
            Err(error) => tracing::debug!("commands are not followed yet: {error}"),
        }
    }

    /// Judges a command and answers it; an error says why one that may be followed could not be written down.
    pub(super) async fn judge_command(&mut self, item: Item) -> Result<Ack, StoreError> {
        self.begin_commands().await;
        let outcome =
            verify_command(&item.arrived.payload, &self.context(&Reach::of(self)), &self.commands.past);
        let correlation = item.arrived.correlation.clone();
        let accepted = match outcome.and_then(|accepted| self.can_be_done(accepted)) {
            Ok(accepted) => accepted,
            Err(refused) => {
                self.write_down_refusal(NAME, item.way.actor(), &refused).await;
                let ack = self.refusal(NAME.to_owned(), &refused);
                self.reply(&ack, None, correlation);
                self.rest_after(refused.by_known_key, &item.way).await;
                return Ok(ack);
            }
        };
        if accepted.already_applied {
            let ack =
                self.of_command(&accepted, Verdict::AlreadyApplied, "it was followed before".to_owned());
            self.reply(&ack, Some(&accepted), correlation);
            return Ok(ack);
        }
        if let Err(error) = self.store.accept_command(written(&accepted, item.way.actor())).await {
            let text = format!("verified, but it cannot be written down: {error}; issue it anew");
            let ack = self.of_command(&accepted, Verdict::Refused, text);
            self.reply(&ack, Some(&accepted), correlation);
            return Err(error);
        }
        self.events.ledger_works();
        self.commands.past.newest = Some((accepted.command.serial, accepted.digest));
        let sentence = self.obey(&accepted).await;
        let (command, serial) = (accepted.command.command.as_str(), accepted.command.serial);
        tracing::info!(command, serial, "command {serial}: {sentence}");
        let ack = self.of_command(&accepted, Verdict::Accepted, sentence);
        self.reply(&ack, Some(&accepted), correlation);
        Ok(ack)
    }

    /// What only the gateway can say of a command's content.
    fn can_be_done(&self, accepted: Accepted) -> Result<Accepted, Refused> {
        let Wanted::LogLevel(level) = &accepted.wanted else { return Ok(accepted) };
        match logging::check(level) {
            Ok(()) => Ok(accepted),
            Err(fault) => {
                let refusal = Refusal::new(Reason::InvalidContent, format!("arguments.level: {fault}"));
                let version = Some(accepted.command.serial);
                Err(Refused { refusal, digest: Some(accepted.digest), id: None, version, by_known_key: true })
            }
        }
    }

    /// Does what a command wants; says what was done.
    async fn obey(&mut self, accepted: &Accepted) -> String {
        let sensors = accepted.sensors.iter().map(SensorId::as_str).collect::<Vec<_>>().join(", ");
        match &accepted.wanted {
            Wanted::LogLevel(level) => {
                let until = accepted.command.expires;
                let left = u64::try_from(until.micros_since(self.clock.now())).unwrap_or(0);
                self.commands.log_until = Some(self.clock.monotonic() + Duration::from_micros(left));
                logging::choose(level);
                format!("the log level is `{level}` until {until} or the next start")
            }
            Wanted::Recalibrate { reason, until } => {
                for asked in asked(accepted, reason, *until) {
                    self.tell_asked(&asked.sensor, Some(&asked)).await;
                    self.commands.asked.insert(asked.sensor.clone(), asked);
                }
                format!("a recalibration of {sensors} is asked for until {until}")
            }
            Wanted::Withdraw { .. } => {
                self.no_longer_asked(&accepted.sensors).await;
                format!("no recalibration of {sensors} is asked for any more")
            }
        }
    }

    /// What time has done to commands: requests run out, and log levels.
    pub(super) async fn expire_commands(&mut self) {
        self.begin_commands().await;
        let now = self.clock.monotonic();
        if self.commands.log_until.take_if(|until| *until <= now).is_some() {
            logging::choose_usual();
            tracing::info!("the log level is what it was before the command");
        }
        let time = self.time_view();
        let over = self.commands.asked.values().filter(|asked| time.is_past(asked.until));
        let over: Vec<SensorId> = over.map(|asked| asked.sensor.clone()).collect();
        self.end_asked(over, "recalibration.expired").await;
    }

    /// A new transform came into force at sensors: that is what was asked for there.
    pub(super) async fn recalibrated(&mut self, sensors: &[SensorId]) {
        let done = sensors.iter().filter(|sensor| self.commands.asked.contains_key(*sensor));
        self.end_asked(done.cloned().collect(), "recalibration.done").await;
    }

    async fn end_asked(&mut self, sensors: Vec<SensorId>, action: &'static str) {
        if sensors.is_empty() {
            return;
        }
        match self.store.end_recalibrations(sensors.clone(), action).await {
            Ok(()) => self.no_longer_asked(&sensors).await,
            Err(error) => tracing::warn!("a recalibration that was asked for stays in the ledger: {error}"),
        }
    }

    async fn no_longer_asked(&mut self, sensors: &[SensorId]) {
        for sensor in sensors {
            self.commands.asked.remove(sensor);
            self.tell_asked(sensor, None).await;
        }
    }

    /// Tells the alerts of a recalibration that is asked for, or that none is.
    async fn tell_asked(&self, sensor: &SensorId, asked: Option<&Recalibration>) {
        let finding = asked.map(|asked| {
            let message = format!("the fleet asks for a recalibration: {}", asked.reason);
            let remedy = format!(
                "calibrate it; this is over when a new transform is in force there, or at {}",
                asked.until
            );
            Box::new(Finding { severity: Severity::Ticket, message, remedy, snapshot: None })
        });
        let source = self.sensors.owner(sensor).map(|owner| owner.source);
        let cohort = self.sensors.get(sensor).and_then(|known| known.comparison.group());
        let (sensor, kind) = (sensor.clone(), Kind::Recalibration);
        self.alerting.tell(Event::Judged { sensor, kind, source, cohort, finding }).await;
    }

    fn of_command(&self, accepted: &Accepted, verdict: Verdict, message: String) -> Ack {
        Ack {
            digest: Some(accepted.digest),
            id: NAME.to_owned(),
            version: Some(accepted.command.serial),
            verdict,
            reason: None,
            message,
            stage: None,
            time: self.clock.now(),
        }
    }

    /// Answers on the gateway's own branch, whatever topic the sender names for an answer: a message from above must
    /// not choose what the gateway writes where.
    fn reply(&self, ack: &Ack, accepted: Option<&Accepted>, correlation: Option<Bytes>) {
        let Ack { digest, version, verdict, reason, message, time, .. } = ack.clone();
        let command = accepted.map(|accepted| accepted.command.command.as_str());
        let sensors = accepted.map(|accepted| accepted.sensors.clone()).unwrap_or_default();
        let reply =
            CommandReply { digest, command, serial: version, verdict, reason, message, sensors, time };
        self.reports.reply(&reply, correlation);
    }
}

/// The recalibrations that a command asks for.
fn asked<'a>(
    accepted: &'a Accepted,
    reason: &'a str,
    until: crate::domain::time::Timestamp,
) -> impl Iterator<Item = Recalibration> + 'a {
    accepted.sensors.iter().map(move |sensor| Recalibration {
        sensor: sensor.clone(),
        serial: accepted.command.serial,
        asked: accepted.command.issued_at,
        until,
        reason: reason.to_owned(),
    })
}

/// A command as it is written down.
fn written(accepted: &Accepted, actor: &str) -> AcceptedCommand {
    let Accepted { command, wanted, sensors, digest, keyids, .. } = accepted;
    let keyids: Vec<String> = keyids.iter().map(ToString::to_string).collect();
    let detail = json!({
        "digest": digest, "serial": command.serial, "sensors": sensors, "arguments": command.arguments,
        "expires": command.expires, "keyids": keyids,
    });
    let (asked, withdrawn) = match wanted {
        Wanted::Recalibrate { reason, until } => (asked(accepted, reason, *until).collect(), Vec::new()),
        Wanted::Withdraw { .. } => (Vec::new(), sensors.clone()),
        Wanted::LogLevel(_) => (Vec::new(), Vec::new()),
    };
    AcceptedCommand {
        serial: command.serial,
        digest: *digest,
        name: command.command.as_str(),
        actor: format!("{actor}:fleet"),
        detail: detail.to_string(),
        asked,
        withdrawn,
    }
}
