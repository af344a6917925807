//! From findings to alerts: which findings have one cause.

use super::machine::Alerts;
use super::stored::{Condition, Kept};
use super::{Action, Alert, Cause, Finding, MOST_ALERTS, Severity, Subject};
use crate::domain::digest::Digest;
use crate::domain::id::SensorId;
use crate::domain::time::Timestamp;

impl Alerts {
    /// Raises what has been found for long enough.
    pub(super) fn raise_due(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        for at in 0..self.stored.conditions.len() {
            let condition = &self.stored.conditions[at];
            let raise_after = self.policy.of(condition.kind).raise_after;
            let waits = condition.since.saturating_add_micros(raise_after) > now;
            if condition.alert.is_some() || condition.gone.is_some() || waits || self.suppressed(condition) {
                continue;
            }
            if let Some(open) = self.to_join(at) {
                self.join(at, open, actions);
            } else if !self.is_full() {
                self.raise(at, now, actions);
            }
        }
    }

    /// The subjects that a condition may share with others.
    fn common(condition: &Condition) -> Vec<Subject> {
        let source = condition.source.clone().map(Subject::Source);
        source.into_iter().chain(condition.cohort.clone().map(Subject::Cohort)).collect()
    }

    /// The open alert about several sensors to which this condition belongs.
    fn to_join(&self, at: usize) -> Option<usize> {
        let condition = &self.stored.conditions[at];
        Self::common(condition).into_iter().find_map(|subject| {
            let cause = Cause { kind: condition.kind, subject };
            self.stored
                .alerts
                .iter()
                .position(|kept| kept.alert.cleared.is_none() && kept.alert.cause == cause)
        })
    }

    fn join(&mut self, at: usize, open: usize, actions: &mut Vec<Action>) {
        let id = self.stored.alerts[open].alert.id.clone();
        let condition = &mut self.stored.conditions[at];
        condition.alert = Some(id.clone());
        let finding = condition.finding.clone();
        condition.shorten();
        self.take_words(open, finding);
        let (sensors, count) = self.stored.members(&id);
        self.update_members(open, sensors, count, actions);
    }

    /// What has the same cause as this condition: what it is about, and the places of the conditions.
    fn together(&self, at: usize) -> (Subject, Vec<usize>) {
        let condition = &self.stored.conditions[at];
        let within = self.policy.of(condition.kind).group_within;
        for subject in Self::common(condition) {
            let like = |other: &Condition| {
                other.kind == condition.kind
                    && other.gone.is_none()
                    && Self::shares(other, &subject)
                    && other.since.micros_since(condition.since).abs() <= within
                    && !self.suppressed(other)
                    && !self.is_grouped(other)
            };
            let places: Vec<usize> =
                (0..self.stored.conditions.len()).filter(|at| like(&self.stored.conditions[*at])).collect();
            if places.len() >= self.policy.group_from {
                return (subject, places);
            }
        }
        let subject = match condition.kind.is_of_the_gateway() {
            true => Subject::Gateway,
            false => Subject::Sensor(condition.sensor.clone()),
        };
        (subject, vec![at])
    }

    /// Whether an alert about several sensors tells of it.
    fn is_grouped(&self, condition: &Condition) -> bool {
        condition
            .alert
            .as_ref()
            .and_then(|id| self.position(id).ok())
            .is_some_and(|at| self.stored.alerts[at].alert.cause.subject.is_of_several())
    }

    fn raise(&mut self, at: usize, now: Timestamp, actions: &mut Vec<Action>) {
        let (subject, places) = self.together(at);
        let cause = Cause { kind: self.stored.conditions[at].kind, subject };
        let id = self.new_id(&cause, now);
        let mut merged = Vec::new();
        for place in &places {
            merged.extend(self.stored.conditions[*place].alert.replace(id.clone()));
        }
        for old in merged {
            if let Ok(place) = self.position(&old) {
                self.clear(place, now, Some(id.clone()), actions);
            }
        }
        let (alert, in_common) = self.new_alert(id, cause, &places, now);
        self.stored.tally.raise(alert.severity);
        actions.push(Action::Raise(alert.clone()));
        let published = alert.silence.is_none();
        if published {
            actions.push(Action::Publish(alert.clone()));
        }
        self.make_room(actions);
        self.stored.alerts.push(Kept { alert, published, in_common });
    }

    /// The alert, and what is wrong at each of its sensors where it is about several.
    fn new_alert(&mut self, id: String, cause: Cause, places: &[usize], now: Timestamp) -> (Alert, String) {
        let all = places.iter().map(|place| &self.stored.conditions[*place]);
        // the most severe one speaks for all; of these the one that was found first
        let first = all.min_by_key(|it| (it.finding.severity, it.since)).map(|it| it.finding.clone());
        let (sensors, count) = self.stored.members(&id);
        let grouped = cause.subject.is_of_several();
        for place in places {
            let condition = &mut self.stored.conditions[*place];
            if grouped { condition.shorten() } else { condition.finding.snapshot = None }
        }
        let silence = self.stored.silences.iter().find(|it| it.cause == cause);
        let (words, remedy, snapshot) = first
            .as_ref()
            .map_or_else(Default::default, |it| (it.message.clone(), it.remedy.clone(), it.snapshot.clone()));
        let message = in_common(&cause.subject, count, &sensors, &words);
        let alert = Alert {
            id,
            severity: first.map_or(Severity::Ticket, |it| it.severity),
            silence: silence.map(|it| it.silence.clone()),
            cause,
            sensors,
            count,
            raised: now,
            cleared: None,
            acknowledged: None,
            acknowledged_by: None,
            verdict: None,
            answered: None,
            merged_into: None,
            message,
            remedy,
            snapshot,
        };
        (alert, if grouped { words } else { String::new() })
    }

    /// The same events give the same identifiers.
    fn new_id(&self, cause: &Cause, now: Timestamp) -> String {
        let raised = self.stored.tally.raised().to_be_bytes();
        let digest =
            Digest::of(&[cause.to_string().as_bytes(), &[0], &now.as_micros().to_be_bytes(), &raised]);
        let mut id = digest.to_string();
        id.truncate(16);
        id
    }

    /// Lets the oldest cleared alert go where there are too many.
    fn make_room(&mut self, actions: &mut Vec<Action>) {
        if self.stored.alerts.len() < MOST_ALERTS {
            return;
        }
        if let Some(at) = self.stored.alerts.iter().position(|kept| kept.alert.cleared.is_some()) {
            self.stored.tally.unseen += 1;
            self.let_go(at, actions);
        }
    }

    /// An alert is over; one that went into another is forgotten at once.
    pub(super) fn clear(
        &mut self,
        at: usize,
        now: Timestamp,
        merged_into: Option<String>,
        actions: &mut Vec<Action>,
    ) {
        let kept = &mut self.stored.alerts[at];
        kept.alert.cleared = Some(now.max(kept.alert.raised));
        kept.alert.merged_into = merged_into;
        self.stored.tally.cleared += 1;
        actions.push(Action::Clear(kept.alert.clone()));
        if kept.alert.acknowledged.is_some() || kept.alert.merged_into.is_some() {
            self.let_go(at, actions);
        } else if kept.published {
            actions.push(Action::Publish(kept.alert.clone()));
        }
    }

    pub(super) fn update_members(
        &mut self,
        at: usize,
        sensors: Vec<SensorId>,
        count: usize,
        actions: &mut Vec<Action>,
    ) {
        let Kept { alert, in_common: words, .. } = &mut self.stored.alerts[at];
        (alert.sensors, alert.count) = (sensors, count);
        if !words.is_empty() {
            alert.message = in_common(&alert.cause.subject, count, &alert.sensors, words);
        }
        self.updated(at, actions);
    }

    /// What an alert tells of was found again. Other words alone are no news: they go out with the next change.
    pub(super) fn told_again(&mut self, id: &str, finding: Finding, actions: &mut Vec<Action>) {
        let Ok(at) = self.position(id) else { return };
        if self.take_words(at, finding) {
            self.updated(at, actions);
        }
    }

    /// Has an alert say what was found last, unless it tells of something worse; says whether it is worse now.
    fn take_words(&mut self, at: usize, finding: Finding) -> bool {
        let Kept { alert, in_common: words, .. } = &mut self.stored.alerts[at];
        if finding.severity > alert.severity {
            return false;
        }
        alert.message = in_common(&alert.cause.subject, alert.count, &alert.sensors, &finding.message);
        alert.remedy = finding.remedy;
        if alert.cause.subject.is_of_several() {
            *words = finding.message;
        }
        let worse = finding.severity < alert.severity;
        alert.severity = finding.severity;
        worse
    }

    pub(super) fn updated(&mut self, at: usize, actions: &mut Vec<Action>) {
        let kept = &mut self.stored.alerts[at];
        actions.push(Action::Update(kept.alert.clone()));
        if kept.alert.silence.is_none() && (kept.alert.cleared.is_none() || kept.published) {
            kept.published = true;
            actions.push(Action::Publish(kept.alert.clone()));
        }
    }
}

fn in_common(subject: &Subject, count: usize, sensors: &[SensorId], message: &str) -> String {
    let what = match subject {
        Subject::Sensor(_) | Subject::Gateway => return message.to_owned(),
        Subject::Source(id) => format!("{count} sensors of the source {id}"),
        Subject::Cohort(name) => format!("{count} sensors of the cohort {name}"),
    };
    let named: Vec<&str> = sensors.iter().take(3).map(SensorId::as_str).collect();
    let more = if count > named.len() { ", ..." } else { "" };
    format!("{what} ({}{more}): {message}", named.join(", "))
}
