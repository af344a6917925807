//! The machine: what happened and what time it is give what has to be done.

use super::policy::Policy;
use super::stored::{Condition, Silenced, Stored, Suppression, bounded, shortened};
use super::tally::Tally;
use super::{
    Action, Alert, Event, Finding, Kind, MOST_ALERTS, MOST_CONDITIONS, MOST_MUTES, Refused, Scope, Silence,
    Subject, Verdict,
};
use crate::domain::id::{Id, SensorId};
use crate::domain::time::Timestamp;

/// Pending findings beyond so many are kept without their snapshot.
const MOST_SNAPSHOTS: usize = 64;

/// All alerts of a gateway.
#[derive(Debug, Clone, PartialEq)]
pub struct Alerts {
    pub(super) policy: Policy,
    pub(super) stored: Stored,
    /// Nothing falls due before; `None`: not known.
    pub(super) next: Option<Timestamp>,
}

impl Alerts {
    /// Goes on from what was stored.
    pub fn new(policy: Policy, stored: Stored) -> Alerts {
        Alerts { policy: policy.sound(), stored: stored.sound(), next: None }
    }

    /// What has to survive a restart.
    pub fn stored(&self) -> &Stored {
        &self.stored
    }

    /// Open alerts, and cleared ones that wait to be acknowledged; the one raised first comes first.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.stored.alerts.iter().map(|kept| &kept.alert)
    }

    /// The open or waiting alert with this identifier.
    pub fn alert(&self, id: &str) -> Option<&Alert> {
        self.alerts().find(|alert| alert.id == id)
    }

    /// Those of them that tell of a sensor, also where one has too many sensors to name them all.
    pub fn about<'a>(&'a self, sensor: &'a SensorId) -> impl Iterator<Item = &'a Alert> {
        self.alerts().filter(move |alert| self.stored.tells_of(alert, sensor))
    }

    /// Those of them that somebody outside has seen.
    pub fn published(&self) -> impl Iterator<Item = &Alert> {
        self.stored.alerts.iter().filter(|kept| kept.published).map(|kept| &kept.alert)
    }

    /// The sensors of which something is found.
    pub fn found_at(&self) -> impl Iterator<Item = &SensorId> {
        let conditions = self.stored.conditions.iter().filter(|it| !it.kind.is_of_the_gateway());
        conditions.map(|condition| &condition.sensor)
    }

    /// Scopes and reasons of what is suppressed.
    pub fn suppressions(&self) -> impl Iterator<Item = (&Scope, &str)> {
        self.stored.suppressions.iter().map(|it| (&it.scope, it.reason.as_str()))
    }

    /// From now on this says when a finding becomes an alert.
    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy.sound();
        self.next = None;
    }

    /// How well they serve.
    pub fn tally(&self) -> Tally {
        self.stored.tally
    }

    /// When time alone changes something: a [`Event::Tick`] is due then. `None`: never, as things are.
    pub fn next(&self) -> Option<Timestamp> {
        self.next.filter(|next| *next < NEVER)
    }

    /// Takes in what happened; what has to be done, in this order.
    pub fn apply(&mut self, event: Event, now: Timestamp) -> Result<Vec<Action>, Refused> {
        self.mind_the_clock(now);
        let mut actions = Vec::new();
        let changed = match event {
            Event::Tick => false,
            Event::Judged { sensor, kind, source, cohort, finding } => match finding {
                Some(finding) => self.found((sensor, kind, source, cohort), *finding, now, &mut actions),
                None => self.not_found(&sensor, kind, now),
            },
            Event::Removed { sensor } => self.removed(&sensor),
            Event::Acknowledged { id, by, verdict } => {
                self.acknowledge(&id, &by, verdict, now, &mut actions)?;
                false
            }
            Event::Silenced { id, silence } => self.silence(&id, silence, now, &mut actions)?,
            Event::Suppressed { scope, reason, kinds, until } => {
                let (reason, given) = (shortened(&reason), Some(now));
                self.suppress(Suppression { scope, reason, kinds, until, given })?
            }
            Event::Lifted { scope, reason } => self.lift(&scope, &shortened(&reason), now)?,
            Event::Missed { sensor } => self.missed(&sensor)?,
            Event::Activated { sensor } => self.activated(&sensor, now, &mut actions),
            Event::Automated { succeeded } => {
                self.stored.tally.automated += 1;
                self.stored.tally.automated_well += u64::from(succeeded);
                false
            }
        };
        if changed || self.next.is_none_or(|next| next <= now) {
            self.settle(now, &mut actions);
        }
        Ok(actions)
    }

    /// A clock that was set back restarts what it would have made wait.
    fn mind_the_clock(&mut self, now: Timestamp) {
        if self.stored.last.is_some_and(|last| now < last) {
            for condition in &mut self.stored.conditions {
                condition.since = condition.since.min(now);
                condition.gone = condition.gone.map(|gone| gone.min(now));
            }
            self.next = None;
        }
        self.stored.last = Some(now);
    }

    fn found(
        &mut self,
        (sensor, kind, source, cohort): (SensorId, Kind, Option<Id>, Option<String>),
        finding: Finding,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> bool {
        let mut finding = bounded(finding);
        let at = match self.stored.place(kind, &sensor) {
            Ok(at) => at,
            Err(_) if self.stored.conditions.len() >= MOST_CONDITIONS => {
                self.stored.tally.overlooked += 1;
                return false;
            }
            Err(at) => {
                if self.pending() >= MOST_SNAPSHOTS {
                    finding.snapshot = None;
                }
                let cohort = cohort.map(|cohort| shortened(&cohort));
                let new =
                    Condition { kind, sensor, source, cohort, since: now, gone: None, alert: None, finding };
                self.stored.conditions.insert(at, new);
                return true;
            }
        };
        let condition = &mut self.stored.conditions[at];
        let back = condition.gone.take().is_some();
        (condition.source, condition.cohort) = (source, cohort.map(|cohort| shortened(&cohort)));
        let Some(id) = condition.alert.clone() else {
            let keeps = condition.finding.snapshot.is_some();
            condition.finding = Finding { snapshot: finding.snapshot.filter(|_| keeps), ..finding };
            return back;
        };
        condition.finding.severity = condition.finding.severity.min(finding.severity);
        self.told_again(&id, finding, actions);
        back
    }

    fn pending(&self) -> usize {
        self.stored.conditions.iter().filter(|condition| condition.alert.is_none()).count()
    }

    fn not_found(&mut self, sensor: &SensorId, kind: Kind, now: Timestamp) -> bool {
        let Ok(at) = self.stored.place(kind, sensor) else { return false };
        let condition = &mut self.stored.conditions[at];
        if condition.alert.is_none() {
            self.stored.conditions.remove(at);
            self.stored.explain_no_more(&[(kind, sensor.clone())], now);
            return true;
        }
        let new = condition.gone.is_none();
        condition.gone.get_or_insert(now);
        new
    }

    fn removed(&mut self, sensor: &SensorId) -> bool {
        let mut any = false;
        let of_it = |it: &&mut Condition| it.sensor == *sensor && !it.kind.is_of_the_gateway();
        for condition in self.stored.conditions.iter_mut().filter(of_it) {
            // long ago by any clock, so that it is let go at once
            condition.gone = Some(Timestamp::EPOCH.saturating_add_micros(i64::MIN));
            any = true;
        }
        any
    }

    fn silence(
        &mut self,
        id: &str,
        silence: Silence,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Result<bool, Refused> {
        let at = self.position(id)?;
        let silence =
            Silence { until: silence.until, by: shortened(&silence.by), reason: shortened(&silence.reason) };
        let cause = self.stored.alerts[at].alert.cause.clone();
        self.stored.silences.retain(|other| other.cause != cause);
        if self.stored.silences.len() >= MOST_MUTES {
            return Err(Refused::TooMany);
        }
        self.stored.silences.push(Silenced { cause, silence: silence.clone(), given: Some(now) });
        self.stored.alerts[at].alert.silence = Some(silence);
        let kept = &self.stored.alerts[at];
        actions.push(Action::Update(kept.alert.clone()));
        if kept.published {
            // so that whoever reads it knows why it changes no more
            actions.push(Action::Publish(kept.alert.clone()));
        }
        Ok(true)
    }

    fn suppress(&mut self, suppression: Suppression) -> Result<bool, Refused> {
        let same = |it: &Suppression| it.scope == suppression.scope && it.reason == suppression.reason;
        self.stored.suppressions.retain(|it| !same(it));
        if self.stored.suppressions.len() >= MOST_MUTES {
            return Err(Refused::TooMany);
        }
        self.stored.suppressions.push(suppression);
        Ok(true)
    }

    fn lift(&mut self, scope: &Scope, reason: &str, now: Timestamp) -> Result<bool, Refused> {
        let same = |it: &Suppression| it.scope == *scope && it.reason == reason;
        let at = self.stored.suppressions.iter().position(same).ok_or(Refused::NotSuppressed)?;
        let ended = self.stored.suppressions.remove(at);
        self.begin_anew(&ended, now);
        Ok(true)
    }

    /// What was suppressed has to be found for as long as if it had begun when the suppression ended.
    fn begin_anew(&mut self, ended: &Suppression, end: Timestamp) {
        for condition in self.stored.conditions.iter_mut().filter(|it| it.alert.is_none() && ended.covers(it))
        {
            condition.since = condition.since.max(end);
        }
    }

    pub(super) fn position(&self, id: &str) -> Result<usize, Refused> {
        let found = self.stored.alerts.iter().position(|kept| kept.alert.id == id);
        found.ok_or_else(|| Refused::Unknown(id.to_owned()))
    }

    fn acknowledge(
        &mut self,
        id: &str,
        by: &str,
        verdict: Option<Verdict>,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Result<(), Refused> {
        let at = self.position(id)?;
        let alert = &mut self.stored.alerts[at].alert;
        // without a word, an earlier verdict stands
        let verdict = verdict.or(alert.verdict);
        self.stored.tally.judge(alert.verdict, verdict);
        (alert.acknowledged, alert.acknowledged_by, alert.verdict) =
            (Some(now), Some(shortened(by)), verdict);
        actions.push(Action::Update(alert.clone()));
        if alert.cleared.is_some() {
            self.let_go(at, actions);
        } else if self.stored.alerts[at].published {
            actions.push(Action::Publish(self.stored.alerts[at].alert.clone()));
        }
        Ok(())
    }

    /// The machine's part in an alert is over.
    pub(super) fn let_go(&mut self, at: usize, actions: &mut Vec<Action>) {
        let kept = self.stored.alerts.remove(at);
        if kept.published {
            actions.push(Action::Empty(kept.alert.id));
        }
    }

    fn missed(&mut self, sensor: &SensorId) -> Result<bool, Refused> {
        let told = self.stored.conditions.iter().filter(|it| it.sensor == *sensor);
        match told.filter_map(|it| it.alert.clone()).next() {
            Some(id) => Err(Refused::NotMissed(id)),
            None => {
                self.stored.tally.missed += 1;
                Ok(false)
            }
        }
    }

    fn activated(&mut self, sensor: &SensorId, now: Timestamp, actions: &mut Vec<Action>) -> bool {
        for at in 0..self.stored.alerts.len() {
            let alert = &self.stored.alerts[at].alert;
            let waits = alert.cleared.is_none() && alert.answered.is_none();
            if !waits || !alert.cause.kind.calibration_answers() || !self.stored.tells_of(alert, sensor) {
                continue;
            }
            // a clock that is behind says nothing of how long it took
            if now >= alert.raised {
                self.stored.tally.calibration.add(now.micros_since(alert.raised));
            }
            self.stored.alerts[at].alert.answered = Some(now);
            self.updated(at, actions);
        }
        false
    }

    fn settle(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        self.end_suppressions(now);
        self.end_silences(now, actions);
        self.release(now, actions);
        self.raise_due(now, actions);
        self.next = Some(self.earliest(now));
    }

    fn end_suppressions(&mut self, now: Timestamp) {
        let over = |it: &Suppression| it.until.is_some_and(|until| until <= now);
        let (ended, rest) = std::mem::take(&mut self.stored.suppressions).into_iter().partition(over);
        self.stored.suppressions = rest;
        let ended: Vec<Suppression> = ended;
        for suppression in &ended {
            self.begin_anew(suppression, suppression.until.unwrap_or(now));
        }
    }

    fn end_silences(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        self.stored.silences.retain(|it| it.silence.until > now);
        for kept in &mut self.stored.alerts {
            if kept.alert.silence.take_if(|silence| silence.until <= now).is_none() {
                continue;
            }
            actions.push(Action::Update(kept.alert.clone()));
            if kept.alert.cleared.is_none() || kept.published {
                kept.published = true;
                actions.push(Action::Publish(kept.alert.clone()));
            }
        }
    }

    /// Lets go what has not been found for long enough; alerts about nothing are over.
    fn release(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        let (policy, before) = (&self.policy, self.stored.conditions.len());
        let mut ended = Vec::new();
        self.stored.conditions.retain(|condition| {
            let clear_after = policy.of(condition.kind).clear_after;
            let stays = condition.gone.is_none_or(|gone| gone.saturating_add_micros(clear_after) > now);
            ended.extend((!stays).then(|| (condition.kind, condition.sensor.clone())));
            stays
        });
        self.stored.explain_no_more(&ended, now);
        if self.stored.conditions.len() == before && self.next.is_some() {
            return;
        }
        let open: Vec<String> = self.stored.open().map(|alert| alert.id.clone()).collect();
        for id in open {
            let (sensors, count) = self.stored.members(&id);
            let Ok(at) = self.position(&id) else { continue };
            let alert = &self.stored.alerts[at].alert;
            if !self.stored.stands(&id) {
                self.clear(at, now, None, actions);
            } else if (&sensors, count) != (&alert.sensors, alert.count) {
                self.update_members(at, sensors, count, actions);
            }
        }
    }

    pub(super) fn suppressed(&self, condition: &Condition) -> bool {
        self.stored.suppressions.iter().any(|suppression| suppression.covers(condition))
            || condition.kind.explained_by().iter().any(|kind| self.stored.has(*kind, &condition.sensor))
    }

    /// When what is now pending, fading or muted changes by itself.
    fn earliest(&self, now: Timestamp) -> Timestamp {
        let full = self.is_full();
        let due = self.stored.conditions.iter().filter_map(|condition| {
            let timing = self.policy.of(condition.kind);
            match (condition.gone, &condition.alert) {
                (Some(gone), _) => Some(gone.saturating_add_micros(timing.clear_after)),
                (None, None) if !self.suppressed(condition) => {
                    Some(condition.since.saturating_add_micros(timing.raise_after))
                }
                (None, _) => None,
            }
        });
        // what is due and has no room waits for another change
        let due = due.filter(|due| !(full && *due <= now));
        let muted = self.stored.silences.iter().map(|it| it.silence.until);
        let muted = muted.chain(self.stored.suppressions.iter().filter_map(|it| it.until));
        due.chain(muted).min().unwrap_or(NEVER)
    }

    pub(super) fn is_full(&self) -> bool {
        self.stored.open().count() >= MOST_ALERTS
    }

    /// Whether a condition is about the subject.
    pub(super) fn shares(condition: &Condition, subject: &Subject) -> bool {
        match subject {
            Subject::Sensor(id) => condition.sensor == *id,
            Subject::Source(id) => condition.source.as_ref() == Some(id),
            Subject::Cohort(name) => condition.cohort.as_ref() == Some(name),
            Subject::Gateway => condition.kind.is_of_the_gateway(),
        }
    }
}

/// Later than anything.
const NEVER: Timestamp = Timestamp::LAST;
