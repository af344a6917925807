//! Certificates of sessions.

use super::*;
use crate::domain::certificate::fixtures::{GATEWAY, TECHNICIAN, about, key, time};
use crate::domain::certificate::{
    Certificate, CertificateError, Facts, Office, Party, Person, numbered, of_session, series,
};

fn office() -> Office {
    let about = about();
    Office {
        title: about.title,
        coverage_probability: 0.95,
        rule: Rule::GuardBand,
        agreement: Some("contract 7".to_owned()),
        laboratory: about.laboratory,
        customer: about.customer,
        location: about.location,
        method: about.method,
    }
}

fn issued(session: &Session) -> Result<Certificate, CertificateError> {
    let gateway = key(GATEWAY);
    let facts = Facts {
        number: numbered(&series(&session.plan.gateway, time("2026-05-04T12:00:00Z")), 7),
        issued: time("2026-05-04T12:00:00Z"),
        gateway: gateway.public(),
        technicians: vec![key(TECHNICIAN).public().id()],
        held: vec![],
        author: Person { name: "Ada".to_owned(), function: None },
    };
    of_session(session, &office(), facts)
}

/// A drifted sensor that was adjusted, its last round judged.
fn adjusted(plan: Plan) -> Session {
    let mut bench = Bench::with(plan, Some(factory()));
    bench.points(&[0.0, 8.0, 20.0]);
    bench.fit("auto").unwrap();
    bench.activate();
    bench.points(&[0.0, 20.0]);
    bench.session
}

#[test]
fn what_was_found_and_left_is_certified_as_it_was_judged() {
    let mut plan = plan(Mode::Adjust);
    plan.item.model = Some("b4".to_owned());
    plan.words = Words {
        customer: Some("Plant 9".to_owned()),
        location: Some("at the stack".to_owned()),
        condition: Some("dusty".to_owned()),
        procedure: Some("P-12".to_owned()),
        remarks: vec!["The filter was changed first.".to_owned()],
    };
    let session = adjusted(plan);
    session.can_be_certified().unwrap();
    let certificate = issued(&session).unwrap();
    assert_eq!(Certificate::parse(&certificate.to_payload().unwrap()).unwrap(), certificate);
    let Certificate { about, results, .. } = &certificate;
    let conformity = results.conformity.unwrap();
    assert_eq!((conformity.as_found, conformity.as_left), (session.found(), session.left()));
    assert_eq!((conformity.mpe, conformity.rule), (session.plan.mpe, session.plan.rule));
    let points = session.as_found.iter().chain(&session.as_left);
    assert_eq!(results.points().count(), 5);
    for (stated, point) in results.points().zip(points) {
        assert!((stated.error - point.error.unwrap()).abs() < 1e-9);
        assert!((stated.expanded - point.budget.expanded).abs() < 1e-9 * stated.expanded, "{stated:?}");
        assert_eq!(stated.conformity.unwrap().outcome, point.stated.unwrap().outcome);
        assert_eq!(stated.standard, point.offered.standard);
    }
    assert_eq!((results.as_found[0].role, results.as_found[2].role), (Role::Zero, Role::Span));

    assert_eq!((about.number.as_str(), about.session.as_str()), ("gw-1-2026-0007", "s-1"));
    let customer = Party { name: "Plant 9".to_owned(), ..about.customer.clone().unwrap() };
    assert_eq!((about.customer.as_ref(), customer.address.len()), (Some(&customer), 0));
    assert_eq!(about.location.description, "at the stack");
    assert_eq!(about.item.condition.as_deref(), Some("dusty"));
    assert_eq!(about.item.instrument.as_ref().unwrap().serial, "162741");
    assert_eq!(about.method.description.as_deref(), Some("P-12"));
    assert_eq!(about.deviations, ["The filter was changed first."]);
    assert_eq!(about.standards.len(), 3);
    let condition = &about.conditions[0];
    assert_eq!((about.conditions.len(), condition.name.as_str(), condition.mean), (1, "temperature", 21.0));
    let candidate = session.candidate.as_ref().unwrap();
    assert_eq!(about.transforms.before, session.plan.in_force.as_ref().map(|it| it.digest));
    assert_eq!(about.transforms.after, Some(candidate.digest));
    let curve = about.curve.as_ref().unwrap();
    assert_eq!((curve.raw_unit.as_str(), curve.places.len()), ("nA", candidate.curve.len()));
    // Until when the new transform holds.
    assert_eq!(about.recommended.as_ref().unwrap().at, time("2027-01-01T00:00:00Z"));
}

#[test]
fn a_spot_check_changes_nothing_and_recommends_nothing() {
    let mut bench = Bench::new(Mode::SpotCheck);
    bench.points(&[10.0]);
    let certificate = issued(&bench.session).unwrap();
    let about = &certificate.about;
    assert!(certificate.results.as_left.is_empty() && !about.transforms.adjusted());
    assert_eq!((&about.curve, &about.recommended), (&None, &None));
    assert_eq!(about.customer, office().customer);
    assert_eq!(about.item.instrument, None);
    assert!(about.deviations[0].contains("named by its place only"), "{:?}", about.deviations);
}

#[test]
fn raw_readings_are_named_and_not_stated() {
    let mut plan = plan(Mode::Adjust);
    plan.in_force = None;
    let mut bench = Bench::with(plan, None);
    bench.points(&[0.0, 20.0]);
    let fault = issued(&bench.session).unwrap_err().to_string();
    assert!(fault.contains("no points"), "{fault}");
    bench.fit("auto").unwrap();
    bench.activate();
    bench.points(&[20.0]);
    let certificate = issued(&bench.session).unwrap();
    assert_eq!((certificate.results.as_found.len(), certificate.results.as_left.len()), (0, 1));
    assert_eq!(certificate.about.standards.len(), 1);
    let said = &certificate.about.deviations;
    assert!(said.iter().any(|it| it.contains("were: as found 1, as found 2.")), "{said:?}");
}

#[test]
fn what_went_otherwise_is_stated() {
    let mut session = adjusted(plan(Mode::Adjust));
    session.plan.clock_trusted = false;
    session.as_found[1].clock_stepped = true;
    session.as_found[1].began = session.as_found[1].ended.saturating_add_micros(1);
    session.as_left[0].rejected = 3;
    session.as_left[1].offered.standard = None;
    let said = issued(&session).unwrap().about.deviations;
    for text in [
        "not synchronised",
        "was set during: as found 2.",
        "were left out at: as left 1.",
        "No standard is named for the reference of: as left 2.",
    ] {
        assert!(said.iter().any(|it| it.contains(text)), "{text}: {said:?}");
    }
}

#[test]
fn the_most_that_is_said_on_site_fits_on_a_certificate() {
    let mut plan = plan(Mode::Adjust);
    plan.words.remarks = vec!["x".repeat(500); 8];
    plan.words.customer = Some("x".repeat(128));
    plan.words.procedure = Some("x".repeat(500));
    let mut session = adjusted(plan.clone());
    session.plan.clock_trusted = false;
    for point in session.as_found.iter_mut().chain(&mut session.as_left) {
        (point.clock_stepped, point.rejected, point.offered.standard) = (true, 1, None);
    }
    issued(&session).unwrap();
    for words in [
        Words { remarks: vec!["x".to_owned(); 9], ..Words::default() },
        Words { customer: Some("x".repeat(129)), ..Words::default() },
    ] {
        Plan { words, ..plan.clone() }.check().unwrap_err();
    }
}

#[test]
fn only_a_judged_round_is_certified() {
    let mut bench = Bench::new(Mode::Adjust);
    assert!(bench.session.can_be_certified().unwrap_err().to_string().contains("a certificate"));
    bench.points(&[10.0]);
    bench.session.can_be_certified().unwrap();
    bench.tell(Event::Pause).unwrap();
    assert_eq!(bench.session.can_be_certified(), Err(Fault::Paused(id("co-1"))));
}

#[test]
fn numbers_go_on_beyond_four_digits() {
    let series = series(&id("gw-1"), time("2026-12-31T23:59:59Z"));
    assert_eq!([7, 12_345].map(|at| numbered(&series, at)), ["gw-1-2026-0007", "gw-1-2026-12345"]);
}

#[test]
fn a_certificate_is_of_one_instrument_and_of_what_is_in_force() {
    let session = adjusted(plan(Mode::Adjust));
    let item = session.plan.item.clone();
    let before = session.plan.in_force.as_ref().map(|it| it.digest);
    let left = session.candidate.as_ref().map(|candidate| candidate.digest);
    assert_eq!(session.is_true_of(&item, left), Ok(()));
    let other = Item { serial: Some("999".to_owned()), ..item.clone() };
    let said = session.is_true_of(&other, left).unwrap_err().to_string();
    assert!(said.contains("999 is mounted at co-1 now, and the session was opened for 162741"), "{said}");
    for now in [None, before] {
        let said = session.is_true_of(&item, now).unwrap_err().to_string();
        let now = now.map_or("nothing".to_owned(), |now| now.to_string()[..12].to_owned());
        assert!(said.contains(&format!("in force at co-1 is {now}, and the session left")), "{said}");
    }
    // It was another one in between.
    type Round = fn(&mut Session) -> &mut Vec<Point>;
    let rounds: [Round; 2] = [|it| &mut it.as_found, |it| &mut it.as_left];
    for round in rounds {
        let mut mixed = session.clone();
        round(&mut mixed)[1].transform = Some(Digest([9; 32]));
        assert_eq!(mixed.is_true_of(&item, left), Err(Fault::AnotherInForce { sensor: id("co-1") }));
    }
    let mut checked = Bench::new(Mode::SpotCheck);
    checked.points(&[10.0]);
    assert_eq!(checked.session.is_true_of(&item, before), Ok(()));
    assert!(checked.session.is_true_of(&item, left).is_err());
}

#[test]
fn a_round_with_a_point_that_is_not_stated_is_not_stated_as_a_whole() {
    let mut session = adjusted(plan(Mode::Adjust));
    let failed = &mut session.as_found[2];
    (failed.value, failed.error, failed.stated) = (None, None, None);
    let certificate = issued(&session).unwrap();
    assert_eq!(Certificate::parse(&certificate.to_payload().unwrap()).unwrap(), certificate);
    let conformity = certificate.results.conformity.unwrap();
    assert_eq!((conformity.as_found, conformity.as_left), (None, Some(Outcome::Pass)));
    assert_eq!(session.found(), None);
    let said = certificate.about.deviations;
    assert!(
        said.iter().any(|it| it.contains("were: as found 3.") && it.contains("nor is their round")),
        "{said:?}"
    );
}

#[test]
fn what_is_not_the_certified_value_is_stated() {
    let mut bench = Bench::new(Mode::SpotCheck);
    bench.fault = |x| x;
    bench.point(Role::Span, 20.0);
    bench.offered = 5.0;
    let given = Given { value: 5.0, unit: Some("mg/m3".to_owned()), u: Some(0.1), ..Given::default() };
    let (against, standard) = (Against::Stated(given), Some(cylinder("c-20", 20.0)));
    bench.tell(Event::Point(Box::new(PointOrder { role: Role::Span, against, standard }))).unwrap();
    while bench.session.measuring.is_some() {
        bench.second();
    }
    bench.tell(Event::Finish).unwrap();
    let said = issued(&bench.session).unwrap().about.deviations;
    let diluted: Vec<&String> = said.iter().filter(|it| it.contains("Not the certified values")).collect();
    assert_eq!(diluted.len(), 1, "{said:?}");
    assert!(diluted[0].ends_with("of: as found 2."), "{said:?}");
}
