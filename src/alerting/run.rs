//! The task: what happens becomes alerts that are kept and published.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::keep::Keeper;
use super::publish::Publisher;
use super::{Ask, DEPLOY, MAINTENANCE};
use crate::domain::alert::{Action, Alert, Alerts, Event, Policy, Refused, Scope};
use crate::domain::id::SensorId;
use crate::domain::time::Timestamp;
use crate::runtime::clock::Clock;
use crate::runtime::steps::Steps;
use crate::source::binding::Sensors;
use crate::store::{RecoveredAlerts, Store};
use crate::sync::link::Link;
use crate::telemetry::alerts::{acknowledged, cleared, raised};
use crate::telemetry::metrics::Metrics;

/// Between two looks at what falls due; what happens in between is written together.
const TICK: Duration = Duration::from_secs(1);

/// A clock that is set by less, in microseconds, makes nothing wait for noticeably longer or shorter.
const STEP: i64 = 10_000_000;

/// A sensor of a template that did not come for so long after a start is gone.
const GONE: Duration = Duration::from_secs(7 * 86_400);

/// Sensors of deploys that are told apart at a time.
const MOST_DEPLOYS: usize = 256;

/// What the task works with.
#[derive(Debug)]
pub struct Parts {
    pub store: Store,
    pub link: Link,
    pub clock: Clock,
    pub metrics: Metrics,
    /// Where the gateway's own messages are.
    pub branch: String,
    /// When a finding becomes an alert.
    pub policy: Policy,
    /// The sensors in maintenance.
    pub in_maintenance: BTreeSet<SensorId>,
    /// Those that are configured or have been seen.
    pub sensors: Sensors,
}

/// All alerts of the gateway.
#[derive(Debug)]
pub struct Task {
    clock: Clock,
    metrics: Metrics,
    alerts: Alerts,
    keeper: Keeper,
    publisher: Publisher,
    /// What the broker is to be told once the ledger has it, by alert; `None`: that there is none.
    messages: BTreeMap<String, Option<Alert>>,
    steps: Steps,
    sensors: Sensors,
    /// From when on sensors of templates are there only if they have been seen (monotonic); `None`: they are now.
    gone_from: Option<Duration>,
    /// When the wall clock as it is now was first read, and its last time.
    begun: Timestamp,
    last: Timestamp,
}

impl Task {
    /// Goes on from what was stored.
    pub fn new(parts: Parts, recovered: RecoveredAlerts) -> Task {
        let Parts { store, link, clock, metrics, branch, policy, in_maintenance, sensors } = parts;
        let now = clock.now();
        let mut steps = Steps::new(STEP);
        steps.observe(now, clock.monotonic());
        let mut alerts = Alerts::new(policy, recovered.stored);
        alerts.resume(now);
        let mut task = Task {
            keeper: Keeper::new(store, metrics.clone()),
            publisher: Publisher::new(branch, link),
            messages: BTreeMap::new(),
            begun: now,
            last: now,
            gone_from: Some(clock.monotonic() + GONE),
            sensors,
            clock,
            metrics,
            alerts,
            steps,
        };
        task.take_up_maintenance(in_maintenance);
        task.tell_all(recovered.retained);
        task.let_go_of_the_gone();
        task
    }

    /// Whether a sensor is configured, has been seen, or may still come.
    fn is_there(&self, sensor: &SensorId) -> bool {
        match self.gone_from {
            Some(_) => self.sensors.known_or_possible(sensor).is_some(),
            None => self.sensors.get(sensor).is_some(),
        }
    }

    /// Lets go what was found of sensors that are not there any more.
    fn let_go_of_the_gone(&mut self) {
        let mut gone = BTreeSet::new();
        gone.extend(self.alerts.found_at().filter(|sensor| !self.is_there(sensor)).cloned());
        for sensor in gone {
            // Nothing refuses this.
            let _ = self.apply(Event::Removed { sensor });
        }
    }

    /// Takes over which sensors are in maintenance now; it may have begun or ended while nobody wrote it down here.
    fn take_up_maintenance(&mut self, sensors: BTreeSet<SensorId>) {
        let known = self.alerts.suppressions().filter(|(_, reason)| *reason == MAINTENANCE);
        let over: Vec<Scope> = known
            .map(|(scope, _)| scope.clone())
            .filter(|scope| !matches!(scope, Scope::Sensor(sensor) if sensors.contains(sensor)))
            .collect();
        let reason = || MAINTENANCE.to_owned();
        let lifted = over.into_iter().map(|scope| Event::Lifted { scope, reason: reason() });
        let suppressed = sensors.into_iter().map(|sensor| Event::Suppressed {
            scope: Scope::Sensor(sensor),
            reason: reason(),
            kinds: Vec::new(),
            until: None,
        });
        for event in lifted.chain(suppressed) {
            if let Err(refused) = self.apply(event) {
                tracing::warn!("alerts are raised during a maintenance: {refused}");
            }
        }
    }

    /// Has the broker told of all that stands; what it may hold of other alerts is taken away.
    fn tell_all(&mut self, retained: Vec<String>) {
        let published: Vec<Alert> = self.alerts.published().cloned().collect();
        let gone = retained.into_iter().filter(|id| published.iter().all(|alert| alert.id != *id));
        self.messages.extend(gone.map(|id| (id, None)));
        published.into_iter().for_each(|alert| self.tell(alert));
    }

    /// Runs until nobody can ask any more.
    pub async fn run(mut self, mut asks: mpsc::Receiver<Ask>) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                ask = asks.recv() => match ask {
                    Some(ask) => self.serve(ask).await,
                    None => return,
                },
                _ = ticks.tick() => self.tick().await,
            }
        }
    }

    async fn serve(&mut self, ask: Ask) {
        match ask {
            // What was judged before the sensor was removed, and is told after it.
            Ask::Event(Event::Judged { sensor, kind, finding: Some(_), .. })
                if !kind.is_of_the_gateway() && !self.is_there(&sensor) => {}
            Ask::Event(event) => {
                let event = self.widened(event);
                match self.apply(event) {
                    Err(refused @ Refused::TooMany) => tracing::warn!("alerts are not suppressed: {refused}"),
                    Err(refused) => tracing::debug!("nothing changes at the alerts: {refused}"),
                    Ok(_) => {}
                }
            }
            // Whoever asked may have given up waiting.
            Ask::Command(event, answer) => {
                let done = self.command(event).await;
                drop(answer.send(done));
            }
            Ask::List(sensor, answer) => {
                let alerts = match &sensor {
                    Some(sensor) => self.alerts.about(sensor).cloned().collect(),
                    None => self.alerts.alerts().cloned().collect(),
                };
                drop(answer.send((alerts, self.alerts.tally())));
            }
            Ask::Reconfigured(policy) => {
                self.alerts.set_policy(policy);
                self.publisher.empty_again();
                self.tell_all(Vec::new());
            }
            Ask::Finish(done) => {
                self.keeper.changed();
                self.settle(true).await;
                // Whoever asked may have given up waiting.
                let _ = done.send(());
            }
        }
    }

    /// After very many deploys within minutes the next one is spoken of as one for all sensors.
    fn widened(&self, event: Event) -> Event {
        match event {
            Event::Suppressed { reason, kinds, until, .. }
                if reason == DEPLOY
                    && self.alerts.suppressions().filter(|(_, of)| *of == DEPLOY).count() >= MOST_DEPLOYS =>
            {
                Event::Suppressed { scope: Scope::All, reason, kinds, until }
            }
            other => other,
        }
    }

    /// Does what somebody wants, and writes it down before they know.
    async fn command(&mut self, event: Event) -> Result<Option<Alert>, Refused> {
        let about = match &event {
            Event::Acknowledged { id, .. } | Event::Silenced { id, .. } => Some(id.clone()),
            _ => None,
        };
        let looked_at = matches!(event, Event::Acknowledged { .. });
        // One that is let go with this is known from what is written of it.
        let written = self.apply(event)?;
        let alert =
            about.and_then(|id| self.alerts.alert(&id).or_else(|| written.iter().find(|it| it.id == id)));
        if let Some(alert) = alert.filter(|_| looked_at) {
            acknowledged(alert);
        }
        let alert = alert.cloned();
        self.settle(true).await;
        Ok(alert)
    }

    async fn tick(&mut self) {
        if let Err(refused) = self.apply(Event::Tick) {
            tracing::debug!("nothing changes at the alerts: {refused}");
        }
        if self.gone_from.take_if(|from| *from <= self.clock.monotonic()).is_some() {
            self.let_go_of_the_gone();
        }
        self.settle(false).await;
    }

    /// Takes in what happened; the alerts whose rows have changed.
    fn apply(&mut self, event: Event) -> Result<Vec<Alert>, Refused> {
        let now = self.now();
        // Of findings alone, what is not written is found again.
        let lasts = !matches!(event, Event::Tick | Event::Judged { .. });
        let actions = self.alerts.apply(event, now)?;
        if lasts {
            self.keeper.changed();
        }
        Ok(self.carry_out(actions))
    }

    /// The time; what it means that the clock was set is done.
    fn now(&mut self) -> Timestamp {
        let now = self.clock.now();
        if let Some(by) = self.steps.observe(now, self.clock.monotonic()) {
            let actions = self.alerts.clock_set(self.begun, self.last, by);
            self.begun = self.begun.saturating_add_micros(by);
            self.keeper.changed();
            self.carry_out(actions);
        }
        self.last = now;
        now
    }

    fn carry_out(&mut self, actions: Vec<Action>) -> Vec<Alert> {
        let mut rows = Vec::new();
        for action in actions {
            self.keeper.changed();
            self.keeper.note(&action);
            match action {
                Action::Raise(alert) if alert.silence.is_some() => {}
                Action::Raise(alert) => raised(&alert),
                Action::Update(alert) => rows.push(alert),
                Action::Clear(alert) => cleared(&alert),
                Action::Publish(alert) => self.tell(alert),
                Action::Empty(id) => drop(self.messages.insert(id, None)),
            }
        }
        rows
    }

    fn tell(&mut self, alert: Alert) {
        if self.publisher.has_broker() {
            self.keeper.changed();
            self.keeper.retained(&alert.id);
            self.messages.insert(alert.id.clone(), Some(alert));
        }
    }

    /// Writes what has changed, then tells it.
    async fn settle(&mut self, urgent: bool) {
        self.publisher.emptied().into_iter().for_each(|id| self.keeper.emptied(id));
        self.keeper.write(self.alerts.stored(), self.clock.monotonic(), urgent).await;
        self.metrics.alerts.note(self.alerts.alerts(), self.alerts.tally());
        if !self.keeper.may_tell() {
            return;
        }
        for (id, alert) in std::mem::take(&mut self.messages) {
            match alert {
                Some(alert) => self.publisher.publish(&alert),
                None => self.publisher.empty(id),
            }
        }
    }
}

#[cfg(test)]
mod tests;
