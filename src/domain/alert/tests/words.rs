//! What alerts say while they stand, and of whom.

use super::*;

/// A judgement whose words are others.
fn says(sensor: &str, kind: Kind, severity: Severity, message: &str) -> Event {
    let mut event = judged(sensor, kind, Some(severity));
    if let Event::Judged { finding: Some(finding), .. } = &mut event {
        (finding.message, finding.remedy) = (message.to_owned(), format!("because {message}"));
    }
    event
}

#[test]
fn an_alert_says_what_was_found_last_but_nothing_milder_than_it_is() {
    let mut told = Told::new();
    told.tell(says("co-1", Kind::Slo, Severity::Ticket, "burns at 2"), 0);
    told.tell(Event::Tick, MINUTE);
    let words = |told: &Told| (told.only().message.clone(), told.only().remedy.clone());
    let expected = |text: &str| (text.to_owned(), format!("because {text}"));
    assert_eq!(told.tell(says("co-1", Kind::Slo, Severity::Ticket, "burns at 3"), HOUR), [""; 0], "no news");
    assert_eq!(words(&told), expected("burns at 3"));
    let page = told.tell(says("co-1", Kind::Slo, Severity::Page, "burns at 9"), 2 * HOUR);
    assert_eq!(page, ["update slo co-1", "publish slo co-1"]);
    assert_eq!(words(&told), expected("burns at 9"));
    told.tell(says("co-1", Kind::Slo, Severity::Ticket, "burns at 2"), 3 * HOUR);
    assert_eq!(words(&told), expected("burns at 9"));
    told.tell(says("co-1", Kind::Slo, Severity::Page, "burns at 5"), 4 * HOUR);
    told.tell(judged("co-1", Kind::Slo, None), 5 * HOUR);
    told.tell(Event::Tick, 6 * HOUR);
    assert_eq!((told.only().cleared, words(&told)), (Some(at(6 * HOUR)), expected("burns at 5")));
}

#[test]
fn an_alert_about_several_sensors_says_how_many_there_are_now() {
    let mut told = Told::new();
    for sensor in ["a", "b", "c"] {
        told.tell(says(sensor, Kind::Silent, Severity::Ticket, "silent for 51 s"), 0);
    }
    told.tell(Event::Tick, MINUTE);
    assert_eq!(told.only().message, "3 sensors of the source line1 (a, b, c): silent for 51 s");
    told.tell(says("b", Kind::Silent, Severity::Ticket, "silent for 2 h"), 2 * HOUR);
    assert_eq!(told.only().message, "3 sensors of the source line1 (a, b, c): silent for 2 h");
    told.tell(says("d", Kind::Silent, Severity::Page, "silent for 1 min"), 2 * HOUR);
    told.tell(Event::Tick, 2 * HOUR + MINUTE);
    assert_eq!(told.only().message, "4 sensors of the source line1 (a, b, c, ...): silent for 1 min");
    assert_eq!(told.only().severity, Severity::Page);
    told.tell(judged("a", Kind::Silent, None), 3 * HOUR);
    told.tell(Event::Tick, 3 * HOUR + MINUTE);
    assert_eq!(told.only().message, "3 sensors of the source line1 (b, c, d): silent for 1 min");
}

#[test]
fn a_sensor_that_an_alert_has_no_room_to_name_is_told_of_all_the_same() {
    let mut told = Told::new();
    let name = |index: usize| format!("s{index:03}");
    for index in 0..MOST_SENSORS + 1 {
        told.tell(judged(&name(index), Kind::Drift, Some(Severity::Ticket)), 0);
    }
    told.tell(Event::Tick, MINUTE);
    let last = id(&name(MOST_SENSORS));
    assert!(!told.only().sensors.contains(&last));
    assert_eq!(told.0.about(&last).count(), 1);
    assert_eq!(told.0.about(&id("other")).count(), 0);
    let answered = told.tell(Event::Activated { sensor: last }, HOUR);
    assert_eq!(answered, ["update drift source:line1", "publish drift source:line1"]);
}

#[test]
fn a_transform_answers_what_stands_and_a_clock_that_is_behind_counts_no_time() {
    let mut told = Told::new();
    told.tell(judged("co-1", Kind::Drift, Some(Severity::Ticket)), 0);
    told.tell(Event::Tick, MINUTE);
    told.tell(judged("co-1", Kind::Drift, None), 2 * MINUTE);
    told.tell(Event::Tick, 2 * HOUR);
    assert_eq!(told.tell(Event::Activated { sensor: id("co-1") }, 3 * HOUR), [""; 0], "it was over before");
    told.acknowledge(None, 3 * HOUR);
    told.tell(judged("co-1", Kind::Drift, Some(Severity::Ticket)), 4 * HOUR);
    told.tell(Event::Tick, 5 * HOUR);
    let answered = told.tell(Event::Activated { sensor: id("co-1") }, -400 * 24 * HOUR);
    assert_eq!((answered[0].as_str(), told.0.tally().calibration.count), ("update drift co-1", 0));
}

#[test]
fn what_nobody_has_seen_is_not_published_when_its_dates_change() {
    let mut told = Told::new();
    told.tell(stuck("co-1"), 0);
    told.tell(Event::Tick, MINUTE);
    let silence = Silence { until: at(4 * HOUR), by: "ada".to_owned(), reason: "known".to_owned() };
    told.tell(Event::Silenced { id: told.only().id.clone(), silence }, MINUTE);
    told.tell(well("co-1"), 2 * MINUTE);
    told.tell(Event::Tick, HOUR);
    told.acknowledge(None, HOUR);
    told.tell(stuck("co-1"), HOUR);
    assert_eq!(told.tell(Event::Tick, HOUR + MINUTE), ["raise stuck co-1"]);
    told.tell(well("co-1"), HOUR + MINUTE);
    assert_eq!(told.tell(Event::Tick, 2 * HOUR), ["clear stuck co-1"]);
    told.tell(Event::Tick, 4 * HOUR);
    assert_eq!(words(&told.0.clock_set(at(0), at(4 * HOUR), HOUR)), ["update stuck co-1"]);
    assert_eq!(told.acknowledge(None, 5 * HOUR), ["update stuck co-1"]);
}

#[test]
fn what_is_of_the_gateway_is_of_no_sensor() {
    let mut told = Told::new();
    let ends = |severity| judged("gw-1", Kind::RootExpiry, severity);
    let raised = ["raise root_expiry gateway", "publish root_expiry gateway"];
    assert_eq!(told.tell(ends(Some(Severity::Ticket)), 0), raised);
    assert_eq!((told.only().sensors.as_slice(), told.only().count), (&[][..], 0));
    assert_eq!(told.only().cause.to_string().parse(), Ok(told.only().cause.clone()));
    assert!("root_expiry co-1:x".parse::<Cause>().is_err() && "drift gateway".parse::<Cause>().is_ok());
    // A sensor of that name is another matter.
    assert_eq!(told.0.found_at().count(), 0);
    assert_eq!(told.tell(Event::Removed { sensor: id("gw-1") }, SECOND), [""; 0]);
    assert_eq!(told.tell(ends(Some(Severity::Ticket)), HOUR), [""; 0], "no news");
    let cleared = ["clear root_expiry gateway", "publish root_expiry gateway"];
    assert_eq!(told.tell(ends(None), 2 * HOUR), cleared);
}
