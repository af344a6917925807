//! What goes wrong, and what is said then.

use super::*;
use crate::domain::reference::ReferenceError;

fn typed(value: f64, unit: &str, u: Option<f64>, standard: Option<Standard>) -> Event {
    let given = Given { value, unit: Some(unit.to_owned()), u, ..Given::default() };
    Event::Point(Box::new(PointOrder { role: Role::Span, against: Against::Stated(given), standard }))
}

#[test]
fn a_reference_is_checked_before_anything_is_measured() {
    let mut bench = Bench::new(Mode::Adjust);
    let other = bench.tell(typed(20.0, "Cel", Some(0.1), None)).unwrap_err();
    assert!(matches!(&other, Fault::Reference { error: ReferenceError::OtherUnit { .. }, .. }), "{other}");
    assert!(other.to_string().contains("give the value in a unit of its kind"), "{other}");
    let outside = bench.tell(typed(20_000.0, "mg/m3", Some(0.1), None)).unwrap_err().to_string();
    assert!(outside.contains("outside 0 to 30 mg/m3") && outside.contains("check the unit"), "{outside}");
    let unsure = bench.tell(typed(20.0, "mg/m3", None, None)).unwrap_err();
    assert_eq!(unsure, Fault::NoReferenceUncertainty { sensor: id("co-1") });
    let due = Timestamp::EPOCH.saturating_add_micros(-1);
    let old = Standard { due: Some(due), ..cylinder("c-20", 20.0) };
    let overdue = bench.tell(typed(20.0, "mg/m3", None, Some(old))).unwrap_err().to_string();
    assert!(overdue.contains("take one that is not overdue"), "{overdue}");
    // what converts is converted, and remembered as it was typed
    bench.tell(typed(20_000.0, "ug/m3", Some(200.0), None)).unwrap();
    let offered = &bench.session.measuring.as_ref().unwrap().offered;
    assert_eq!(offered.given, Some((20_000.0, "ug/m3".to_owned())));
    assert!((offered.value - 20.0).abs() < 1e-12 && (offered.u - 0.2).abs() < 1e-12);
    let busy = bench.tell(typed(20.0, "mg/m3", Some(0.1), None));
    assert_eq!(busy, Err(Fault::Busy(id("co-1"))));
}

#[test]
fn a_sensor_that_never_settles_is_given_up_with_advice() {
    let mut bench = Bench::new(Mode::Adjust);
    bench.fault = |x| x;
    bench.order(Role::Span, 0.0).unwrap();
    while bench.session.measuring.is_some() {
        bench.offered = bench.passed / 100.0;
        bench.second();
    }
    assert!((bench.passed - patience(30.0)).abs() < 2.0, "{}", bench.passed);
    let told = bench.told()[0].to_string();
    assert!(told.contains("it changes by 0.3") && told.contains("check flow, leaks"), "{told}");
    assert!(bench.session.as_found.is_empty() && bench.session.told.is_some());
    bench.points(&[10.0]);
    assert_eq!((bench.session.as_found.len(), bench.session.told.clone()), (1, None));
}

#[test]
fn a_sensor_unplugged_in_the_middle_begins_its_point_anew() {
    let mut bench = Bench::new(Mode::Adjust);
    bench.order(Role::Span, 10.0).unwrap();
    (0..100).for_each(|_| bench.second());
    for _ in 0..40 {
        bench.passed += 1.0;
        let reading = Reading { unusable: Some("missing".to_owned()), ..Reading::default() };
        bench.tell(Event::Reading(reading)).unwrap();
    }
    assert_eq!(bench.told().len(), 1);
    let told = bench.told()[0].to_string();
    assert!(told.contains("no usable reading of co-1 for 31 s (only missing): check its cable"), "{told}");
    let again = bench.passed;
    while bench.session.measuring.is_some() {
        bench.second();
    }
    assert!(bench.passed - again >= 120.0, "the dwell begins again");
    // and one that stays away ends with the same advice
    bench.order(Role::Span, 10.0).unwrap();
    while bench.session.measuring.is_some() {
        bench.passed += 10.0;
        bench.tell(Event::Tick).unwrap();
    }
    assert!(matches!(bench.told().last(), Some(Fault::SensorSilent { .. })));
}

#[test]
fn a_reference_source_that_says_nothing_is_named() {
    let mut bench = Bench::new(Mode::Adjust);
    let against = Against::Source { sensor: id("co-ref"), unit: "mg/m3".to_owned(), u: Some(0.1) };
    let order = PointOrder { role: Role::Span, against, standard: None };
    bench.tell(Event::Point(Box::new(order))).unwrap();
    (0..60).for_each(|_| bench.second());
    let told = bench.told()[0].to_string();
    assert!(told.contains("no value of the reference source co-ref"), "{told}");
    assert_eq!(bench.told().len(), 1);
}

#[test]
fn two_technicians_do_not_get_into_each_others_way() {
    let mut bench = Bench::new(Mode::Adjust);
    let refused = bench.session.refuse_another().to_string();
    assert!(refused.contains("co-1 has a session already: s-1") && refused.contains("by ada"), "{refused}");
    let held = bench.tell_as("bob", Event::Finish).unwrap_err().to_string();
    assert!(held.contains("in the hands of ada") && held.contains("--resume"), "{held}");
    let seen = bench.session.revision;
    bench.tell_as("bob", Event::Resume).unwrap();
    assert!(matches!(bench.tell(Event::Finish), Err(Fault::HeldBy { .. })));
    assert!(bench.session.check_revision(Some(seen)).unwrap_err().to_string().contains("look at it again"));
    assert_eq!(bench.session.check_revision(Some(seen + 1)), Ok(()));
    assert_eq!(bench.session.holder(), "bob");
}

#[test]
fn a_clock_that_is_not_to_be_believed_has_to_be_accepted() {
    let at = At { time: Timestamp::EPOCH, passed: Duration::ZERO, by: "ada" };
    let plan = Plan { clock_trusted: false, ..plan(Mode::Adjust) };
    let refused = Session::open(id("s-1"), plan.clone(), &at, false).unwrap_err().to_string();
    assert!(refused.contains("timedatectl set-time") && refused.contains("--untrusted-clock"), "{refused}");
    assert!(Session::open(id("s-1"), plan, &at, true).is_ok());
}

#[test]
fn a_clock_that_jumps_changes_dates_and_no_durations() {
    let mut bench = Bench::new(Mode::Adjust);
    bench.order(Role::Span, 10.0).unwrap();
    (0..50).for_each(|_| bench.second());
    bench.wall = 86_400.0;
    let before = bench.passed;
    while bench.session.measuring.is_some() {
        bench.second();
    }
    assert!((bench.passed - before - 70.0).abs() < 5.0, "{}", bench.passed - before);
    assert_eq!(bench.told().len(), 1, "{:?}", bench.told());
    let point = &bench.session.as_found[0];
    assert!(point.clock_stepped);
    assert!((point.ended.micros_since(point.began) as f64 / 1e6 - 120.0).abs() < 6.0);
}

#[test]
fn a_refused_key_leads_back_to_the_preview() {
    let mut bench = Bench::new(Mode::Adjust);
    bench.points(&[0.0, 20.0]);
    bench.fit("auto").unwrap();
    assert!(matches!(
        bench.tell(Event::Approve { envelope: "{}".to_owned(), gateway_key: false }),
        Err(Fault::NoEnvelope(_))
    ));
    let key = PrivateKey::from_seed(&[7; 32]).unwrap();
    let other = String::from_utf8(sign(&payload_type("transform"), factory().as_bytes(), &[key])).unwrap();
    let wrong = bench.tell(Event::Approve { envelope: other, gateway_key: false }).unwrap_err().to_string();
    assert!(wrong.contains("sign the file of this preview"), "{wrong}");
    bench.tell(Event::Approve { envelope: bench.signed(), gateway_key: false }).unwrap();
    assert!(matches!(bench.tell(Event::Finish), Err(Fault::NotNow { .. })));
    let (reason, message) = ("out_of_scope".to_owned(), "no scope covers co-1".to_owned());
    bench.tell(Event::Declined(reason, message)).unwrap();
    assert_eq!((bench.session.stage, bench.session.approval.is_none()), (Stage::Preview, true));
    let told = bench.told().last().unwrap().to_string();
    assert!(told.contains("(out_of_scope): no scope covers co-1; this key may not do that"), "{told}");
    bench.activate();
    assert_eq!(bench.session.stage, Stage::AsLeft);
}

#[test]
fn a_push_of_the_fleet_waits_and_is_told_once() {
    let mut bench = Bench::new(Mode::Adjust);
    for _ in 0..2 {
        bench.tell_as("mqtt", Event::PushWaits(id("co-electrochemical"), 8)).unwrap();
    }
    assert_eq!(bench.told().len(), 1);
    assert!(bench.told()[0].to_string().contains("it waits until this session ends"));
    bench.tell(Event::Abort("enough".to_owned())).unwrap();
    bench.tell_as("mqtt", Event::PushWaits(id("co-electrochemical"), 9)).unwrap();
    assert_eq!(bench.told().len(), 1);
}

#[test]
fn another_transform_in_the_middle_of_a_point_begins_it_anew() {
    let mut bench = Bench::new(Mode::Adjust);
    bench.order(Role::Span, 10.0).unwrap();
    (0..100).for_each(|_| bench.second());
    bench.runs.as_mut().unwrap().0 = Digest([9; 32]);
    bench.second();
    assert_eq!(bench.told(), [&Fault::TransformChanged { sensor: id("co-1") }]);
    while bench.session.measuring.is_some() {
        bench.second();
    }
    bench.tell(Event::Finish).unwrap();
    assert_eq!(bench.fit("auto").unwrap_err(), Fault::AnotherInForce { sensor: id("co-1") });
}

#[test]
fn an_abort_puts_back_what_ran() {
    let before = |stage: Stage| {
        let mut bench = Bench::new(Mode::Adjust);
        bench.points(&[0.0, 20.0]);
        if stage == Stage::Found {
            return bench;
        }
        bench.fit("auto").unwrap();
        if stage != Stage::Preview {
            bench.activate();
        }
        bench
    };
    for stage in [Stage::Found, Stage::Preview] {
        let mut bench = before(stage);
        bench.tell_as("bob", Event::Abort("rain".to_owned())).unwrap();
        assert_eq!((bench.session.stage, bench.effects.last()), (Stage::Ended, Some(&Effect::Flag(false))));
    }
    let mut bench = before(Stage::AsLeft);
    bench.tell(Event::Abort("rain".to_owned())).unwrap();
    let back = Effect::Restore(Some(digest_of(&factory())));
    assert_eq!((bench.session.stage, bench.effects.last()), (Stage::Reverting, Some(&back)));
    assert_eq!(bench.session.pending(), Some(back));
    bench.tell(Event::NotRestored("the ledger is full".to_owned())).unwrap();
    assert!(bench.told().last().unwrap().to_string().contains("abort again"));
    bench.tell(Event::Restored).unwrap();
    assert_eq!(bench.session.stage, Stage::Ended);
    assert!(matches!(&bench.session.ended, Some((Ending::Aborted { reason }, _)) if reason == "rain"));
    // Root may have put something else there where the way back is barred.
    let mut bench = before(Stage::AsLeft);
    bench.tell(Event::Abort("rain".to_owned())).unwrap();
    bench.tell(Event::Replaced(digest_of("another"))).unwrap();
    assert_eq!(bench.session.stage, Stage::Ended);
    let named = |it: &&Effect| matches!(it, Effect::Audit("session.restored", detail) if detail["in_force"]["digest"] == digest_of("another").to_string());
    assert_eq!(bench.effects.iter().filter(named).count(), 1);
}

#[test]
fn a_pause_keeps_what_is_there_and_readings_do_not_count() {
    let mut bench = Bench::new(Mode::Adjust);
    bench.points(&[0.0]);
    bench.tell(Event::Undo).unwrap();
    bench.order(Role::Span, 20.0).unwrap();
    (0..100).for_each(|_| bench.second());
    bench.tell(Event::Pause).unwrap();
    assert_eq!(bench.tell(Event::Finish), Err(Fault::Paused(id("co-1"))));
    bench.passed += 100_000.0;
    (0..200).for_each(|_| bench.second());
    assert!(bench.session.measuring.is_some());
    bench.tell(Event::Resume).unwrap();
    let resumed = bench.passed;
    while bench.session.measuring.is_some() {
        bench.second();
    }
    assert!((bench.passed - resumed - 120.0).abs() < 6.0);
    assert!(bench.told().is_empty(), "{:?}", bench.told());
}

#[test]
fn plans_that_make_no_sense_are_refused() {
    let at = At { time: Timestamp::EPOCH, passed: Duration::ZERO, by: "ada" };
    let open = |change: fn(&mut Plan)| {
        let mut plan = plan(Mode::Adjust);
        change(&mut plan);
        Session::open(id("s-1"), plan, &at, false).map(drop).unwrap_err().to_string()
    };
    type Change = fn(&mut Plan);
    let cases: [(Change, &str); 6] = [
        (|plan| plan.response_seconds = 0.0, "t90 of the session of co-1 is 0: expected a number above 0"),
        (|plan| plan.level = 1.0, "the level"),
        (|plan| plan.patience_seconds = 100.0, "more than four response times"),
        (|plan| plan.range = Some([3.0, 1.0]), "a higher end"),
        (|plan| plan.max_drift = Some(f64::NAN), "the largest drift"),
        (|plan| plan.words.customer = Some("\n".to_owned()), "the customer"),
    ];
    for (change, said) in cases {
        let message = open(change);
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn every_stage_says_what_may_be_done() {
    use Stage::{Approved, AsFound, AsLeft, Ended, Found, Left, Preview, Reverting};
    for stage in [AsFound, Found, Preview, Approved, AsLeft, Left, Reverting, Ended] {
        for event in [
            Event::Finish,
            Event::Discard,
            Event::Approve { envelope: String::new(), gateway_key: false },
            Event::End(None),
        ] {
            let mut bench = Bench::new(Mode::Adjust);
            bench.session.stage = stage;
            if let Err(fault @ Fault::NotNow { .. }) = bench.tell(event) {
                let message = fault.to_string();
                assert!(message.contains(stage.words(Mode::Adjust).1), "{message}");
            }
        }
    }
}

#[test]
fn a_method_that_a_handful_of_points_can_not_carry_is_refused_and_another_goes_on() {
    let mut bench = Bench::new(Mode::Adjust);
    bench.fault = |x| x + 1.0;
    bench.points(&[0.0, 10.0, 20.0]);
    for (method, said) in
        [("york", "take offset, affine"), ("isotonic", "take offset, affine"), ("best", "no method `best`")]
    {
        let fault = bench.fit(method).unwrap_err().to_string();
        assert!(fault.contains("co-1") && fault.contains(method) && fault.contains(said), "{fault}");
    }
    assert_eq!(bench.fit("piecewise:2").unwrap().method, "piecewise:2");
}

#[test]
fn a_reference_is_what_its_standard_is_certified_for_or_says_how_uncertain_it_is() {
    let mut bench = Bench::new(Mode::Adjust);
    let certified = || Some(cylinder("c-20", 20.0));
    for (value, unit) in [(20.0, "ug/m3"), (2.0, "mg/m3"), (21.0, "mg/m3")] {
        let said = bench.tell(typed(value, unit, None, certified())).unwrap_err().to_string();
        let both = format!("{value} {unit} is not what the standard c-20 is certified for, 20 mg/m3");
        assert!(said.contains(&both) && said.contains("give an uncertainty"), "{said}");
    }
    let said = bench.tell(typed(20.0, "mg/m3", None, Some(cylinder("zero", 0.0)))).unwrap_err().to_string();
    assert!(said.contains("certified for, 0 mg/m3"), "{said}");
    bench.tell(typed(2.0, "mg/m3", Some(0.1), certified())).unwrap();
    bench.tell(Event::Undo).unwrap();
    bench.tell(typed(20_100.0, "ug/m3", None, certified())).unwrap();
}

#[test]
fn a_standard_that_was_recorded_anew_is_another_one() {
    let mut bench = Bench::new(Mode::Adjust);
    bench.point(Role::Zero, 0.0);
    bench.point(Role::Span, 20.0);
    let mut anew = cylinder("c-20", 20.0);
    anew.values[0].u = Some(0.5);
    let said = bench.tell(typed(20.0, "mg/m3", None, Some(anew.clone()))).unwrap_err().to_string();
    assert!(
        said.contains("the standard c-20 was recorded anew") && said.contains("open a new one"),
        "{said}"
    );
    assert_eq!(bench.session.standards[1], cylinder("c-20", 20.0));
    bench.tell(typed(20.0, "mg/m3", None, Some(cylinder("c-20", 20.0)))).unwrap();
    bench.tell(Event::Undo).unwrap();
    // Once nothing rests on it, what is new of it counts.
    bench.tell(Event::Undo).unwrap();
    bench.tell(typed(20.0, "mg/m3", None, Some(anew.clone()))).unwrap();
    assert_eq!(bench.session.standards, [cylinder("c-0", 0.0), anew]);
}

#[test]
fn what_is_too_uncertain_does_not_pass() {
    for rule in [Rule::GuardBand, Rule::Simple] {
        let mut bench = Bench::with(Plan { rule, ..plan(Mode::SpotCheck) }, Some(factory()));
        bench.fault = |x| x;
        bench.tell(typed(0.0, "mg/m3", Some(0.4), None)).unwrap();
        while bench.session.measuring.is_some() {
            bench.second();
        }
        bench.tell(Event::Finish).unwrap();
        let stated = bench.session.as_found[0].stated.unwrap();
        assert_eq!((bench.session.found(), stated.capable), (Some(Outcome::ConditionalPass), false));
    }
}
