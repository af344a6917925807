//! What happens, in order, and what must be so after each step.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{sleep, timeout};

use super::alerts::{Alerts, beside};
use super::children::{Broker, Children, Gateway};
use super::dataset::{ALL_ROWS, FACTORY, FIT_ROWS, FITTED, Factory, ROWS, rows};
use super::error::{DemoError, expect};
use super::fleet::{Fleet, unsigned};
use super::messages::{self, Ack, Event, Reading, Status};
use super::operator::{Heard, Operator};
use super::reach::{PATIENCE, drift, listening, reachable};
use super::sensor::Sensor;
use super::site::{Ports, Site};
use super::table::{REFERENCE, SENSOR, Table};
use super::tally::Tally;
use super::visit::Visit;
use super::voice::{Tone, Voice};
use crate::domain::alert::{Alert, Kind};
use crate::domain::trust::envelope::Envelope;
use crate::domain::trust::key::PublicKey;

/// The transform's id, which is the last level of its topic.
const TRANSFORM: &str = "co-demo";
/// Between two readings shown.
const SHOWN_EVERY: Duration = Duration::from_secs(2);
/// How long the broker is gone.
const OUTAGE: Duration = Duration::from_secs(3);
/// How long calibd may take to come back: its waits are random and double with each failed attempt.
const RECONNECTS: Duration = Duration::from_secs(60);

/// Lines after which something happens; the sensor waits there if it is faster than the story.
mod at {
    /// The unsigned transform is pushed.
    pub const UNSIGNED: usize = 60;
    /// Version 1 is pushed.
    pub const FIRST: usize = 150;
    /// Version 2 is pushed; in the day before it most values of version 1 are beyond what is permitted.
    pub const SECOND: usize = 270;
    /// Version 1 is pushed again.
    pub const AGAIN: usize = 600;
    /// The broker is stopped.
    pub const OUTAGE: usize = 780;
    /// The sensor gets no further before the broker is back.
    pub const BACK: usize = 1300;
}

/// The story and what has happened so far.
#[derive(Debug)]
pub struct Story<'a> {
    pub(super) site: &'a Site,
    pub(super) voice: &'a Voice,
    speed: f64,
    tally: Tally,
    acks: VecDeque<Ack>,
    gateway_key: Option<PublicKey>,
    subscriptions: usize,
    online: Option<bool>,
    stopping: bool,
    marks: usize,
    shown: Option<Duration>,
    shown_version: Option<u64>,
    last_reference: Option<Reading>,
    refused: Vec<(&'static str, String)>,
    alerts: Alerts,
    pub(super) session_is_open: bool,
}

impl<'a> Story<'a> {
    /// A story that has not begun; `speed` in lines a second.
    pub fn new(site: &'a Site, speed: f64, voice: &'a Voice) -> Story<'a> {
        Story {
            site,
            voice,
            speed,
            tally: Tally::default(),
            acks: VecDeque::new(),
            gateway_key: None,
            subscriptions: 0,
            online: None,
            stopping: false,
            marks: 0,
            shown: None,
            shown_version: None,
            last_reference: None,
            refused: Vec::new(),
            alerts: Alerts::default(),
            session_is_open: false,
        }
    }

    /// Tells it to the end.
    pub async fn tell(mut self, children: &mut Children) -> Result<(), DemoError> {
        let fleet = Fleet::new()?;
        let ports = Ports::free()?;
        let mut sensor = Sensor::new()?;
        let mut operator = self.begin(&fleet, &ports, &sensor, children).await?;
        sensor.start(self.speed);
        self.transforms(&fleet, &sensor, &mut operator).await?;
        self.outage(&ports, &sensor, &mut operator, children).await?;
        self.desired_state_again(&fleet, &mut operator).await?;
        self.drifted(&mut operator).await?;
        let visit = self.visit(&sensor, &mut operator).await?;
        self.end(&sensor, &mut operator, children, visit.as_ref()).await
    }

    async fn begin(
        &mut self,
        fleet: &Fleet,
        ports: &Ports,
        sensor: &Sensor,
        children: &mut Children,
    ) -> Result<Operator, DemoError> {
        let voice = self.voice;
        voice.prints(Tone::Step, &format!("calibd demo, version {}", env!("CARGO_PKG_VERSION")));
        voice.prints(
            Tone::Plain,
            "A carbon monoxide sensor of a field study, 2000 hours, on a serial line; the \
             reference analyser stands beside it.\n\n",
        );
        self.site.write_trust(fleet)?;
        self.site.write_config(sensor.port(), self.speed, ports)?;
        voice.says(Tone::Step, "keys made, trust root signed, configuration written");
        let broker = Broker::start(ports)?;
        voice.says(Tone::Plain, &format!("broker: process {}, port {}", broker.id(), ports.gateways));
        let broker = children.broker.insert(broker);
        let mut operator = Operator::connect(ports.operator);
        self.until(&mut operator, "the operator is connected", |story| story.subscriptions == 1).await?;
        broker.open().await?;
        reachable(ports.gateways, "the broker accepts gateways").await?;
        let gateway = Gateway::start(&self.site.path("calibd.toml"), &self.site.path("calibd.log"))?;
        voice
            .says(Tone::Plain, &format!("calibd: process {}, started with that configuration", gateway.id()));
        let gateway = children.gateway.insert(gateway);
        listening(ports.metrics, gateway).await?;
        self.gateway_key = Some(self.site.gateway_key()?);
        self.until(&mut operator, "calibd says that it is online", |story| story.online == Some(true))
            .await?;
        let (port, speed) = (sensor.port(), self.speed);
        voice.says(Tone::Plain, &format!("sensor: {port}, {speed:.0} hours of the data set a second"));
        Ok(operator)
    }

    async fn transforms(
        &mut self,
        fleet: &Fleet,
        sensor: &Sensor,
        operator: &mut Operator,
    ) -> Result<(), DemoError> {
        sensor.allow(at::FIRST);
        self.readings(operator, at::UNSIGNED).await?;
        let calibrated = self.tally.series(SENSOR).filter(|reading| reading.value.is_some()).count();
        expect(calibrated == 0, || "readings are raw as long as there is no transform".to_owned())?;
        self.voice.says(Tone::Step, "transform v1, a line through two points, is pushed unsigned");
        self.refusal(operator, "unsigned v1", unsigned(FACTORY), "threshold_not_met").await?;

        self.readings(operator, at::FIRST).await?;
        self.voice.says(Tone::Step, "v1 is pushed again, now signed by the fleet's key");
        sensor.allow(at::SECOND);
        self.acceptance(operator, fleet.signed(FACTORY), 1).await?;

        self.readings(operator, at::SECOND).await?;
        self.until(operator, "an alert tells that v1 is beyond what is permitted", |story| {
            story.alerts.stands(Kind::Slo)
        })
        .await?;
        self.compared().await?;
        self.voice
            .says(Tone::Step, &format!("v2, fitted to {FIT_ROWS} hours, with its uncertainty, is pushed"));
        sensor.allow(at::AGAIN);
        self.acceptance(operator, fleet.signed(FITTED), 2).await?;

        self.readings(operator, at::AGAIN).await?;
        self.until(operator, "the alert is over with v2", |story| !story.alerts.stands(Kind::Slo)).await?;
        self.compared().await?;
        self.voice.says(Tone::Step, "somebody publishes the old v1 once more; its signature is good");
        sensor.allow(at::BACK);
        self.refusal(operator, "old v1 again", fleet.signed(FACTORY), "rolled_back_version").await
    }

    async fn refusal(
        &mut self,
        operator: &mut Operator,
        what: &'static str,
        envelope: Vec<u8>,
        reason: &str,
    ) -> Result<(), DemoError> {
        // Not retained: the desired state stays what it was.
        let ack = self.push(operator, false, envelope).await?;
        let given = ack.reason.unwrap_or_default();
        expect(ack.verdict == "refused" && given == reason, || {
            format!("{what} is refused as {reason} (it is {} {given})", ack.verdict)
        })?;
        self.voice.says(Tone::Warn, &format!("refused, {given}: {}", ack.message));
        self.refused.push((what, given));
        Ok(())
    }

    async fn acceptance(
        &mut self,
        operator: &mut Operator,
        envelope: Vec<u8>,
        version: u64,
    ) -> Result<(), DemoError> {
        let ack = self.push(operator, true, envelope).await?;
        let reason = ack.reason.unwrap_or_default();
        expect(ack.verdict == "accepted", || {
            format!("v{version} is accepted (it is {} {reason})", ack.verdict)
        })?;
        let digest = ack.digest.unwrap_or_default();
        let digest = digest.get(..12).unwrap_or_default();
        self.voice.says(Tone::Good, &format!("accepted: {}, digest {digest}", ack.message));
        let claim = format!("readings are calibrated by v{version}");
        self.until(operator, &claim, |story| story.shown_version == Some(version)).await
    }

    async fn outage(
        &mut self,
        ports: &Ports,
        sensor: &Sensor,
        operator: &mut Operator,
        children: &mut Children,
    ) -> Result<(), DemoError> {
        self.readings(operator, at::OUTAGE).await?;
        if let Some(mut broker) = children.broker.take() {
            broker.close().await?;
            operator.mark("mark").await?;
            self.until(operator, "the broker passes on what it has confirmed", |story| story.marks == 1)
                .await?;
            broker.kill().await;
        }
        let sent = sensor.sent();
        self.voice.says(Tone::Warn, "the broker is stopped; the sensor goes on");
        sleep(OUTAGE).await;
        let meanwhile = sensor.sent() - sent;
        expect(meanwhile > 0, || "the sensor goes on without the broker".to_owned())?;

        let broker = children.broker.insert(Broker::start(ports)?);
        self.until(operator, "the operator is connected again", |story| story.subscriptions == 2).await?;
        self.online = None;
        broker.open().await?;
        let seconds = OUTAGE.as_secs();
        let back =
            format!("the broker is back after {seconds} s and {meanwhile} lines, with an empty memory");
        self.voice.says(Tone::Step, &back);
        let opened = self.voice.elapsed();
        self.within(RECONNECTS, operator, "calibd comes back", |story| story.online == Some(true)).await?;
        let wait = (self.voice.elapsed() - opened).as_secs_f64();
        let connected =
            format!("calibd tried again {wait:.1} s later (its waits are random) and sends what it kept");
        self.voice.says(Tone::Good, &connected);
        self.readings(operator, sent + meanwhile).await?;
        let (len, duplicates) = (self.tally.len(), self.tally.duplicates());
        expect(self.tally.holes() == 0, || {
            format!("nothing is missing after the outage ({} are)", self.tally.holes())
        })?;
        self.voice.says(
            Tone::Good,
            &format!("caught up: {len} readings, none missing, {duplicates} of them twice"),
        );
        sensor.allow(ROWS);
        Ok(())
    }

    async fn desired_state_again(&mut self, fleet: &Fleet, operator: &mut Operator) -> Result<(), DemoError> {
        self.voice.says(Tone::Step, "the broker has forgotten the desired state: v2 is pushed again");
        let ack = self.push(operator, true, fleet.signed(FITTED)).await?;
        expect(ack.verdict == "already_applied", || {
            format!("v2 is in force already (it is {})", ack.verdict)
        })?;
        self.voice.says(Tone::Good, &format!("already_applied: {}", ack.message));
        Ok(())
    }

    async fn drifted(&mut self, operator: &mut Operator) -> Result<(), DemoError> {
        self.readings(operator, ROWS).await?;
        self.until(operator, "an alert tells that the sensor drifts", |story| {
            story.alerts.stands(Kind::Drift)
        })
        .await?;
        self.compared().await
    }

    async fn end(
        &mut self,
        sensor: &Sensor,
        operator: &mut Operator,
        children: &mut Children,
        visit: Option<&Visit>,
    ) -> Result<(), DemoError> {
        self.readings(operator, ALL_ROWS).await?;
        expect(sensor.sent() == ALL_ROWS, || "the sensor has sent its last line".to_owned())?;
        self.voice.says(Tone::Step, "the data set is through; calibd is asked to stop");
        self.stopping = true;
        if let Some(gateway) = children.gateway.take() {
            let status = gateway.stop(PATIENCE).await?;
            let good = status.is_some_and(|status| status.success());
            expect(good, || "calibd stops in order within 20 s".to_owned())?;
        }
        self.until(operator, "calibd says farewell", |story| story.online == Some(false)).await?;
        self.voice.says(Tone::Good, "calibd drained, said farewell and ended with 0");
        let table = Table::new(&self.tally, &rows(), &Factory::new()?)?;
        self.voice.prints(Tone::Plain, &table.render(&self.refused, &self.alerts.lines(), visit));
        table.check()?;
        if self.site.is_kept() {
            let place = self.site.keep().display();
            self.voice
                .prints(Tone::Plain, &format!("\nKept in {place}: configuration, keys, databases, log."));
        }
        Ok(())
    }

    /// Says how the sensor stands to its reference now, and what is foretold.
    async fn compared(&self) -> Result<(), DemoError> {
        // Below a directory with a very long name there is no socket to ask at.
        let Some(socket) = self.site.control() else { return Ok(()) };
        let said = drift(&socket.join("control.sock"), SENSOR).await?;
        self.voice.says(Tone::Plain, &beside(&said));
        if let Some(made) = said.forecast {
            self.voice.says(Tone::Plain, &format!("forecast: {}", made.forecast.message));
        }
        Ok(())
    }

    /// Waits until both values of the first `lines` lines have arrived.
    async fn readings(&mut self, operator: &mut Operator, lines: usize) -> Result<(), DemoError> {
        let claim = format!("the readings of {lines} lines arrive");
        self.until(operator, &claim, |story| {
            story.tally.count(SENSOR) >= lines && story.tally.count(REFERENCE) >= lines
        })
        .await
    }

    /// Pushes an artifact and waits for the answer to it.
    async fn push(
        &mut self,
        operator: &mut Operator,
        retain: bool,
        envelope: Vec<u8>,
    ) -> Result<Ack, DemoError> {
        let pushed = Envelope::parse(&envelope).map(|envelope| envelope.digest().to_string()).ok();
        operator.push(TRANSFORM, retain, envelope).await?;
        self.until(operator, "calibd answers a push", |story| !story.acks.is_empty()).await?;
        let ack = self.acks.pop_front().filter(|ack| ack.digest == pushed);
        ack.ok_or_else(|| DemoError::NotSo("calibd answers with the digest of what was pushed".to_owned()))
    }

    /// Listens until `so`; that nothing is heard for a while means that `claim` is not so.
    async fn until(
        &mut self,
        operator: &mut Operator,
        claim: &str,
        so: impl Fn(&Story<'_>) -> bool,
    ) -> Result<(), DemoError> {
        self.within(PATIENCE, operator, claim, so).await
    }

    async fn within(
        &mut self,
        patience: Duration,
        operator: &mut Operator,
        claim: &str,
        so: impl Fn(&Story<'_>) -> bool,
    ) -> Result<(), DemoError> {
        while !so(self) {
            let Ok(heard) = timeout(patience, operator.hear()).await else {
                return Err(DemoError::NotSo(claim.to_owned()));
            };
            self.take(heard?)?;
        }
        Ok(())
    }

    pub(super) fn take(&mut self, heard: Heard) -> Result<(), DemoError> {
        let (about, payload) = match heard {
            Heard::Subscribed => {
                self.subscriptions += 1;
                return Ok(());
            }
            Heard::Message { about, payload } => (about, payload),
        };
        match about.split('/').next().unwrap_or_default() {
            "reading" => self.reading(&payload),
            "ack" => {
                let key = self.gateway_key.as_ref();
                let key = key.ok_or_else(|| DemoError::NotSo("acks come after pushes".to_owned()))?;
                self.acks.push_back(messages::ack(&payload, key).map_err(DemoError::NotSo)?);
                Ok(())
            }
            "status" => {
                let status: Status = json(&payload, "the status")?;
                self.online = Some(status.online);
                expect(status.online || self.stopping, || "calibd stays online".to_owned())
            }
            // An alert that somebody has acknowledged is taken away with an empty message.
            "alert" if payload.is_empty() => Ok(()),
            "alert" => {
                let alert: Alert = json(&payload, "an alert")?;
                for (tone, line) in self.alerts.take(alert) {
                    self.voice.says(tone, &line);
                }
                Ok(())
            }
            "mark" => {
                self.marks += 1;
                Ok(())
            }
            "event" => {
                self.session_is_open |= json::<Event>(&payload, "an event")?.event == "session";
                Ok(())
            }
            // Reported states are for others.
            _ => Ok(()),
        }
    }

    fn reading(&mut self, payload: &Bytes) -> Result<(), DemoError> {
        let reading: Reading = json(payload, "a reading")?;
        if reading.sensor == SENSOR && reading.raw.is_some() {
            let (now, version) = (self.voice.elapsed(), reading.version());
            let due = self.shown.is_none_or(|shown| now >= shown + SHOWN_EVERY);
            if due || version != self.shown_version {
                self.shown = Some(now);
                self.shown_version = version;
                self.voice.says(Tone::Plain, &shown(&reading, self.last_reference.as_ref()));
            }
        } else if reading.sensor == REFERENCE {
            self.last_reference = Some(reading.clone());
        }
        self.tally.add(reading);
        Ok(())
    }
}

fn json<'de, T: serde::Deserialize<'de>>(payload: &'de [u8], what: &str) -> Result<T, DemoError> {
    serde_json::from_slice(payload).map_err(|fault| DemoError::NotSo(format!("{what} can be read ({fault})")))
}

/// A reading in one line, beside the reference of the same hour.
fn shown(reading: &Reading, reference: Option<&Reading>) -> String {
    let Reading { sensor, seq, unit, .. } = reading;
    let raw = reading.raw.map_or_else(|| "missing".to_owned(), |raw| raw.to_string());
    let mut text = format!("{sensor} #{seq}: raw {raw}");
    if let (Some(value), Some(transform)) = (reading.value, &reading.transform) {
        let u = reading.u.map_or_else(|| "no u".to_owned(), |u| format!("u {u:.2}"));
        text += &format!(" -> {value:.2} {unit}, {u}, v{}", transform.version);
    }
    // Both come from one line, the reference first.
    let same_line = reference.filter(|reference| reference.seq + 1 == reading.seq);
    if let Some(reference) = same_line.and_then(|reference| reference.raw) {
        text += &format!(" (reference {reference:.1})");
    }
    text
}
