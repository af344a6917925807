use super::*;
use proptest::prelude::*;

mod explained;
mod words;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

fn at(micros: i64) -> Timestamp {
    Timestamp::parse("2026-11-24T00:00:00Z").unwrap().saturating_add_micros(micros)
}

fn id(text: &str) -> Id {
    Id::new(text).unwrap()
}

fn finding(severity: Severity) -> Finding {
    let snapshot = Snapshot { statistics: [("bias".to_owned(), 0.4)].into(), ..Snapshot::default() };
    Finding {
        severity,
        message: "it is wrong".to_owned(),
        remedy: "mend it".to_owned(),
        snapshot: Some(snapshot),
    }
}

/// A judgement of a sensor of the source line1 and the cohort site=north.
fn judged(sensor: &str, kind: Kind, severity: Option<Severity>) -> Event {
    Event::Judged {
        sensor: id(sensor),
        kind,
        source: Some(id("line1")),
        cohort: Some("site=north".to_owned()),
        finding: severity.map(|severity| Box::new(finding(severity))),
    }
}

fn stuck(sensor: &str) -> Event {
    judged(sensor, Kind::Stuck, Some(Severity::Ticket))
}

fn well(sensor: &str) -> Event {
    judged(sensor, Kind::Stuck, None)
}

/// What actions do, in words.
fn words(actions: &[Action]) -> Vec<String> {
    let word = |action: &Action| match action {
        Action::Raise(alert) => format!("raise {}", alert.cause),
        Action::Update(alert) => format!("update {}", alert.cause),
        Action::Clear(alert) => format!("clear {}", alert.cause),
        Action::Publish(alert) => format!("publish {}", alert.cause),
        Action::Empty(_) => "empty".to_owned(),
    };
    actions.iter().map(word).collect()
}

/// The machine and what it is told.
struct Told(Alerts);

impl Told {
    fn new() -> Told {
        Told(Alerts::new(Policy::default(), Stored::default()))
    }

    fn tell(&mut self, event: Event, micros: i64) -> Vec<String> {
        words(&self.0.apply(event, at(micros)).unwrap())
    }

    fn refuse(&mut self, event: Event, micros: i64) -> Refused {
        self.0.apply(event, at(micros)).unwrap_err()
    }

    fn only(&self) -> &Alert {
        let mut all = self.0.alerts();
        let only = all.next().unwrap();
        assert!(all.next().is_none());
        only
    }

    fn acknowledge(&mut self, verdict: Option<Verdict>, micros: i64) -> Vec<String> {
        let id = self.only().id.clone();
        self.tell(Event::Acknowledged { id, by: "ada".to_owned(), verdict }, micros)
    }
}

#[test]
fn an_alert_stands_from_a_minute_after_its_cause_until_a_quarter_of_an_hour_after_it() {
    let mut told = Told::new();
    assert_eq!(told.tell(stuck("co-1"), 0), [""; 0]);
    assert_eq!(told.0.next(), Some(at(MINUTE)));
    assert_eq!(told.tell(stuck("co-1"), 59 * SECOND), [""; 0]);
    assert_eq!(told.tell(stuck("co-1"), MINUTE), ["raise stuck co-1", "publish stuck co-1"]);
    assert_eq!(told.tell(stuck("co-1"), 2 * MINUTE), [""; 0], "one cause, one alert");
    assert_eq!(told.tell(well("co-1"), 3 * MINUTE), [""; 0]);
    assert_eq!(told.tell(stuck("co-1"), 17 * MINUTE), [""; 0], "it was there again");
    assert_eq!(told.tell(well("co-1"), 20 * MINUTE), [""; 0]);
    assert_eq!(told.0.next(), Some(at(35 * MINUTE)));
    assert_eq!(told.tell(Event::Tick, 35 * MINUTE), ["clear stuck co-1", "publish stuck co-1"]);
    assert_eq!(told.only().cleared, Some(at(35 * MINUTE)));
    assert_eq!(told.acknowledge(Some(Verdict::Real), HOUR), ["update stuck co-1", "empty"]);
    assert_eq!(told.0.alerts().count(), 0);
    assert_eq!(told.0.tally().precision(), Some(1.0));
    assert_eq!(told.0.next(), None);
}

#[test]
fn what_is_gone_within_a_minute_tells_nobody() {
    let mut told = Told::new();
    told.tell(stuck("co-1"), 0);
    assert_eq!(told.tell(well("co-1"), 30 * SECOND), [""; 0]);
    assert_eq!(told.tell(stuck("co-1"), 40 * SECOND), [""; 0]);
    assert_eq!(told.tell(Event::Tick, 99 * SECOND), [""; 0]);
    assert_eq!(told.tell(Event::Tick, 100 * SECOND).len(), 2);
}

#[test]
fn sensors_of_one_source_make_one_alert() {
    let mut told = Told::new();
    for sensor in ["a", "b", "c", "d"] {
        told.tell(stuck(sensor), 0);
    }
    assert_eq!(told.tell(Event::Tick, MINUTE), ["raise stuck source:line1", "publish stuck source:line1"]);
    assert_eq!(told.only().sensors, ["a", "b", "c", "d"].map(id));
    assert_eq!(told.only().message, "4 sensors of the source line1 (a, b, c, ...): it is wrong");
    told.tell(stuck("e"), 2 * MINUTE);
    assert_eq!(
        told.tell(Event::Tick, 3 * MINUTE),
        ["update stuck source:line1", "publish stuck source:line1"]
    );
    assert_eq!(told.only().count, 5);
    for sensor in ["a", "b", "c", "d"] {
        told.tell(well(sensor), 4 * MINUTE);
    }
    told.tell(Event::Tick, 19 * MINUTE);
    assert_eq!(told.only().sensors, [id("e")], "one alert until the last one is well");
    told.tell(well("e"), 20 * MINUTE);
    assert_eq!(told.tell(Event::Tick, 35 * MINUTE)[0], "clear stuck source:line1");
}

#[test]
fn alerts_of_single_sensors_go_into_that_of_their_source() {
    let mut told = Told::new();
    told.tell(stuck("a"), 0);
    assert_eq!(told.tell(stuck("b"), MINUTE), ["raise stuck a", "publish stuck a"]);
    let expected = ["clear stuck a", "empty", "raise stuck source:line1", "publish stuck source:line1"];
    assert_eq!(told.tell(stuck("c"), 2 * MINUTE), expected);
    assert_eq!(told.only().count, 3);
}

#[test]
fn sensors_that_fail_far_apart_in_time_or_place_have_causes_of_their_own() {
    let mut told = Told::new();
    for (index, sensor) in ["a", "b", "c"].into_iter().enumerate() {
        told.tell(stuck(sensor), index as i64 * HOUR);
        told.tell(Event::Tick, index as i64 * HOUR + MINUTE);
    }
    let mut elsewhere = stuck("d");
    if let Event::Judged { source, cohort, .. } = &mut elsewhere {
        (*source, *cohort) = (None, None);
    }
    told.tell(elsewhere, 3 * HOUR);
    told.tell(judged("e", Kind::Noise, Some(Severity::Ticket)), 3 * HOUR);
    told.tell(Event::Tick, 4 * HOUR);
    let causes: Vec<String> = told.0.alerts().map(|alert| alert.cause.to_string()).collect();
    assert_eq!(causes, ["stuck a", "stuck b", "stuck c", "stuck d", "noise e"]);
}

#[test]
fn a_cohort_groups_across_sources() {
    let mut told = Told::new();
    for sensor in ["a", "b", "c"] {
        let mut event = judged(sensor, Kind::Drift, Some(Severity::Ticket));
        if let Event::Judged { source, .. } = &mut event {
            *source = Some(id(&format!("line-{sensor}")));
        }
        told.tell(event, 0);
    }
    assert_eq!(told.tell(Event::Tick, MINUTE)[0], "raise drift cohort:site=north");
}

#[test]
fn nothing_is_raised_during_maintenance_but_what_is_left_after_it() {
    let mut told = Told::new();
    let (scope, reason) = (Scope::Sensor(id("co-1")), "maintenance".to_owned());
    let until = Some(at(HOUR));
    told.tell(stuck("co-0"), 0);
    told.tell(Event::Suppressed { scope: scope.clone(), reason: reason.clone(), kinds: vec![], until }, 0);
    told.tell(stuck("co-1"), 0);
    assert_eq!(told.tell(stuck("co-1"), 5 * MINUTE), ["raise stuck co-0", "publish stuck co-0"]);
    assert_eq!(told.tell(Event::Tick, HOUR), [""; 0]);
    assert_eq!(told.tell(Event::Tick, HOUR + MINUTE), ["raise stuck co-1", "publish stuck co-1"]);
    assert_eq!(told.refuse(Event::Lifted { scope: scope.clone(), reason }, HOUR), Refused::NotSuppressed);
    // a deploy hides drift only, until it is lifted
    let (scope, reason) = (Scope::All, "deploy".to_owned());
    let kinds = vec![Kind::Drift];
    told.tell(
        Event::Suppressed { scope: scope.clone(), reason: reason.clone(), kinds, until: None },
        2 * HOUR,
    );
    told.tell(judged("x", Kind::Drift, Some(Severity::Page)), 2 * HOUR);
    told.tell(judged("x", Kind::Silent, Some(Severity::Page)), 2 * HOUR);
    assert_eq!(told.tell(Event::Tick, 3 * HOUR), ["raise silent x", "publish silent x"]);
    told.tell(Event::Lifted { scope, reason }, 3 * HOUR);
    assert_eq!(told.tell(Event::Tick, 3 * HOUR + MINUTE), ["raise drift x", "publish drift x"]);
}

#[test]
fn a_silenced_cause_is_kept_but_not_published_until_the_silence_ends() {
    let mut told = Told::new();
    told.tell(stuck("co-1"), 0);
    told.tell(Event::Tick, MINUTE);
    let silence = Silence { until: at(4 * HOUR), by: "ada".to_owned(), reason: "known".to_owned() };
    let event = Event::Silenced { id: told.only().id.clone(), silence };
    assert_eq!(told.tell(event, HOUR), ["update stuck co-1", "publish stuck co-1"]);
    let worse = judged("co-1", Kind::Stuck, Some(Severity::Page));
    assert_eq!(told.tell(worse, HOUR), ["update stuck co-1"]);
    told.tell(well("co-1"), HOUR);
    assert_eq!(
        told.tell(Event::Tick, 2 * HOUR),
        ["clear stuck co-1", "publish stuck co-1"],
        "an end is no noise"
    );
    told.acknowledge(None, 2 * HOUR);
    told.tell(stuck("co-1"), 3 * HOUR);
    assert_eq!(told.tell(Event::Tick, 3 * HOUR + MINUTE), ["raise stuck co-1"]);
    assert_eq!(told.tell(Event::Tick, 4 * HOUR), ["update stuck co-1", "publish stuck co-1"]);
    assert_eq!(told.only().silence, None);
    let silence = Silence { until: at(0), by: String::new(), reason: String::new() };
    let event = Event::Silenced { id: "none".to_owned(), silence };
    assert_eq!(told.refuse(event, 4 * HOUR), Refused::Unknown("none".to_owned()));
}

#[test]
fn severity_rises_and_does_not_fall() {
    let mut told = Told::new();
    told.tell(judged("co-1", Kind::Slo, Some(Severity::Ticket)), 0);
    told.tell(Event::Tick, MINUTE);
    let page = judged("co-1", Kind::Slo, Some(Severity::Page));
    assert_eq!(told.tell(page, HOUR), ["update slo co-1", "publish slo co-1"]);
    assert_eq!(told.tell(judged("co-1", Kind::Slo, Some(Severity::Ticket)), 2 * HOUR), [""; 0]);
    assert_eq!(told.only().severity, Severity::Page);
}

#[test]
fn verdicts_can_be_changed_and_missed_drifts_are_counted() {
    let mut told = Told::new();
    told.tell(judged("co-1", Kind::Drift, Some(Severity::Ticket)), 0);
    told.tell(Event::Tick, MINUTE);
    told.acknowledge(Some(Verdict::False), HOUR);
    assert_eq!(told.0.tally().precision(), Some(0.0));
    told.acknowledge(Some(Verdict::Real), HOUR);
    told.acknowledge(None, HOUR);
    assert_eq!(told.only().verdict, Some(Verdict::Real));
    let tally = told.0.tally();
    assert_eq!((tally.real, tally.false_alarms, tally.precision()), (1, 0, Some(1.0)));
    let known = told.only().id.clone();
    assert_eq!(told.refuse(Event::Missed { sensor: id("co-1") }, HOUR), Refused::NotMissed(known));
    told.tell(Event::Missed { sensor: id("co-2") }, HOUR);
    assert_eq!(told.0.tally().missed, 1);
}

#[test]
fn the_time_to_a_new_calibration_is_measured_once() {
    let mut told = Told::new();
    told.tell(judged("co-1", Kind::Drift, Some(Severity::Ticket)), 0);
    told.tell(judged("co-1", Kind::Silent, Some(Severity::Page)), 0);
    told.tell(Event::Tick, MINUTE);
    told.tell(Event::Activated { sensor: id("co-2") }, HOUR);
    let answered = told.tell(Event::Activated { sensor: id("co-1") }, HOUR + MINUTE);
    assert_eq!(
        answered,
        ["update drift co-1", "publish drift co-1"],
        "a silent sensor is not mended by a calibration"
    );
    told.tell(Event::Activated { sensor: id("co-1") }, 2 * HOUR);
    let latency = told.0.tally().calibration;
    assert_eq!((latency.count, latency.mean(), latency.longest), (1, Some(3600.0), 3600.0));
    told.tell(Event::Automated { succeeded: true }, HOUR);
    told.tell(Event::Automated { succeeded: false }, HOUR);
    assert_eq!(told.0.tally().automation_success(), Some(0.5));
}

#[test]
fn a_sensor_that_is_removed_has_no_alerts() {
    let mut told = Told::new();
    told.tell(stuck("co-1"), 0);
    told.tell(Event::Tick, MINUTE);
    let gone = told.tell(Event::Removed { sensor: id("co-1") }, 2 * MINUTE);
    assert_eq!(gone, ["clear stuck co-1", "publish stuck co-1"]);
}

#[test]
fn a_clock_that_is_set_back_delays_by_no_more_than_the_policy() {
    let mut told = Told::new();
    told.tell(stuck("co-1"), 1000 * HOUR);
    told.tell(stuck("co-1"), 0);
    assert_eq!(told.tell(Event::Tick, MINUTE), ["raise stuck co-1", "publish stuck co-1"]);
}

#[test]
fn thousands_of_sensors_are_one_alert_and_hundreds_of_causes_are_bounded() {
    let mut told = Told::new();
    for index in 0..3000 {
        told.tell(stuck(&format!("s{index}")), 0);
    }
    told.tell(Event::Tick, MINUTE);
    assert_eq!((told.only().count, told.only().sensors.len()), (3000, MOST_SENSORS));
    let mut told = Told::new();
    let alone = |index: usize, severity: Option<Severity>| Event::Judged {
        sensor: id(&format!("s{index}")),
        kind: Kind::Stuck,
        source: None,
        cohort: None,
        finding: severity.map(|severity| Box::new(finding(severity))),
    };
    for index in 0..MOST_ALERTS + 5 {
        told.tell(alone(index, Some(Severity::Ticket)), 0);
    }
    told.tell(Event::Tick, MINUTE);
    assert_eq!(told.0.alerts().count(), MOST_ALERTS);
    // room comes with the first one that is well: the cleared one goes, unseen
    told.tell(alone(0, None), HOUR);
    told.tell(Event::Tick, 2 * HOUR);
    assert_eq!((told.0.alerts().count(), told.0.tally().unseen), (MOST_ALERTS, 1));
    assert!(told.0.alerts().all(|alert| alert.cleared.is_none()));
}

#[test]
fn an_alert_is_published_as_the_contract_says() {
    let mut told = Told::new();
    told.tell(stuck("co-1"), 0);
    told.tell(Event::Tick, MINUTE);
    let json = serde_json::to_value(told.only()).unwrap();
    for (name, value) in [
        ("severity", serde_json::json!("ticket")),
        ("cause", serde_json::json!("stuck co-1")),
        ("sensors", serde_json::json!(["co-1"])),
        ("raised", serde_json::json!("2026-11-24T00:01:00.000000Z")),
        ("cleared", serde_json::Value::Null),
        ("acknowledged", serde_json::Value::Null),
        ("message", serde_json::json!("it is wrong")),
        ("remedy", serde_json::json!("mend it")),
    ] {
        assert_eq!(json[name], value, "{name}");
    }
    for name in ["transform", "window", "statistics", "pairs"] {
        assert!(json["snapshot"].get(name).is_some(), "{name}");
    }
    for text in ["drift co-1", "silent source:line1", "noise cohort:site=north, hot"] {
        assert_eq!(text.parse::<Cause>().unwrap().to_string(), text);
    }
    for text in ["drift", "woe co-1", "drift co/1", "silent source:a b"] {
        assert!(text.parse::<Cause>().is_err(), "{text}");
    }
}

fn any_event() -> impl Strategy<Value = Event> {
    let sensor = || (0..6u8).prop_map(|index| id(&format!("s{index}")));
    let kind = || prop::sample::select(vec![Kind::Drift, Kind::Stuck, Kind::Silent]);
    let severity = prop::sample::select(vec![Severity::Page, Severity::Ticket]);
    let judged = (sensor(), kind(), 0..2u8, prop::option::weighted(0.7, severity)).prop_map(
        |(sensor, kind, line, found)| Event::Judged {
            sensor,
            kind,
            source: Some(id(&format!("line{line}"))),
            cohort: Some("all".to_owned()),
            finding: found.map(|severity| Box::new(finding(severity))),
        },
    );
    let scope = || prop_oneof![Just(Scope::All), sensor().prop_map(Scope::Sensor)];
    let until = || (0..8 * 60i64).prop_map(|minutes| at(minutes * MINUTE));
    let verdict = prop::option::of(prop::sample::select(vec![Verdict::Real, Verdict::False]));
    // the place of the alert among those there are stands for its identifier
    let place = || (0..4usize).prop_map(|place| place.to_string());
    prop_oneof![
        8 => judged,
        2 => Just(Event::Tick),
        1 => sensor().prop_map(|sensor| Event::Removed { sensor }),
        1 => (place(), verdict).prop_map(|(id, verdict)| Event::Acknowledged { id, by: "ada".to_owned(), verdict }),
        1 => (place(), until()).prop_map(|(id, until)| Event::Silenced {
            id,
            silence: Silence { until, by: "ada".to_owned(), reason: "known".to_owned() },
        }),
        1 => (scope(), prop::option::of(until())).prop_map(|(scope, until)| Event::Suppressed {
            scope,
            reason: "deploy".to_owned(),
            kinds: vec![],
            until,
        }),
        1 => scope().prop_map(|scope| Event::Lifted { scope, reason: "deploy".to_owned() }),
        1 => sensor().prop_map(|sensor| Event::Activated { sensor }),
        1 => sensor().prop_map(|sensor| Event::Missed { sensor }),
    ]
}

/// The event with the identifier that its place stands for.
fn named(event: Event, alerts: &Alerts) -> Event {
    let name = |place: &str| {
        let found = place.parse().ok().and_then(|place: usize| alerts.alerts().nth(place));
        found.map_or_else(|| "none".to_owned(), |alert| alert.id.clone())
    };
    match event {
        Event::Acknowledged { id, by, verdict } => Event::Acknowledged { id: name(&id), by, verdict },
        Event::Silenced { id, silence } => Event::Silenced { id: name(&id), silence },
        other => other,
    }
}

proptest! {
    #[test]
    fn alerts_are_raised_once_cleared_once_and_the_same_after_a_restart(
        events in prop::collection::vec((any_event(), -2..20i64), 1..150), cut in 0..150usize,
    ) {
        let fresh = || Alerts::new(Policy::default(), Stored::default());
        let (mut whole, mut restarted) = (fresh(), fresh());
        let mut open: BTreeMap<String, Cause> = BTreeMap::new();
        let mut retained: std::collections::BTreeSet<String> = std::collections::BTreeSet::new();
        let mut minute = 0;
        for (index, (event, later)) in events.into_iter().enumerate() {
            if index == cut {
                let text = serde_json::to_string(restarted.stored()).unwrap();
                restarted = Alerts::new(Policy::default(), serde_json::from_str(&text).unwrap());
            }
            minute += later;
            let event = named(event, &whole);
            let actions = whole.apply(event.clone(), at(minute * MINUTE));
            prop_assert_eq!(&actions, &restarted.apply(event, at(minute * MINUTE)));
            for action in actions.unwrap_or_default() {
                match action {
                    Action::Raise(alert) => {
                        prop_assert!(open.values().all(|cause| *cause != alert.cause), "two of {}", alert.cause);
                        prop_assert!(open.insert(alert.id, alert.cause).is_none());
                        prop_assert!(!alert.sensors.is_empty() && alert.count == alert.sensors.len());
                    }
                    Action::Clear(alert) => {
                        prop_assert!(open.remove(&alert.id).is_some() && alert.cleared.is_some());
                    }
                    Action::Update(alert) => {
                        prop_assert_eq!(open.contains_key(&alert.id), alert.cleared.is_none());
                    }
                    Action::Publish(alert) => {
                        retained.insert(alert.id);
                    }
                    Action::Empty(id) => prop_assert!(retained.remove(&id) && !open.contains_key(&id)),
                }
            }
            let standing: BTreeMap<String, Cause> = whole
                .alerts()
                .filter(|alert| alert.cleared.is_none())
                .map(|alert| (alert.id.clone(), alert.cause.clone()))
                .collect();
            prop_assert_eq!(&standing, &open, "what is raised is cleared or stands");
            prop_assert!(retained.iter().all(|id| whole.alerts().any(|alert| alert.id == *id)));
            for alert in whole.alerts().filter(|alert| alert.cleared.is_none()) {
                prop_assert!(alert.count > 0);
            }
        }
        prop_assert_eq!(whole.stored(), restarted.stored());
    }
}
