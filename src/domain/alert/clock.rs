//! What a restart and a clock that is set mean for what waits.

use super::Action;
use super::machine::Alerts;
use crate::domain::time::Timestamp;

impl Alerts {
    /// Goes on at a start: the time in which nobody judged does not count, nor does a clock that is behind.
    pub fn resume(&mut self, now: Timestamp) {
        if let Some(last) = self.stored.last.replace(now) {
            self.shift_conditions(now.micros_since(last));
        }
        self.next = None;
    }

    /// The clock was set by `by` microseconds when it said `before`: what waits goes on waiting for as long as it
    /// would have, and what was dated since the time `begun`, when this clock began to be used, is dated anew.
    pub fn clock_set(&mut self, begun: Timestamp, before: Timestamp, by: i64) -> Vec<Action> {
        self.shift_conditions(by);
        let after = before.saturating_add_micros(by);
        let by_this_clock = |given: Option<Timestamp>| given.is_some_and(|it| (begun..=before).contains(&it));
        let shift = |time: &mut Timestamp| *time = time.saturating_add_micros(by);
        for suppression in self.stored.suppressions.iter_mut().filter(|it| by_this_clock(it.given)) {
            [&mut suppression.given, &mut suppression.until].into_iter().flatten().for_each(shift);
        }
        let mut moved = Vec::new();
        for silenced in self.stored.silences.iter_mut().filter(|it| by_this_clock(it.given)) {
            silenced.given.iter_mut().for_each(shift);
            let old = silenced.silence.clone();
            shift(&mut silenced.silence.until);
            moved.push((silenced.cause.clone(), old));
        }
        let mut actions = Vec::new();
        for at in 0..self.stored.alerts.len() {
            let alert = &mut self.stored.alerts[at].alert;
            let old = alert.clone();
            let dates = [&mut alert.cleared, &mut alert.acknowledged, &mut alert.answered];
            let dates = dates.into_iter().flatten().chain([&mut alert.raised]);
            dates.filter(|date| by_this_clock(Some(**date))).for_each(shift);
            if let Some(silence) = &mut alert.silence
                && moved.iter().any(|(cause, old)| *cause == alert.cause && old == silence)
            {
                shift(&mut silence.until);
            }
            if *alert != old {
                self.updated(at, &mut actions);
            }
        }
        self.stored.last = Some(after);
        self.next = None;
        actions
    }

    fn shift_conditions(&mut self, by: i64) {
        for condition in &mut self.stored.conditions {
            condition.since = condition.since.saturating_add_micros(by);
            condition.gone = condition.gone.map(|gone| gone.saturating_add_micros(by));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Alert, Event, Finding, Kind, Policy, Scope, Severity, Silence, Stored};
    use super::*;
    use crate::domain::id::Id;

    const MINUTE: i64 = 60_000_000;
    const HOUR: i64 = 60 * MINUTE;
    /// From 1970 to the true time.
    const STEP: i64 = 56 * 365 * 24 * HOUR;

    fn at(micros: i64) -> Timestamp {
        Timestamp::EPOCH.saturating_add_micros(micros)
    }

    fn judged(found: bool) -> Event {
        let finding = Finding {
            severity: Severity::Ticket,
            message: "it is wrong".to_owned(),
            remedy: "mend it".to_owned(),
            snapshot: None,
        };
        let (sensor, finding) = (Id::new("co-1").unwrap(), found.then(|| Box::new(finding)));
        Event::Judged { sensor, kind: Kind::Stuck, source: None, cohort: None, finding }
    }

    fn tick(alerts: &mut Alerts, now: i64) -> usize {
        alerts.apply(Event::Tick, at(now)).unwrap().len()
    }

    #[test]
    fn a_step_from_1970_neither_raises_nor_clears_and_dates_anew() {
        let mut alerts = Alerts::new(Policy::default(), Stored::default());
        alerts.apply(judged(true), at(0)).unwrap();
        assert_eq!(alerts.clock_set(at(0), at(MINUTE / 2), STEP), []);
        assert_eq!(tick(&mut alerts, STEP + MINUTE / 2 + 1), 0, "half a minute is left to wait");
        assert_eq!(tick(&mut alerts, STEP + MINUTE), 2);
        alerts.apply(judged(false), at(STEP + HOUR)).unwrap();
        assert_eq!(alerts.clock_set(at(STEP), at(STEP + HOUR), -HOUR).len(), 2);
        assert_eq!(alerts.alerts().next().unwrap().raised, at(STEP + MINUTE - HOUR));
        assert_eq!(tick(&mut alerts, STEP + 14 * MINUTE), 0);
        assert_eq!(tick(&mut alerts, STEP + 15 * MINUTE), 2);
    }

    #[test]
    fn what_was_dated_before_the_start_stays_as_it_is() {
        let mut alerts = Alerts::new(Policy::default(), Stored::default());
        alerts.apply(judged(true), at(STEP)).unwrap();
        tick(&mut alerts, STEP + MINUTE);
        let id = alerts.alerts().next().unwrap().id.clone();
        let until = at(STEP + 4 * HOUR);
        let silence = Silence { until, by: "ada".to_owned(), reason: "known".to_owned() };
        alerts.apply(Event::Silenced { id: id.clone(), silence: silence.clone() }, at(STEP + HOUR)).unwrap();
        let before: Vec<Alert> = alerts.alerts().cloned().collect();
        // the battery of the clock is empty: it begins in 1970, and is set two hours after the end
        alerts.resume(at(0));
        assert_eq!(tick(&mut alerts, MINUTE), 0);
        assert_eq!(alerts.clock_set(at(0), at(2 * MINUTE), STEP + HOUR), []);
        assert_eq!(alerts.alerts().cloned().collect::<Vec<_>>(), before);
        // a silence that is given by a clock in 1970 lasts for as long as it was meant to
        alerts.resume(at(0));
        alerts.apply(Event::Silenced { id, silence: Silence { until: at(HOUR), ..silence } }, at(0)).unwrap();
        alerts.clock_set(at(0), at(MINUTE), STEP);
        assert_eq!(tick(&mut alerts, STEP + HOUR - 1), 0);
        assert_eq!(tick(&mut alerts, STEP + HOUR), 2);
    }

    #[test]
    fn an_end_moves_with_any_step_of_the_clock_by_which_it_was_given() {
        for step in [HOUR, -HOUR, 5 * HOUR] {
            let mut alerts = Alerts::new(Policy::default(), Stored::default());
            alerts.apply(judged(true), at(STEP)).unwrap();
            tick(&mut alerts, STEP + MINUTE);
            let id = alerts.alerts().next().unwrap().id.clone();
            let until = at(STEP + 4 * HOUR);
            let silence = Silence { until, by: "ada".to_owned(), reason: "known".to_owned() };
            alerts.apply(Event::Silenced { id, silence }, at(STEP + HOUR)).unwrap();
            let (scope, reason) = (Scope::Sensor(Id::new("co-2").unwrap()), "deploy".to_owned());
            let deploy = Event::Suppressed { scope, reason, kinds: Vec::new(), until: Some(until) };
            alerts.apply(deploy, at(STEP + HOUR)).unwrap();
            // the second step finds what the first one moved
            alerts.clock_set(at(STEP), at(STEP + 2 * HOUR), step);
            alerts.clock_set(at(STEP + step), at(STEP + step + 2 * HOUR), HOUR);
            let until = STEP + step + 5 * HOUR;
            assert_eq!(alerts.alerts().next().unwrap().silence.as_ref().unwrap().until, at(until));
            assert_eq!((tick(&mut alerts, until - 1), alerts.suppressions().count()), (0, 1), "{step}");
            assert_eq!((tick(&mut alerts, until), alerts.suppressions().count()), (2, 0), "{step}");
        }
    }

    #[test]
    fn what_was_stored_without_the_time_it_was_given_at_is_read_and_keeps_its_end() {
        let silence = r#"{"until":"2026-11-24T00:00:00Z","by":"ada","reason":"known"}"#;
        let state = serde_json::to_value(Stored::default()).unwrap();
        let state = state
            .to_string()
            .replace(r#""silences":[]"#, &format!(r#""silences":[["stuck co-1",{silence}]]"#));
        let stored: Stored = serde_json::from_str(&state).unwrap();
        let mut alerts = Alerts::new(Policy::default(), stored.clone());
        alerts.clock_set(at(0), at(MINUTE), STEP);
        assert_eq!(alerts.stored().silences, stored.silences);
        assert_eq!(stored.silences.len(), 1);
    }

    #[test]
    fn the_time_in_which_nobody_judged_does_not_count() {
        let mut alerts = Alerts::new(Policy::default(), Stored::default());
        alerts.apply(judged(true), at(0)).unwrap();
        tick(&mut alerts, MINUTE / 2);
        alerts.resume(at(HOUR));
        assert_eq!(tick(&mut alerts, HOUR), 0);
        assert_eq!(tick(&mut alerts, HOUR + MINUTE / 2), 2);
        alerts.apply(judged(false), at(HOUR + MINUTE)).unwrap();
        alerts.resume(at(9 * HOUR));
        assert_eq!(tick(&mut alerts, 9 * HOUR + 14 * MINUTE), 0);
    }
}
