use proptest::prelude::*;
use serde_json::{Value, json};

use super::fixtures::*;
use super::*;
use crate::domain::uncertainty::decision::{DecisionError, Mpe, Outcome};
use crate::domain::uncertainty::point::Parts;

fn near(found: f64, wanted: f64, tolerance: f64) {
    assert!((found - wanted).abs() <= tolerance, "{found} for {wanted}");
}

/// By hand, from s = 0.0035 with 9 degrees of freedom, u = 0.001 of the reference, and steps of 0.001:
/// u^2 = (12.2330 + 1.0000 + 0.0833) 1e-6, u = 0.003649; dof = 13.3163^2 / (12.2330^2 / 9) = 10.66; k = 2.21.
#[test]
fn the_thermometer_of_the_gum_has_a_budget_that_adds_up() {
    let certificate = thermometer();
    let results = &certificate.results;
    assert_eq!((results.as_found.len(), results.as_left.len()), (11, 11));
    for point in results.points() {
        let shares: Vec<f64> = point.budget.iter().map(|line| (line.sensitivity * line.u).powi(2)).collect();
        near(shares[0], 1.0e-6, 1e-12);
        near(shares[1], 12.233e-6, 1e-9);
        near(shares[2], 0.0833e-6, 1e-10);
        assert_eq!(shares[3], 0.0);
        near(point.u, 0.003_649, 5e-7);
        near(point.degrees_of_freedom.unwrap(), 10.66, 0.005);
        near(point.coverage_factor, 2.21, 0.005);
        near(point.expanded, 0.008_06, 5e-6);
    }
    let (found, left) = (&results.as_found[0], &results.as_left[0]);
    near(found.error, 0.171, 1e-12);
    // b(21.521) = -0.171204 + 0.0021827 * 1.521 = -0.167884, and the reference is 0.171 below the reading
    near(left.error, 0.171 - 0.167_884, 1e-6);
    let conformity = results.conformity.unwrap();
    assert_eq!((conformity.as_found, conformity.as_left), (Some(Outcome::Fail), Some(Outcome::Pass)));
    assert!(results.as_left.iter().all(|point| point.error.abs() < 0.0072));
}

#[test]
fn what_was_written_is_read_again_and_house_notes_stay_in_the_house() {
    let certificate = thermometer();
    let payload = certificate.to_payload().unwrap();
    assert_eq!(Certificate::parse(&payload).unwrap(), certificate);
    let text = String::from_utf8(payload).unwrap();
    assert!(!text.contains("scratch") && !text.contains("shelf"), "{text}");
    assert!(text.len() < 40_000, "{}", text.len());
}

#[test]
fn a_number_that_does_not_follow_is_found() {
    let written = serde_json::to_value(thermometer()).unwrap();
    let numbers = [
        "error",
        "u",
        "degrees_of_freedom",
        "coverage_factor",
        "expanded",
        "indication",
        "reference",
        "budget/1/u",
        "conformity/mpe",
    ];
    for place in numbers {
        let mut changed = written.clone();
        let slot = changed.pointer_mut(&format!("/results/as_left/3/{place}")).unwrap();
        *slot = json!(slot.as_f64().unwrap() * 1.000_01);
        let refusal = Certificate::parse(changed.to_string().as_bytes()).unwrap_err();
        assert_eq!(refusal.reason, Reason::InvalidContent, "{place}");
        assert!(refusal.message.contains("results.as_left[3]"), "{place}: {}", refusal.message);
    }
    for (place, value) in [
        ("/results/as_found/0/conformity/outcome", json!("pass")),
        ("/results/conformity/as_found", json!("pass")),
        ("/results/as_left/0/conformity", Value::Null),
        ("/results/coverage_probability", json!(0.99)),
        ("/results/conformity/mpe/absolute", json!(0.5)),
        ("/about/number", json!("a/b")),
        ("/about/laboratory/party/country", json!("Germany")),
        ("/about/issued", json!("2026-05-04T09:00:00Z")),
        ("/about/standards", json!([])),
        ("/about/title", json!("two\nlines")),
    ] {
        let mut changed = written.clone();
        *changed.pointer_mut(place).unwrap() = value;
        let refusal = Certificate::parse(changed.to_string().as_bytes()).unwrap_err();
        assert_eq!(refusal.reason, Reason::InvalidContent, "{place}: {}", refusal.message);
    }
    for (place, value, reason) in
        [("/schema", json!(2), Reason::UnknownSchema), ("/about/x", json!(1), Reason::Malformed)]
    {
        let mut changed = written.clone();
        let (parent, field) = place.rsplit_once('/').unwrap();
        changed.pointer_mut(parent).unwrap()[field] = value;
        assert_eq!(Certificate::parse(changed.to_string().as_bytes()).unwrap_err().reason, reason);
    }
}

fn fault(change: impl FnOnce(&mut About, &mut Measured)) -> CertificateError {
    let (mut about, mut point) = (about(), reading(20.1, 20.0));
    change(&mut about, &mut point);
    issue(about, &celsius(), 0.95, Some(criterion()), &[point], &[]).unwrap_err()
}

#[test]
fn what_makes_no_sense_is_refused_with_its_field() {
    let cases: [(CertificateError, &str, Problem); 11] = [
        (fault(|_, it| it.parts.scatter = -1.0), "results.as_found[0].scatter", Problem::Negative(-1.0)),
        (fault(|_, it| it.parts.n_eff = 0.5), "results.as_found[0].n_eff", Problem::TooFew(0.5)),
        (fault(|_, it| it.parts.scatter_degrees = None), "results.as_found[0].n_eff", Problem::TooFew(1.0)),
        (
            fault(|_, it| it.parts.scatter_degrees = Some(0.0)),
            "results.as_found[0].budget[1].degrees_of_freedom",
            Problem::DegreesOfFreedom(0.0),
        ),
        (
            fault(|_, it| {
                (it.parts.u_reference, it.parts.scatter, it.parts.resolution) = (0.0, 0.0, 0.0);
            }),
            "results.as_found[0].budget",
            Problem::NoUncertainty,
        ),
        (
            fault(|_, it| it.during[0] = time("2026-05-04T11:31:00Z")),
            "results.as_found[0].during",
            Problem::Times,
        ),
        (fault(|_, it| it.standard = Some(id("ice"))), "results", Problem::Standard(id("ice"))),
        (fault(|it, _| it.number.clear()), "about.number", Problem::Number),
        (fault(|it, _| it.standards.push(standard())), "about.standards[1]", Problem::Twice),
        (
            fault(|it, _| it.signed_by.held.push(key(GATEWAY).public().id())),
            "about.signed_by.held",
            Problem::NoSigner,
        ),
        (fault(|it, _| it.deviations = vec![String::new()]), "about.deviations[0]", Problem::Text(1000)),
    ];
    for (found, path, problem) in cases {
        assert_eq!((found.path.as_str(), &found.problem), (path, &problem), "{found}");
    }
    let relative =
        Criterion { mpe: Mpe { absolute: None, relative: Some(0.1), ..criterion().mpe }, ..criterion() };
    let zero = [reading(0.1, 0.0)];
    let found = issue(about(), &celsius(), 0.95, Some(relative), &zero, &[]).unwrap_err();
    assert_eq!(found.problem, Problem::Decision(DecisionError::Nothing(0.0)));
    assert_eq!(found.path, "results.as_found[0].conformity");
    let nothing = issue(about(), &celsius(), 0.95, None, &[], &[]).unwrap_err();
    assert_eq!(nothing.problem, Problem::NoPoints);
    let many = vec![reading(20.1, 20.0); MOST_POINTS + 1];
    let found = issue(about(), &celsius(), 0.95, None, &many, &[]).unwrap_err();
    assert_eq!((found.path.as_str(), found.problem), ("results.as_found", Problem::TooMany(64)));
}

#[test]
fn what_is_not_traced_and_what_was_overdue_is_said() {
    let mut late = standard();
    late.due = Some(time("2026-05-01T00:00:00Z"));
    let about = About { standards: vec![late], deviations: Vec::new(), ..about() };
    let bare = Measured { standard: None, ..reading(20.2, 20.0) };
    let points = [reading(20.1, 20.0), bare];
    let certificate = issue(about, &celsius(), 0.95, None, &points, &[]).unwrap();
    assert_eq!(
        certificate.about.deviations,
        [
            "No standard is named for the reference of: as found 2. Those results are not shown to be traceable.",
            "Standard prt-7 was due on 2026-05-01 and was used on 2026-05-04.",
        ]
    );
    assert_eq!(certificate.results.conformity, None);
    assert!(certificate.results.as_found[0].conformity.is_none());
}

#[test]
fn many_readings_are_worth_as_many_as_are_independent() {
    let read = reading(20.1, 20.0);
    let parts = Parts { n_eff: 4.0, scatter_degrees: None, movement: 0.006, ..read.parts };
    let point = Measured { parts, ..read };
    let result = point.result(0.95, None).unwrap();
    let u: Vec<f64> = result.budget.iter().map(|line| line.u).collect();
    near(u[1], 0.00175, 1e-12);
    assert_eq!(result.budget[1].degrees_of_freedom, Some(3.0));
    near(u[3], 0.006 / 12.0_f64.sqrt(), 1e-15);
}

/// With three degrees of freedom the normal distribution would have 0.07 % there.
#[test]
fn the_risk_of_a_few_readings_is_that_of_their_coverage_factor() {
    let read = reading(20.0, 20.0);
    let parts = Parts { u_reference: 0.0, resolution: 0.0, scatter_degrees: Some(3.0), ..read.parts };
    let plain = Measured { parts, ..read }.result(0.95, None).unwrap();
    near(plain.coverage_factor, 3.182, 5e-4);
    // the error is as large as it may be to pass
    let mpe = Mpe { absolute: Some(0.05), ..criterion().mpe };
    let edge = reading(20.05 - plain.expanded, 20.0);
    let stated = Measured { parts, ..edge }.result(0.95, Some((&mpe, criterion().rule))).unwrap();
    let stated = stated.conformity.unwrap();
    assert_eq!(stated.outcome, Outcome::Pass);
    near(stated.risk, 0.025, 2e-4);
}

proptest! {
    #[test]
    fn whatever_is_issued_is_read_again(
        points in proptest::collection::vec(
            (-1e6..1e6f64, -1.0..1.0f64, 1e-6..1.0f64, 1.01..1e5f64, 0.0..1.0f64, 0.0..1.0f64), 1..12
        ),
        probability in 0.9..0.9999f64,
    ) {
        let measured: Vec<Measured> = points.iter().map(|&(reference, error, u_reference, n_eff, resolution, movement)| {
            let read = reading(reference + error, reference);
            let parts = Parts { u_reference, n_eff, scatter_degrees: None, resolution, movement, ..read.parts };
            Measured { parts, ..read }
        }).collect();
        // few degrees of freedom may leave no bound, which is said
        if let Ok(certificate) = issue(about(), &celsius(), probability, Some(criterion()), &measured, &measured) {
            let payload = certificate.to_payload().unwrap();
            prop_assert_eq!(Certificate::parse(&payload).unwrap(), certificate);
        } else {
            prop_assert!(measured.iter().any(|it| it.parts.n_eff < 1.5));
        }
    }

    #[test]
    fn bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Certificate::parse(&bytes).is_err());
    }
}
