//! The task of all sessions.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, watch};

use super::certify::not_open;
use super::flags::not_flagged;
use super::{Ask, Recalibration, Refused};
use crate::activation::desk;
use crate::domain::certificate::Office;
use crate::domain::id::{Id, SensorId};
use crate::domain::quality::State;
use crate::domain::sample::Reading;
use crate::domain::sensor::Sensor;
use crate::domain::session::{self, At, Beside, Effect, Event, Session};
use crate::domain::trust::key::{KeyId, PrivateKey};
use crate::pipeline::live::{self, Live};
use crate::pipeline::maintenance::Maintenance;
use crate::pipeline::run::Request;
use crate::pipeline::time::TimeCheck;
use crate::runtime::clock::Clock;
use crate::source::binding::Sensors;
use crate::store::{Store, StoredCertificate};
use crate::sync::link::Link;
use crate::wire::control::{
    CertificateOffer, OpenSession, SessionReading, SessionState, Sessions, WholeSession,
};

/// Between two looks at the time.
const LOOK: Duration = Duration::from_secs(1);
/// The longest wait before a step that could not be done is tried again.
const SELDOM: Duration = Duration::from_secs(3600);
/// Who it is in the audit where nobody does it.
pub(super) const ITSELF: &str = "calibd";

/// Everything the sessions work with.
#[derive(Debug)]
pub struct Parts {
    pub fleet: Id,
    pub gateway: Id,
    /// The gateway's branch of topics.
    pub branch: String,
    pub sensors: Sensors,
    pub store: Store,
    pub link: Link,
    pub pipeline: mpsc::Sender<Request>,
    pub desk: mpsc::Sender<desk::Ask>,
    pub maintenance: Maintenance,
    pub live: Live,
    pub time: TimeCheck,
    pub clock: Clock,
    /// The gateway's own key, which signs certificates.
    pub key: PrivateKey,
    /// What stands on every certificate; `None`: none are issued.
    pub office: watch::Receiver<Option<Office>>,
    /// The file of the maintenance key that the gateway holds; `None`: it holds none.
    pub held: watch::Receiver<Option<PathBuf>>,
    /// Where sessions are shown.
    pub shown: Recalibration,
}

/// A session that is not over, and what was seen of its sensors last.
#[derive(Debug)]
struct Held {
    session: Session,
    reading: Option<SessionReading>,
    /// The last value of each covariate, by its role.
    covariates: BTreeMap<String, Beside>,
    /// When to do again what its stage waits for (monotonic), and how long the wait for that is.
    again: Option<(Duration, Duration)>,
}

impl Held {
    fn new(session: Session) -> Held {
        Held { session, reading: None, covariates: BTreeMap::new(), again: None }
    }

    /// What its stage waits for, where it is time to do it again. It was done when the stage was reached, so what came
    /// of it could not be written, or it was refused: tried at once, and then after waits that grow.
    fn overdue(&mut self, now: Duration) -> Option<Effect> {
        let Some(effect) = self.session.pending() else {
            self.again = None;
            return None;
        };
        if self.again.is_some_and(|(at, _)| now < at) {
            return None;
        }
        let wait = self.again.map_or(LOOK, |(_, wait)| (wait * 2).min(SELDOM));
        self.again = Some((now + wait, wait));
        Some(effect)
    }
}

/// The sessions that are not over.
#[derive(Debug)]
pub struct Task {
    parts: Parts,
    open: BTreeMap<SensorId, Held>,
}

/// The sessions that the ledger holds; one that cannot be read is left there, and said.
pub fn recovered(stored: &[String]) -> Vec<Session> {
    let read = |text: &String| match serde_json::from_str::<Session>(text) {
        Ok(session) => Some(session),
        Err(error) => {
            tracing::warn!(
                "a recalibration session of the ledger cannot be read ({error}); its sensor goes on without it"
            );
            None
        }
    };
    stored.iter().filter_map(read).collect()
}

impl Task {
    /// The sessions as the ledger has them.
    pub fn new(parts: Parts, sessions: Vec<Session>) -> Task {
        let held = |session: Session| {
            let sensor = session.plan.sensor.clone();
            (sensor, Held::new(session))
        };
        let mut open = BTreeMap::new();
        open.extend(sessions.into_iter().map(held));
        Task { parts, open }
    }

    /// Shows readings to the sessions and does what is asked, for as long as the daemon runs.
    pub async fn run(mut self, mut asks: mpsc::Receiver<Ask>, mut waits: mpsc::Receiver<desk::Waits>) {
        let mut watched = None;
        let sensors: Vec<SensorId> = self.open.keys().cloned().collect();
        for sensor in sensors {
            self.tell_itself(&sensor, Event::Restarted).await;
        }
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            // Without a session nobody watches: readings are copied for those who do.
            watched = match self.open.is_empty() {
                true => None,
                false => watched.or_else(|| Some(self.parts.live.watch())),
            };
            tokio::select! {
                ask = asks.recv() => match ask {
                    Some(ask) => self.serve(ask).await,
                    None => return,
                },
                Some((sensor, id, version)) = waits.recv() => {
                    self.tell_itself(&sensor, Event::PushWaits(id, version)).await;
                }
                readings = live::next(&mut watched) => match readings {
                    Ok(readings) => self.seen(&readings).await,
                    // Readings that were not seen are as if there were none.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
                _ = look.tick() => self.look().await,
            }
        }
    }

    async fn serve(&mut self, ask: Ask) {
        // Whoever asked may have given up waiting.
        match ask {
            Ask::Open(wanted, by, answer) => drop(answer.send(self.open(&wanted, &by).await)),
            Ask::Do(id, desire, command, by, answer) => {
                let Some(sensor) = self.sensor_of(&id) else {
                    let _ = answer.send(Err(not_open(&id)));
                    return;
                };
                let _ = answer.send(self.command(&sensor, desire, *command, &by).await);
            }
            Ask::Offer(id, keys, answer) => drop(answer.send(self.offer(&id, keys).await)),
            Ask::Certify(id, envelope, held, by, answer) => {
                drop(answer.send(self.certify(&id, &envelope, held, &by).await));
            }
            Ask::Show(id, answer) => {
                let found = self.sensor_of(&id).and_then(|sensor| self.whole(&sensor)).map(Box::new);
                let _ = answer.send(found);
            }
            Ask::List(key, answer) => {
                let sessions = self.open.values().map(|held| self.state(held)).collect();
                let _ = answer
                    .send(Sessions { sessions, gateway_key: key.then(|| self.parts.held_id()).flatten() });
            }
        }
    }

    fn sensor_of(&self, id: &Id) -> Option<SensorId> {
        self.open.iter().find(|(_, held)| held.session.id == *id).map(|(sensor, _)| sensor.clone())
    }

    async fn open(&mut self, wanted: &OpenSession, by: &str) -> Result<WholeSession, Refused> {
        if let Some(held) = self.open.get(&wanted.sensor) {
            return Err(held.session.refuse_another().into());
        }
        let plan = self.parts.plan(wanted).await?;
        let id = self.name(plan.opened.as_micros()).await?;
        let at = At { time: plan.opened, passed: self.parts.clock.monotonic(), by };
        let (session, effects) = Session::open(id, plan, &at, wanted.untrusted_clock)?;
        self.parts.check_points(&session, &wanted.points, &at).await?;
        self.parts.write(&session, &effects, by, None).await?;
        let sensor = session.plan.sensor.clone();
        self.open.insert(sensor.clone(), Held::new(session));
        self.done(&sensor, effects, by).await;
        self.whole(&sensor).ok_or(Refused::Unavailable("the session has ended already"))
    }

    /// A name that no session has.
    async fn name(&self, mut micros: i64) -> Result<Id, Refused> {
        loop {
            let id = Id::new(&format!("s-{micros:x}")).map_err(|error| Refused::Bad(error.to_string()))?;
            if self.parts.store.sessions(Some(id.clone()), None, 1).await?.is_empty() {
                return Ok(id);
            }
            micros += 1;
        }
    }

    async fn command(
        &mut self,
        sensor: &SensorId,
        desire: super::Desire,
        command: crate::wire::control::SessionCommand,
        by: &str,
    ) -> Result<WholeSession, Refused> {
        let gone = Refused::Unavailable("the session has ended already");
        let Some(held) = self.open.get(sensor) else { return Err(gone) };
        held.session.check_revision(command.revision)?;
        let event = self.parts.event(&held.session, desire, command, by).await?;
        let ended = self.tell(sensor, event, by).await?;
        match self.whole(sensor) {
            Some(whole) => Ok(whole),
            None => {
                ended.map(|session| WholeSession { state: SessionState::of(&session), session }).ok_or(gone)
            }
        }
    }

    async fn offer(&self, id: &Id, keys: Vec<KeyId>) -> Result<CertificateOffer, Refused> {
        let held = self.sensor_of(id).and_then(|sensor| self.open.get(&sensor));
        self.parts.offer(&held.ok_or_else(|| not_open(id))?.session, keys).await
    }

    /// Ends a session with its certificate. Both are written in one transaction, so that none is ever without the other.
    async fn certify(
        &mut self,
        id: &Id,
        envelope: &[u8],
        held_key: bool,
        by: &str,
    ) -> Result<WholeSession, Refused> {
        let Some((sensor, held)) = self.open.iter().find(|(_, held)| held.session.id == *id) else {
            return self.parts.certified_before(id, envelope).await;
        };
        let sensor = sensor.clone();
        let certificate = self.parts.certified(&held.session, envelope, held_key.then_some(by)).await?;
        let end = Event::End(Some(certificate.digest));
        let ended = self.tell_with(&sensor, end, by, Some(certificate.clone())).await?;
        self.parts.announce(&certificate);
        let whole = ended.map(|session| WholeSession { state: SessionState::of(&session), session });
        whole.ok_or(Refused::Unavailable("the session has ended already"))
    }

    /// Tells a session what nobody has asked for.
    async fn tell_itself(&mut self, sensor: &SensorId, event: Event) {
        if let Err(refused) = self.tell(sensor, event, ITSELF).await {
            tracing::warn!(%sensor, "the recalibration session stays as it is: {refused}");
        }
    }

    /// Tells a session what happens: written before anything else is done. Gives it back if it has ended.
    async fn tell(&mut self, sensor: &SensorId, event: Event, by: &str) -> Result<Option<Session>, Refused> {
        self.tell_with(sensor, event, by, None).await
    }

    /// The same with the certificate that it ends with.
    async fn tell_with(
        &mut self,
        sensor: &SensorId,
        event: Event,
        by: &str,
        certificate: Option<StoredCertificate>,
    ) -> Result<Option<Session>, Refused> {
        let Some(held) = self.open.get_mut(sensor) else { return Ok(None) };
        let (time, passed) = (self.parts.clock.now(), self.parts.clock.monotonic());
        let mut next = held.session.clone();
        let effects = next.handle(&At { time, passed, by }, event)?;
        self.parts.write(&next, &effects, by, certificate).await?;
        held.session = next;
        Ok(self.done(sensor, effects, by).await)
    }

    /// Does what a session wants done, and what comes of that. Gives it back if it has ended.
    async fn done(&mut self, sensor: &SensorId, effects: Vec<Effect>, by: &str) -> Option<Session> {
        let mut todo: VecDeque<Effect> = effects.into();
        let mut last = None;
        while let Some(held) = self.open.get_mut(sensor) {
            let now = self.parts.clock.now();
            self.parts.publish(&held.session, todo.make_contiguous(), now);
            let mut came = None;
            for effect in std::mem::take(&mut todo) {
                came = self.parts.perform(&held.session, effect, by).await.or(came);
            }
            self.parts.shown.show(|| state(&held.session, held.reading.as_ref(), &self.parts.clock));
            if !held.session.is_open() {
                last = self.open.remove(sensor).map(|held| held.session);
                break;
            }
            let Some(event) = came else { break };
            let mut next = held.session.clone();
            let at = At { time: now, passed: self.parts.clock.monotonic(), by };
            match next.handle(&at, event) {
                Ok(more) => {
                    if let Err(error) = self.parts.write(&next, &more, by, None).await {
                        // It is done again with a later look, and found done.
                        tracing::warn!(%sensor, "a step of the recalibration session is not written: {error}");
                        break;
                    }
                    held.session = next;
                    todo = more.into();
                }
                Err(fault) => {
                    tracing::warn!(%sensor, "{fault}");
                    break;
                }
            }
        }
        last
    }

    /// Shows readings to the sessions of their sensors, of their covariates and of their reference sources.
    async fn seen(&mut self, readings: &[Reading]) {
        let sensors: Vec<SensorId> = self.open.keys().cloned().collect();
        for sensor in sensors {
            let Some(facts) = self.parts.sensors.get(&sensor) else { continue };
            for reading in readings {
                self.seen_by(&facts, reading).await;
            }
        }
    }

    async fn seen_by(&mut self, facts: &Sensor, reading: &Reading) {
        let sensor = &facts.id;
        let Some(held) = self.open.get_mut(sensor) else { return };
        let value = reading.value.or(reading.raw.filter(|_| reading.transform.is_none()));
        for (role, _) in facts.covariates.iter().filter(|(_, other)| **other == reading.sensor) {
            let Some(value) = value else { continue };
            let (sensor, unit) = (reading.sensor.clone(), reading.unit.to_string());
            held.covariates.insert(role.clone(), Beside { role: role.clone(), sensor, unit, value });
        }
        let source = held.session.measuring.as_ref().and_then(|it| it.offered.source.clone());
        if source.as_ref() == Some(&reading.sensor)
            && reading.state <= State::Suspect
            && let Some(value) = value
        {
            self.tell_itself(sensor, Event::Reference(value, reading.u)).await;
            return;
        }
        if reading.sensor == *sensor {
            let covariates = held.covariates.values().cloned().collect();
            let reference = held.session.measuring.as_ref().map(|it| it.offered.value);
            let (time, raw, value) = (reading.time, reading.raw, reading.value);
            held.reading = Some(SessionReading { time, raw, value, reference });
            if held.session.measuring.is_none() || held.session.paused {
                // It has no use for it, and is not copied for it.
                self.parts.shown.show(|| state(&held.session, held.reading.as_ref(), &self.parts.clock));
                return;
            }
            let shown = session::Reading {
                raw,
                value,
                transform: reading.transform.as_ref().map(|it| it.digest),
                unusable: unusable(reading),
                covariates,
            };
            self.tell_itself(sensor, Event::Reading(shown)).await;
        }
    }

    /// Time has passed.
    async fn look(&mut self) {
        let measuring = self.open.iter().filter(|(_, held)| held.session.measuring.is_some());
        let sensors: Vec<SensorId> = measuring.map(|(sensor, _)| sensor.clone()).collect();
        for sensor in sensors {
            self.tell_itself(&sensor, Event::Tick).await;
        }
        let now = self.parts.clock.monotonic();
        let overdue =
            self.open.iter_mut().filter_map(|(sensor, held)| Some((sensor.clone(), held.overdue(now)?)));
        for (sensor, effect) in overdue.collect::<Vec<_>>() {
            self.done(&sensor, vec![effect], ITSELF).await;
        }
        let open: Vec<&Session> = self.open.values().map(|held| &held.session).collect();
        self.parts.tend_flags(&open).await;
    }

    fn whole(&self, sensor: &SensorId) -> Option<WholeSession> {
        let held = self.open.get(sensor)?;
        Some(WholeSession { state: self.state(held), session: held.session.clone() })
    }

    fn state(&self, held: &Held) -> SessionState {
        state(&held.session, held.reading.as_ref(), &self.parts.clock)
    }
}

fn state(session: &Session, reading: Option<&SessionReading>, clock: &Clock) -> SessionState {
    let progress = session.progress(clock.monotonic());
    SessionState { progress, reading: reading.cloned(), ..SessionState::of(session) }
}

/// Why a reading is no measurement, if it is none. What is offered to a sensor may well be outside its domain, and its
/// readings are flagged for the session itself.
fn unusable(reading: &Reading) -> Option<String> {
    if reading.raw.is_none() || reading.state == State::Missing {
        return Some("missing values".to_owned());
    }
    let no_value = reading.transform.is_some() && reading.value.is_none();
    no_value.then(|| "readings without a value, such as for want of a covariate".to_owned())
}

impl Parts {
    /// Does one thing; what came of it, if the session has to know.
    async fn perform(&self, session: &Session, effect: Effect, by: &str) -> Option<Event> {
        match effect {
            Effect::Write | Effect::Audit(..) => None,
            Effect::Tell(fault) => {
                tracing::warn!(sensor = %session.plan.sensor, "{fault}");
                None
            }
            Effect::Flag(on) => {
                not_flagged(&session.plan.sensor, self.flag(session, on, by).await);
                None
            }
            Effect::Activate(envelope) => self.activate(&envelope, by).await,
            Effect::Restore(to) => self.restore(session, to, by).await,
        }
    }
}
