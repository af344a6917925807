//! The session's transitions: events in, effects out.

use serde_json::json;

use super::candidate::{Candidate, candidate};
use super::event::{At, Effect, Ending, Event, FitOrder};
use super::fault::Fault;
use super::measuring::{Measuring, Turn};
use super::plan::{Mode, Plan};
use super::point::{Point, worst};
use super::state::{Approval, Holder, MOST_POINTS, Session, Stage};
use crate::domain::digest::Digest;
use crate::domain::id::Id;
use crate::domain::reference::Standard;
use crate::domain::trust::envelope::Envelope;

impl Session {
    /// Takes an event.
    ///
    /// # Errors
    /// Why not; then nothing has changed.
    pub fn handle(&mut self, at: &At<'_>, event: Event) -> Result<Vec<Effect>, Fault> {
        match event {
            Event::Reading(reading) => Ok(self.turn(at, |it, plan| it.reading(plan, at, &reading))),
            Event::Reference(value, u) => {
                if let Some(measuring) = self.measuring.as_mut().filter(|_| !self.paused) {
                    measuring.reference(at, value, u);
                }
                Ok(Vec::new())
            }
            Event::Tick => Ok(self.turn(at, |it, plan| it.tick(plan, at))),
            Event::Restarted => Ok(self.restarted(at)),
            Event::Activated(digest) => self.activated(at, digest),
            Event::Declined(reason, message) => self.declined(reason, message),
            Event::Restored => self.restored(at, json!(self.plan.in_force)),
            Event::Replaced(digest) => self.restored(at, json!({ "digest": digest })),
            Event::NotRestored(message) => {
                self.in_stage("a way back", &[Stage::Reverting])?;
                let sensor = self.plan.sensor.clone();
                Ok(self.tell(Fault::NotRestored { sensor, message }))
            }
            Event::PushWaits(id, version) => Ok(self.push_waits(id, version)),
            command => self.command(at, command),
        }
    }

    /// What people do.
    fn command(&mut self, at: &At<'_>, command: Event) -> Result<Vec<Effect>, Fault> {
        self.is_still_open()?;
        match command {
            Event::Abort(reason) => return self.abort(at, reason),
            Event::Pause => return self.pause(at),
            Event::Resume => return self.resume(at),
            _ => {}
        }
        self.in_hands_of(at.by)?;
        if self.paused {
            return Err(Fault::Paused(self.plan.sensor.clone()));
        }
        match command {
            Event::Point(order) => self.measure(at, &order),
            Event::Undo => self.undo(),
            Event::Finish => self.finish(),
            Event::Fit(order) => self.fit(at, &order),
            Event::Discard => {
                self.in_stage("dropping a preview", &[Stage::Preview])?;
                self.candidate = None;
                Ok(self.moved(Stage::Found, Vec::new()))
            }
            Event::Approve { envelope, gateway_key } => self.approve(at, envelope, gateway_key),
            Event::End(certificate) => self.end(at, certificate),
            _ => Ok(Vec::new()),
        }
    }

    /// Has the point that is being measured look at something.
    fn turn(&mut self, at: &At<'_>, look: impl FnOnce(&mut Measuring, &Plan) -> Turn) -> Vec<Effect> {
        let Some(measuring) = self.measuring.as_mut().filter(|_| !self.paused) else { return Vec::new() };
        match look(measuring, &self.plan) {
            Turn::On => Vec::new(),
            Turn::Tell(fault) => self.tell(fault),
            Turn::Taken(point) => self.taken(*point, at),
            Turn::GivenUp(fault) => {
                self.measuring = None;
                let mut effects = self.moved(self.stage, Vec::new());
                effects.extend(self.tell(fault));
                effects
            }
        }
    }

    fn taken(&mut self, point: Point, at: &At<'_>) -> Vec<Effect> {
        self.measuring = None;
        let detail = json!({
            "session": self.id, "round": self.stage, "role": point.role, "by": at.by,
            "reference": point.offered.value, "value": point.value, "error": point.error,
            "expanded": point.budget.expanded, "outcome": point.stated.map(|stated| stated.outcome),
        });
        self.points().push(point);
        self.told = None;
        self.moved(self.stage, vec![Effect::Audit("session.point", detail)])
    }

    /// The points of this round.
    fn points(&mut self) -> &mut Vec<Point> {
        if self.stage == Stage::AsLeft { &mut self.as_left } else { &mut self.as_found }
    }

    fn undo(&mut self) -> Result<Vec<Effect>, Fault> {
        self.in_stage("taking a point back", &[Stage::AsFound, Stage::Found, Stage::AsLeft, Stage::Left])?;
        let stage = match self.stage {
            Stage::Found => Stage::AsFound,
            Stage::Left => Stage::AsLeft,
            stage => stage,
        };
        if self.measuring.take().is_some() {
            return Ok(self.moved(stage, Vec::new()));
        }
        let before = std::mem::replace(&mut self.stage, stage);
        let Some(point) = self.points().pop() else {
            self.stage = before;
            return Err(Fault::NothingToUndo(self.plan.sensor.clone()));
        };
        let detail = json!({ "session": self.id, "role": point.role, "reference": point.offered.value });
        Ok(self.moved(stage, vec![Effect::Audit("session.undone", detail)]))
    }

    fn finish(&mut self) -> Result<Vec<Effect>, Fault> {
        self.in_stage("a verdict", &[Stage::AsFound, Stage::AsLeft])?;
        self.is_idle()?;
        if self.points().is_empty() {
            return Err(Fault::NoPoints(self.plan.sensor.clone()));
        }
        let (stage, round) = match self.stage {
            Stage::AsLeft => (Stage::Left, "as_left"),
            _ => (Stage::Found, "as_found"),
        };
        let outcome = worst(self.points());
        let detail = json!({ "session": self.id, "round": round, "outcome": outcome });
        Ok(self.moved(stage, vec![Effect::Audit("session.verdict", detail)]))
    }

    fn fit(&mut self, at: &At<'_>, order: &FitOrder) -> Result<Vec<Effect>, Fault> {
        if self.plan.mode == Mode::SpotCheck {
            return Err(Fault::SpotCheckOnly(self.plan.sensor.clone()));
        }
        self.in_stage("a fit", &[Stage::Found, Stage::Preview])?;
        let ran = self.plan.in_force.as_ref().map(|it| it.digest);
        if self.as_found.iter().any(|point| point.transform != ran)
            || order.in_force.is_some() != ran.is_some()
        {
            return Err(Fault::AnotherInForce { sensor: self.plan.sensor.clone() });
        }
        self.candidate = Some(candidate(&self.plan, &self.id, at, &self.as_found, order)?);
        Ok(self.moved(Stage::Preview, Vec::new()))
    }

    /// Whether whoever does something has the session.
    ///
    /// # Errors
    /// Who has it.
    pub fn in_hands_of(&self, by: &str) -> Result<(), Fault> {
        if self.holder() == by {
            return Ok(());
        }
        let (session, sensor) = (self.id.clone(), self.plan.sensor.clone());
        Err(Fault::HeldBy { session, sensor, by: self.holder().to_owned() })
    }

    /// The new transform that waits to be approved.
    ///
    /// # Errors
    /// There is none, or guards stand against it.
    pub fn to_be_approved(&self) -> Result<&Candidate, Fault> {
        self.in_stage("an approval", &[Stage::Preview])?;
        let Some(candidate) = &self.candidate else { return Err(self.not_now("an approval")) };
        if !candidate.guards.is_empty() {
            let (sensor, reasons) = (self.plan.sensor.clone(), candidate.guards.clone());
            return Err(Fault::Guards { sensor, reasons });
        }
        Ok(candidate)
    }

    fn approve(&mut self, at: &At<'_>, envelope: String, gateway_key: bool) -> Result<Vec<Effect>, Fault> {
        let candidate = self.to_be_approved()?;
        let read = Envelope::parse(envelope.as_bytes())
            .map_err(|refusal| Fault::NoEnvelope(refusal.message.clone()))?;
        if read.digest() != candidate.digest {
            return Err(Fault::WrongArtifact { expected: candidate.digest, found: read.digest() });
        }
        let keys: Vec<String> = read.hints().map(|key| key.to_string()).collect();
        let detail = json!({
            "session": self.id, "digest": candidate.digest, "keys": keys, "gateway_key": gateway_key,
            "method": candidate.method,
        });
        let activate = Effect::Activate(envelope.clone());
        self.approval = Some(Approval {
            envelope,
            by: at.by.to_owned(),
            keys,
            gateway_key,
            time: at.time,
            in_force: None,
        });
        let mut effects = self.moved(Stage::Approved, vec![Effect::Audit("session.approved", detail)]);
        effects.push(activate);
        Ok(effects)
    }

    fn activated(&mut self, at: &At<'_>, found: Digest) -> Result<Vec<Effect>, Fault> {
        self.in_stage("an activation", &[Stage::Approved])?;
        let expected = self.candidate.as_ref().map_or(found, |candidate| candidate.digest);
        if found != expected {
            let sensor = self.plan.sensor.clone();
            return Err(Fault::WrongActivation { sensor, expected, found });
        }
        if let Some(approval) = &mut self.approval {
            approval.in_force = Some(at.time);
        }
        self.told = None;
        let detail = json!({ "session": self.id, "digest": found });
        Ok(self.moved(Stage::AsLeft, vec![Effect::Audit("session.activated", detail)]))
    }

    fn declined(&mut self, reason: String, message: String) -> Result<Vec<Effect>, Fault> {
        self.in_stage("a refusal", &[Stage::Approved])?;
        self.approval = None;
        let detail = json!({ "session": self.id, "reason": reason, "message": message });
        let mut effects = self.moved(Stage::Preview, vec![Effect::Audit("session.refused", detail)]);
        effects.extend(self.tell(Fault::Refused { reason, message }));
        Ok(effects)
    }

    fn end(&mut self, at: &At<'_>, certificate: Option<Digest>) -> Result<Vec<Effect>, Fault> {
        self.in_stage("the end", &[Stage::Found, Stage::Left])?;
        let detail = json!({
            "session": self.id, "found": self.found(), "left": self.left(), "certificate": certificate,
        });
        self.ended = Some((Ending::Done { certificate }, at.time));
        let mut effects = self.moved(Stage::Ended, vec![Effect::Audit("session.ended", detail)]);
        effects.push(Effect::Flag(false));
        Ok(effects)
    }

    /// What ran before comes back only if something else can have taken its place.
    fn abort(&mut self, at: &At<'_>, reason: String) -> Result<Vec<Effect>, Fault> {
        let reason: String = reason.chars().filter(|it| !it.is_control()).take(500).collect();
        (self.measuring, self.paused) = (None, false);
        let detail = json!({ "session": self.id, "stage": self.stage, "reason": reason, "by": at.by });
        self.ended = Some((Ending::Aborted { reason }, at.time));
        let audit = vec![Effect::Audit("session.aborted", detail)];
        if self.approval.is_some() {
            let mut effects = self.moved(Stage::Reverting, audit);
            effects.push(self.restore());
            return Ok(effects);
        }
        let mut effects = self.moved(Stage::Ended, audit);
        effects.push(Effect::Flag(false));
        Ok(effects)
    }

    fn restored(&mut self, at: &At<'_>, in_force: serde_json::Value) -> Result<Vec<Effect>, Fault> {
        self.in_stage("a way back", &[Stage::Reverting])?;
        if let Some((_, ended)) = &mut self.ended {
            *ended = at.time;
        }
        let detail = json!({ "session": self.id, "in_force": in_force });
        let mut effects = self.moved(Stage::Ended, vec![Effect::Audit("session.restored", detail)]);
        effects.push(Effect::Flag(false));
        Ok(effects)
    }

    fn pause(&mut self, at: &At<'_>) -> Result<Vec<Effect>, Fault> {
        if self.paused {
            return Err(Fault::Paused(self.plan.sensor.clone()));
        }
        self.paused = true;
        let detail = json!({ "session": self.id, "by": at.by });
        Ok(self.moved(self.stage, vec![Effect::Audit("session.paused", detail)]))
    }

    /// Whoever resumes a session has it, and a point that was being measured begins anew.
    fn resume(&mut self, at: &At<'_>) -> Result<Vec<Effect>, Fault> {
        if self.holder() == at.by && !self.paused {
            return Ok(Vec::new());
        }
        if self.holder() != at.by {
            // Somebody who comes back and back again needs no further line.
            self.holders.truncate(MOST_POINTS);
            self.holders.push(Holder { by: at.by.to_owned(), since: at.time });
        }
        if std::mem::take(&mut self.paused)
            && let Some(measuring) = &mut self.measuring
        {
            measuring.begin_anew(&self.plan, at);
        }
        let detail = json!({ "session": self.id, "by": at.by });
        Ok(self.moved(self.stage, vec![Effect::Audit("session.resumed", detail)]))
    }

    /// Nobody knows what the sensor was offered meanwhile: a point begins anew.
    fn restarted(&mut self, at: &At<'_>) -> Vec<Effect> {
        if let Some(measuring) = &mut self.measuring {
            measuring.begin_anew(&self.plan, at);
        }
        let mut effects = Vec::new();
        if self.is_open() {
            effects.push(Effect::Flag(true));
            effects.extend(self.pending());
        }
        effects
    }

    fn push_waits(&mut self, id: Id, version: u64) -> Vec<Effect> {
        let push = Some((id.clone(), version));
        if !self.is_open() || self.waiting == push {
            return Vec::new();
        }
        self.waiting = push;
        let sensor = self.plan.sensor.clone();
        let mut effects = self.moved(self.stage, Vec::new());
        effects.extend(self.tell(Fault::PushWaits { sensor, id, version }));
        effects
    }

    fn tell(&mut self, fault: Fault) -> Vec<Effect> {
        self.told = Some(fault.to_string());
        vec![Effect::Tell(fault)]
    }

    /// Goes into a stage: written before anything else is done.
    fn moved(&mut self, stage: Stage, more: Vec<Effect>) -> Vec<Effect> {
        self.stage = stage;
        self.revision += 1;
        let mut effects = vec![Effect::Write];
        effects.extend(more);
        effects
    }

    pub(super) fn is_idle(&self) -> Result<(), Fault> {
        match self.measuring {
            None => Ok(()),
            Some(_) => Err(Fault::Busy(self.plan.sensor.clone())),
        }
    }

    fn is_still_open(&self) -> Result<(), Fault> {
        if self.is_open() { Ok(()) } else { Err(self.not_now("a change")) }
    }

    pub(super) fn in_stage(&self, what: &'static str, stages: &[Stage]) -> Result<(), Fault> {
        if stages.contains(&self.stage) { Ok(()) } else { Err(self.not_now(what)) }
    }

    fn not_now(&self, what: &'static str) -> Fault {
        let (stage, next) = self.stage.words(self.plan.mode);
        Fault::NotNow { sensor: self.plan.sensor.clone(), what, stage, next }
    }

    pub(super) fn begin(&mut self, measuring: Measuring, standard: Option<&Standard>) -> Vec<Effect> {
        if let Some(standard) = standard {
            self.standards.retain(|known| known.id != standard.id);
            self.standards.push(standard.clone());
        }
        self.measuring = Some(measuring);
        self.told = None;
        self.moved(self.stage, Vec::new())
    }
}
