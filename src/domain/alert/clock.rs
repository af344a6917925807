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
        // An end that was given by the clock as it was is near to that; one from before the start to the true time.
        let end = |until: &mut Timestamp| {
            let distance = |now: Timestamp| until.micros_since(now).unsigned_abs();
            if distance(before) < distance(after) {
                *until = until.saturating_add_micros(by);
            }
        };
        self.stored.suppressions.iter_mut().filter_map(|it| it.until.as_mut()).for_each(end);
        self.stored.silences.iter_mut().for_each(|(_, silence)| end(&mut silence.until));
        let mut actions = Vec::new();
        for at in 0..self.stored.alerts.len() {
            let alert = &mut self.stored.alerts[at].alert;
            let old = alert.clone();
            let dates = [&mut alert.cleared, &mut alert.acknowledged, &mut alert.answered];
            let dates = dates.into_iter().flatten().chain([&mut alert.raised]);
            for date in dates.filter(|date| (begun..=before).contains(*date)) {
                *date = date.saturating_add_micros(by);
            }
            alert.silence.iter_mut().for_each(|silence| end(&mut silence.until));
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
    use super::super::{Alert, Event, Finding, Kind, Policy, Severity, Silence, Stored};
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
