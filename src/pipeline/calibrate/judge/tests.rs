use std::collections::HashMap;

use super::*;
use crate::config::peers::PeersConfig;
use crate::domain::alert::{Action, Alerts, Event, Policy, Stored};
use crate::domain::comparison::{Comparison, ReferenceSensor};
use crate::domain::id::Id;
use crate::domain::monitor::check::{CheckState, ControlLimits};
use crate::domain::monitor::peers::PeerLimits;
use crate::domain::monitor::scheduled::{Check, Schedule};
use crate::domain::monitor::{Limit, Limits};
use crate::domain::sample::Sample;
use crate::domain::sensor::{self, Monitoring};
use crate::domain::synthetic::{Fault, FaultKind, Generator, Noise, Signal};
use crate::pipeline::calibrate::{Moment, OnExpired};

const SECOND: Duration = Duration::from_secs(1);
const LEARN: Duration = Duration::from_secs(1200);

fn id(text: &str) -> Id {
    Id::new(text).unwrap()
}

fn sensor(name: &str, reference: Option<&str>) -> Sensor {
    let limits = Limits { learn: LEARN, spike: Limit::Off, ..Limits::default() };
    let reference = reference.map(|reference| ReferenceSensor {
        sensor: id(reference),
        uncertainty: None,
        interval: None,
    });
    Sensor {
        id: id(name),
        quantity: "q".to_owned(),
        kind: sensor::Kind::Measurement,
        unit: "Cel".into(),
        model: None,
        serial: None,
        uncertainty: None,
        covariates: Default::default(),
        comparison: Arc::new(Comparison { reference, ..Comparison::default() }),
        monitor: Some(Monitoring { limits, period: Some(SECOND), ..Monitoring::default() }),
        checks: Default::default(),
    }
}

/// A gateway whose time is that of its sensors, which give a value a second.
struct Day {
    it: Calibrator,
    generator: Generator,
    names: Vec<String>,
    alerts: Alerts,
    second: i64,
    /// What has become of alerts: the second, what, the cause.
    log: Vec<(i64, &'static str, String)>,
    events: usize,
    has_room: bool,
}

impl Day {
    fn new(faults: &[(&str, FaultKind, u64, u64)], sensors: Vec<Sensor>, stored: Stored) -> Day {
        Day::resumed(faults, sensors, stored, vec![])
    }

    /// After a restart, with what was learnt before.
    fn resumed(
        faults: &[(&str, FaultKind, u64, u64)],
        sensors: Vec<Sensor>,
        stored: Stored,
        learnt: Vec<(Id, String)>,
    ) -> Day {
        let names: Vec<String> = sensors.iter().map(|sensor| sensor.id.to_string()).collect();
        let signal = |name: &String| Signal {
            name: name.clone(),
            level: 20.0,
            noise: Some(Noise { std: 0.3, phi: 0.0 }),
            faults: faults
                .iter()
                .filter(|(of, ..)| of == name)
                .map(|(_, kind, at, until)| Fault {
                    at: Duration::from_secs(*at),
                    until: Some(Duration::from_secs(*until)),
                    kind: *kind,
                })
                .collect(),
            ..Signal::default()
        };
        let mut it = Calibrator::new(HashMap::new(), OnExpired::Keep);
        let generator = Generator::new(names.iter().map(signal).collect(), SECOND, 7);
        it.resume(learnt);
        sensors.into_iter().for_each(|sensor| it.add(Arc::new(sensor)));
        let alerts = Alerts::new(Policy::default(), stored);
        Day { it, generator, names, alerts, second: 0, log: Vec::new(), events: 0, has_room: true }
    }

    fn now(&self) -> Timestamp {
        Timestamp::EPOCH.saturating_add_micros(self.second * 1_000_000)
    }

    fn until(&mut self, second: i64) {
        let mut values = Vec::new();
        while self.second < second {
            let now = self.now();
            self.it.pass(Duration::from_secs(self.second as u64));
            self.generator.next_into(&mut values);
            for (name, raw) in self.names.iter().zip(&values) {
                if raw.is_none() {
                    continue;
                }
                let sample = Sample {
                    sensor: id(name),
                    device_time: None,
                    gateway_time: now,
                    raw: *raw,
                    u: None,
                    event: None,
                    ack: None,
                };
                self.it.reading(&sample, 1, Moment { now, trusted: true }).unwrap();
            }
            self.it.look(now);
            self.it.findings();
            self.judge();
            self.second += 1;
        }
    }

    fn judge(&mut self) {
        let (now, has_room) = (self.now(), self.has_room);
        let mut events = vec![Event::Tick];
        self.it.judge(now, &mut |judgement| {
            let Judgement { sensor, kind, finding, .. } = judgement;
            if has_room {
                let finding = finding.map(Box::new);
                events.push(Event::Judged {
                    sensor: sensor.id.clone(),
                    kind,
                    source: None,
                    cohort: None,
                    finding,
                });
            }
            has_room
        });
        self.events += events.len() - 1;
        for event in events {
            for action in self.alerts.apply(event, now).unwrap() {
                let (what, alert) = match action {
                    Action::Raise(alert) => ("raised", alert),
                    Action::Clear(alert) => ("cleared", alert),
                    _ => continue,
                };
                self.log.push((self.second, what, alert.cause.to_string()));
            }
        }
    }

    /// Whether exactly this became of alerts, in any order.
    fn is(&self, expected: &[(i64, &'static str, &str)]) {
        let mut expected: Vec<_> =
            expected.iter().map(|(at, what, cause)| (*at, *what, (*cause).to_owned())).collect();
        let mut log = self.log.clone();
        expected.sort();
        log.sort();
        assert_eq!(log, expected);
    }
}

#[test]
fn a_game_day_raises_and_clears_exactly_the_right_alerts() {
    let faults = [
        ("frozen", FaultKind::Stuck, 3000, 3500),
        ("cut", FaultKind::Gap, 3000, 3300),
        ("loud", FaultKind::Noise(10.0), 3000, 3600),
        ("ref", FaultKind::Stuck, 3000, 3400),
        ("d", FaultKind::Step(5.0), 3000, 3600),
    ];
    let mut sensors = vec![sensor("frozen", None), sensor("cut", None), sensor("loud", None)];
    sensors.extend([sensor("ref", None), sensor("low", Some("ref")), sensor("calm", None)]);
    sensors.extend(["a", "b", "c", "d"].map(|name| sensor(name, None)));
    let mut day = Day::new(&faults, sensors, Stored::default());
    let limits = PeerLimits { max_age: 60 * SECOND, learn: LEARN, tolerance: Some(2.0) };
    let members = ["a", "b", "c", "d"].map(id).to_vec();
    day.it.compare(vec![PeersConfig { name: id("hall"), sensors: members, unit: "Cel".into(), limits }]);
    day.until(3000);
    day.is(&[]);
    // Each of the ten was told once about each of eleven kinds that nothing is the matter.
    assert_eq!(day.events, 10 * 11);
    day.until(6000);
    day.is(&[
        // 20 readings after the one that comes again and again, and a minute; over for 15 minutes.
        (3079, "raised", "stuck frozen"),
        (4400, "cleared", "stuck frozen"),
        (3065, "raised", "silent cut"),
        (3360, "cleared", "silent cut"),
        // At the end of a window of 30 changes.
        (3090, "raised", "noise loud"),
        (4530, "cleared", "noise loud"),
        (3079, "raised", "stuck ref"),
        (4300, "cleared", "stuck ref"),
        (3079, "raised", "reference low"),
        (4300, "cleared", "reference low"),
        (3091, "raised", "peers d"),
        (4555, "cleared", "peers d"),
    ]);
    let frozen = day.alerts.alerts().find(|alert| alert.cause.to_string() == "stuck frozen").unwrap();
    assert!(frozen.message.starts_with("frozen has given "), "{}", frozen.message);
    assert!(frozen.message.ends_with("since 1970-01-01 00:49:59Z"), "{}", frozen.message);
}

#[test]
fn a_sensor_that_never_speaks_is_silent_and_one_that_is_unwatched_is_not() {
    let unwatched = Sensor { monitor: None, ..sensor("b", None) };
    let faults = [("a", FaultKind::Gap, 0, 9999), ("b", FaultKind::Gap, 0, 9999)];
    let mut day = Day::new(&faults, vec![sensor("a", None), unwatched], Stored::default());
    day.until(200);
    day.is(&[(66, "raised", "silent a")]);
    day.it.follow(|_| None);
    day.until(400);
    assert_eq!(day.log.len(), 1, "a sensor that is gone is not judged");
}

#[test]
fn what_is_over_after_a_restart_is_told_and_what_is_not_known_is_not() {
    let faults = [("a", FaultKind::Stuck, 2000, 9999), ("b", FaultKind::Noise(10.0), 2010, 9999)];
    let sensors = || vec![sensor("a", None), sensor("b", None)];
    let mut day = Day::new(&faults, sensors(), Stored::default());
    day.until(2200);
    day.is(&[(2079, "raised", "stuck a"), (2100, "raised", "noise b")]);
    let still = [("a", FaultKind::Stuck, 0, 300)];
    let mut after = Day::new(&still, sensors(), day.alerts.stored().clone());
    after.second = 3000;
    after.until(6000);
    // A second value shows at once that it is not stuck; what noise is usual is known after 1,200 seconds only.
    after.is(&[(3300 + 900, "cleared", "stuck a"), (4200 + 900, "cleared", "noise b")]);
}

#[test]
fn what_found_no_room_is_told_at_the_next_look_and_what_stands_each_minute() {
    let faults = [("a", FaultKind::Stuck, 2000, 2500)];
    let mut day = Day::new(&faults, vec![sensor("a", None)], Stored::default());
    day.until(2000);
    let before = day.events;
    day.has_room = false;
    day.until(2100);
    assert_eq!(day.events, before);
    day.has_room = true;
    day.until(2101);
    assert_eq!(day.events, before + 1);
    day.until(2161);
    assert_eq!(day.events, before + 2);
    day.until(3500);
    // Each minute from 2,100 to 2,460, and that it is over.
    assert_eq!(day.events, before + 7 + 1);
}

#[test]
fn another_instrument_ends_what_stood_against_the_one_before() {
    let faults = [("a", FaultKind::Stuck, 2000, 9999)];
    let mut day = Day::new(&faults, vec![sensor("a", None)], Stored::default());
    day.until(2200);
    let mounted = Arc::new(Sensor { serial: Some("2".into()), ..sensor("a", None) });
    day.it.follow(|_| Some(mounted.clone()));
    day.until(3200);
    day.is(&[(2079, "raised", "stuck a"), (3100, "cleared", "stuck a")]);
}

#[test]
fn a_sensor_in_maintenance_is_not_judged() {
    let faults = [("a", FaultKind::Gap, 100, 9999)];
    let mut day = Day::new(&faults, vec![sensor("a", None)], Stored::default());
    day.until(100);
    day.it.maintain(id("a"), true);
    day.until(500);
    day.is(&[]);
    day.it.maintain(id("a"), false);
    day.until(600);
    day.is(&[(560, "raised", "silent a")]);
}

/// Every 1,000 seconds, for 100 of them.
fn check(name: &str, kind: CheckKind, target: f64) -> Check {
    let schedule = Schedule::new(1000 * SECOND, Duration::ZERO, 100 * SECOND, 10 * SECOND).unwrap();
    let limits = ControlLimits::new(kind, target, 0.5, 2.0).unwrap();
    Check { name: id(name), limits, schedule, least: 5 }
}

#[test]
fn a_check_out_of_its_limits_is_an_alert_until_one_is_good() {
    let checks = vec![check("zero", CheckKind::Zero, 20.0), check("scatter", CheckKind::Precision, 0.0)];
    let checked = Sensor { checks: checks.into(), ..sensor("a", None) };
    // Off by 5 during the check at 2,000, and the one at 5,000 gives three readings after settling.
    let faults = [("a", FaultKind::Step(5.0), 1990, 2110), ("a", FaultKind::Gap, 5013, 5100)];
    let mut day = Day::new(&faults, vec![checked], Stored::default());
    day.until(2100);
    day.is(&[]);
    day.until(8000);
    // Noise of the standard deviation 0.3 is well inside.
    day.is(&[
        (2160, "raised", "zero_check a"),
        (4000, "cleared", "zero_check a"),
        (5078, "raised", "silent a"),
        (5160, "cleared", "silent a"),
        (5160, "raised", "zero_check a"),
        (5160, "raised", "precision_check a"),
        (7000, "cleared", "zero_check a"),
        (7000, "cleared", "precision_check a"),
    ]);
    let outcomes = day.it.outcomes();
    assert_eq!(outcomes.len(), 2 * 8);
    let of = |at: usize| (outcomes[at].1.state, outcomes[at].1.readings);
    assert_eq!((of(0), of(4), of(10)), ((Some(CheckState::Ok), 90), (Some(CheckState::Out), 90), (None, 3)));
    // Other checks, or none: what the ones before found is gone.
    day.it.follow(|_| Some(Arc::new(sensor("a", None))));
    day.until(8010);
    assert_eq!(day.log.len(), 8);
}

#[test]
fn many_sensors_are_judged_a_few_at_a_time_and_none_is_forgotten() {
    let sensors = (0..100).map(|n| Sensor { monitor: None, ..sensor(&format!("s{n}"), None) }).collect();
    let mut day = Day::new(&[], sensors, Stored::default());
    for (second, events) in [(1, 256), (2, 512), (3, 768), (4, 1024), (5, 1100), (9, 1100)] {
        day.until(second);
        assert_eq!(day.events, events);
    }
}

#[test]
fn other_checks_or_peers_are_no_reason_to_say_that_what_stood_is_over() {
    let checks = vec![check("zero", CheckKind::Zero, 20.0), check("scatter", CheckKind::Precision, 0.0)];
    let checked = Sensor { checks: checks.clone().into(), ..sensor("a", None) };
    let hall = |names: &[&str]| {
        let limits = PeerLimits { max_age: 60 * SECOND, learn: LEARN, tolerance: Some(2.0) };
        PeersConfig {
            name: id("hall"),
            sensors: names.iter().map(|name| id(name)).collect(),
            unit: "Cel".into(),
            limits,
        }
    };
    let faults = [("a", FaultKind::Step(5.0), 1990, 9999)];
    let sensors = vec![checked, sensor("b", None), sensor("c", None), sensor("d", None)];
    let mut day = Day::new(&faults, sensors, Stored::default());
    day.it.compare(vec![hall(&["a", "b", "c"])]);
    day.until(2300);
    let raised = [(2181, "raised", "peers a"), (2160, "raised", "zero_check a")];
    day.is(&raised);
    let follow = |day: &mut Day, checks: Vec<Check>| {
        let checked = Arc::new(Sensor { checks: checks.into(), ..sensor("a", None) });
        let others = ["b", "c", "d"].map(|name| Arc::new(sensor(name, None)));
        day.it.follow(|id| {
            let all = std::iter::once(&checked).chain(&others);
            all.into_iter().find(|sensor| sensor.id == *id).cloned()
        });
    };
    // The zero check is the same; then it is another, which has no result yet; members change.
    let two = vec![checks[0].clone(), check("span", CheckKind::Span, 25.0)];
    follow(&mut day, two);
    day.it.compare(vec![hall(&["a", "b", "c", "d"])]);
    day.until(2320);
    follow(&mut day, vec![Check { least: 6, ..checks[0].clone() }]);
    let before = day.events;
    day.until(2340);
    assert!(day.events < before + 3, "only what stands is told");
    day.until(2990);
    day.is(&raised);
    // Without checks nothing can stand.
    follow(&mut day, vec![]);
    day.it.compare(vec![]);
    day.until(5000);
    assert_eq!(day.log.iter().filter(|(_, what, _)| *what == "cleared").count(), 2);
}

#[test]
fn what_is_usual_survives_a_restart_and_a_fault_does_not_become_it() {
    let faults = [("b", FaultKind::Noise(10.0), 2010, 9999)];
    let sensors = || vec![sensor("a", None), sensor("b", None)];
    let mut day = Day::new(&faults, sensors(), Stored::default());
    day.until(2200);
    day.is(&[(2100, "raised", "noise b")]);
    let learnt = day.it.learnt(0..9).into_iter().map(|(sensor, state)| (sensor, state.unwrap())).collect();
    let still = [("b", FaultKind::Noise(10.0), 0, 3000), ("a", FaultKind::Noise(10.0), 300, 3000)];
    let mut after = Day::resumed(&still, sensors(), day.alerts.stored().clone(), learnt);
    after.second = 3000;
    // Far longer than the learning.
    after.until(6000);
    assert_eq!(after.log.len(), 1, "{:?}", after.log);
    assert_eq!((after.log[0].1, &*after.log[0].2), ("raised", "noise a"));
    assert!((3300 + 60..3300 + 150).contains(&after.log[0].0), "{:?}", after.log);
    after.until(8000);
    assert_eq!(after.log.iter().filter(|(_, what, _)| *what == "cleared").count(), 2);
}
