//! Sessions from their first point to their end, with a sensor that is invented.

mod certified;
mod faults;
mod fits;
mod properties;

use std::time::Duration;

use super::*;
use crate::domain::digest::Digest;
use crate::domain::fit::population::Fitted;
use crate::domain::id::Id;
use crate::domain::reference::{Certified, Given, Standard};
use crate::domain::resample::Seeded;
use crate::domain::time::Timestamp;
use crate::domain::transform::artifact::Transform;
use crate::domain::transform::{Compiled, Input, compile};
use crate::domain::trust::envelope::{Envelope, pae, payload_type, sign};
use crate::domain::trust::key::PrivateKey;
use crate::domain::uncertainty::coverage::coverage_factor;
use crate::domain::uncertainty::decision::{Combine, Mpe, Outcome, Rule};

fn id(text: &str) -> Id {
    Id::new(text).unwrap()
}

fn digest_of(payload: &str) -> Digest {
    Digest::of(&[&pae(&payload_type("transform"), payload.as_bytes())])
}

/// What runs when the session begins.
fn factory() -> String {
    serde_json::json!({
        "schema": 1, "id": "co-electrochemical", "epoch": 1, "version": 7,
        "target": { "fleet": "plant-7", "sensors": ["co-1"] },
        "quantity": "carbon monoxide mass concentration", "input_unit": "nA", "output_unit": "mg/m3",
        "pipeline": [{ "kind": "affine", "offset": -0.5, "gain": 0.02,
                       "covariance": [[1e-4, 0.0], [0.0, 1e-10]] }],
        "cohorts": [], "domain": { "input": [0.0, 1500.0] },
        "uncertainty": { "residual_std": 0.05, "degrees_of_freedom": 30.0 },
        "limits": { "monotone": true },
        "issued_at": "2026-01-01T00:00:00Z", "expires": "2027-01-01T00:00:00Z",
    })
    .to_string()
}

fn plan(mode: Mode) -> Plan {
    Plan {
        fleet: id("plant-7"),
        gateway: id("gw-1"),
        sensor: id("co-1"),
        quantity: "carbon monoxide mass concentration".to_owned(),
        item: Item { serial: Some("162741".to_owned()), ..Item::default() },
        input_unit: "nA".to_owned(),
        unit: "mg/m3".to_owned(),
        mpe: Mpe { absolute: Some(0.5), relative: Some(0.1), combine: Combine::Max },
        rule: Rule::GuardBand,
        level: 0.95,
        response_seconds: 30.0,
        max_drift: None,
        max_scatter: None,
        patience_seconds: patience(30.0),
        silence_seconds: silence(Some(1.0)),
        resolution: Some(0.01),
        range: Some([0.0, 30.0]),
        in_force: Some(InForce { id: id("co-electrochemical"), version: 7, digest: digest_of(&factory()) }),
        mode,
        max_step: None,
        words: Words::default(),
        opened: Timestamp::EPOCH,
        clock_trusted: true,
    }
}

fn cylinder(name: &str, value: f64) -> Standard {
    let certified = Certified {
        quantity: None,
        value: Some(value),
        unit: "mg/m3".to_owned(),
        u: Some(0.01 * value.max(1.0)),
    };
    Standard {
        id: id(name),
        description: Some("CO in N2".to_owned()),
        certificate: Some("C-1".to_owned()),
        lot: None,
        values: vec![certified],
        due: None,
        comment: None,
    }
}

/// A sensor with a fault of its own, a clock, and a session.
struct Bench {
    session: Session,
    effects: Vec<Effect>,
    passed: f64,
    wall: f64,
    offered: f64,
    random: Seeded,
    runs: Option<(Digest, Compiled)>,
    /// What the sensor shows by the factory's transform, of what it is offered.
    fault: fn(f64) -> f64,
    noise: f64,
}

impl Bench {
    fn new(mode: Mode) -> Bench {
        Bench::with(plan(mode), Some(factory()))
    }

    fn with(plan: Plan, runs: Option<String>) -> Bench {
        let at = At { time: Timestamp::EPOCH, passed: Duration::ZERO, by: "ada" };
        let (session, effects) = Session::open(id("s-1"), plan, &at, false).unwrap();
        let compiled = |payload: &String| compile(&Transform::parse(payload.as_bytes()).unwrap()).unwrap();
        let runs = runs.as_ref().map(|payload| (digest_of(payload), compiled(payload)));
        let (passed, wall, random) = (0.0, 0.0, Seeded::new(3));
        let fault = |x: f64| 1.08 * x + 0.4;
        Bench { session, effects, passed, wall, offered: 0.0, random, runs, fault, noise: 0.05 }
    }

    fn tell(&mut self, event: Event) -> Result<(), Fault> {
        self.tell_as("ada", event)
    }

    fn tell_as(&mut self, by: &str, event: Event) -> Result<(), Fault> {
        let time = Timestamp::EPOCH.saturating_add_micros(((self.passed + self.wall) * 1e6) as i64);
        let at = At { time, passed: Duration::from_secs_f64(self.passed), by };
        let before = self.session.clone();
        let effects = self.session.handle(&at, event);
        if effects.is_err() {
            assert_eq!(self.session, before, "a refusal changes nothing");
        }
        self.effects.extend(effects?);
        Ok(())
    }

    /// A second later the sensor measures.
    fn second(&mut self) {
        self.passed += 1.0;
        let shown = (self.fault)(self.offered) + self.noise * self.random.normal();
        let raw = (shown + 0.5) / 0.02;
        let value = self.runs.as_ref().and_then(|(_, transform)| {
            transform.apply(&Input { raw, u_raw: None, covariates: &[], age_days: 0.0 }).value
        });
        let reading = Reading {
            raw: Some(raw),
            value,
            transform: self.runs.as_ref().map(|(digest, _)| *digest),
            unusable: None,
            covariates: vec![Beside {
                role: "temperature".to_owned(),
                sensor: id("temp-1"),
                unit: "Cel".to_owned(),
                value: 21.0,
            }],
        };
        self.tell(Event::Reading(reading)).unwrap();
    }

    fn order(&mut self, role: Role, value: f64) -> Result<(), Fault> {
        self.offered = value;
        let given = Given { value, unit: Some("mg/m3".to_owned()), ..Given::default() };
        let standard = Some(cylinder(&format!("c-{}", value as i64), value));
        self.tell(Event::Point(Box::new(PointOrder { role, against: Against::Stated(given), standard })))
    }

    /// Measures a point to its end; how many seconds that took.
    fn point(&mut self, role: Role, value: f64) -> f64 {
        self.order(role, value).unwrap();
        let began = self.passed;
        while self.session.measuring.is_some() {
            self.second();
        }
        self.passed - began
    }

    fn points(&mut self, values: &[f64]) {
        for value in values {
            let role = if *value == 0.0 { Role::Zero } else { Role::Span };
            self.point(role, *value);
        }
        self.tell(Event::Finish).unwrap();
    }

    fn fit_order(&self, method: &str) -> FitOrder {
        FitOrder {
            method: method.to_owned(),
            prior: None,
            in_force: self.session.plan.in_force.as_ref().map(|_| factory()),
            epoch: 1,
            version: 1,
            expires: Timestamp::parse("2027-01-01T00:00:00Z").unwrap(),
        }
    }

    fn fit(&mut self, method: &str) -> Result<&Candidate, Fault> {
        let order = self.fit_order(method);
        self.tell(Event::Fit(Box::new(order)))?;
        Ok(self.session.candidate.as_ref().unwrap())
    }

    fn signed(&self) -> String {
        let payload = &self.session.candidate.as_ref().unwrap().payload;
        let key = PrivateKey::from_seed(&[7; 32]).unwrap();
        String::from_utf8(sign(&payload_type("transform"), payload.as_bytes(), &[key])).unwrap()
    }

    /// Approves what is shown, and puts it into force.
    fn activate(&mut self) {
        self.tell(Event::Approve { envelope: self.signed(), gateway_key: false }).unwrap();
        let Some(Effect::Activate(envelope)) = self.effects.last().cloned() else { panic!() };
        let payload = Envelope::parse(envelope.as_bytes()).unwrap().payload;
        let compiled = compile(&Transform::parse(&payload).unwrap()).unwrap();
        let digest = self.session.candidate.as_ref().unwrap().digest;
        self.runs = Some((digest, compiled));
        self.tell(Event::Activated(digest)).unwrap();
    }

    fn said(&self) -> Vec<&'static str> {
        let audit = |effect: &Effect| match effect {
            Effect::Audit(action, _) => Some(*action),
            _ => None,
        };
        self.effects.iter().filter_map(audit).collect()
    }

    fn told(&self) -> Vec<&Fault> {
        let told = |effect: &'_ Effect| matches!(effect, Effect::Tell(_));
        let all = self.effects.iter().filter(|effect| told(effect));
        all.filter_map(|effect| if let Effect::Tell(fault) = effect { Some(fault) } else { None }).collect()
    }
}

/// The other limit is beyond all doubt, so the tail is that of one side: 2.5 % at a level of 95 %.
#[test]
fn the_risk_of_a_point_has_the_degrees_of_freedom_of_its_budget() {
    let mut plan = plan(Mode::Adjust);
    plan.mpe.absolute = Some(50.0);
    for degrees in [Some(1.0), Some(3.0), Some(30.0), None] {
        let k = coverage_factor(0.95, degrees);
        let budget = Budget { shares: vec![], u: 0.01, degrees_of_freedom: degrees, k, expanded: 0.01 * k };
        let stated = point::state(&plan, 8.0, 50.0 - budget.expanded, &budget).unwrap();
        assert_eq!(stated.outcome, Outcome::Pass);
        assert!((stated.risk - 0.025).abs() < 5e-5, "{degrees:?}: {}", stated.risk);
    }
}

#[test]
fn a_drifted_sensor_is_found_out_adjusted_and_left_within_tolerance() {
    let mut bench = Bench::new(Mode::Adjust);
    let took = bench.point(Role::Zero, 0.0);
    // Three response times, then one more of readings.
    assert!((120.0..=125.0).contains(&took), "{took}");
    bench.points(&[8.0, 20.0]);
    let session = &bench.session;
    assert_eq!((session.stage, session.found()), (Stage::Found, Some(Outcome::Fail)));
    let errors: Vec<f64> = session.as_found.iter().map(|point| point.error.unwrap()).collect();
    for (error, right) in errors.iter().zip([0.4, 1.04, 2.0]) {
        assert!((error - right).abs() < 0.05, "{errors:?}");
    }
    let point = &session.as_found[2];
    assert_eq!(point.offered.standard, Some(id("c-20")));
    assert_eq!(point.conditions[0].values.mean, 21.0);
    let squares: f64 = point.budget.shares.iter().map(|share| share.u * share.u).sum();
    assert!((point.budget.u - squares.sqrt()).abs() < 1e-12);
    assert!((point.budget.expanded - point.budget.k * point.budget.u).abs() < 1e-12);

    let candidate = bench.fit("auto").unwrap();
    assert_eq!((candidate.method.as_str(), candidate.basis), ("affine", Basis::Values));
    assert!(candidate.guards.is_empty(), "{:?}", candidate.guards);
    assert!(candidate.rows.iter().all(|row| row.after.unwrap().abs() < 0.1), "{:?}", candidate.rows);
    let transform = Transform::parse(candidate.payload.as_bytes()).unwrap();
    assert_eq!(transform.pipeline.len(), 1, "a line after a line is one");
    assert_eq!(transform.provenance.session.as_deref(), Some("s-1"));
    assert_eq!(transform.provenance.made_on, Some(id("gw-1")));
    assert_eq!(transform.provenance.last_reference, Some(bench.session.as_found[2].ended));
    assert_eq!(transform.target.serials, ["162741"]);

    bench.activate();
    bench.points(&[0.0, 20.0]);
    assert_eq!((bench.session.stage, bench.session.left()), (Stage::Left, Some(Outcome::Pass)));
    bench.tell(Event::End(None)).unwrap();
    assert!(!bench.session.is_open());
    assert_eq!(
        bench.said(),
        [
            "session.opened",
            "session.point",
            "session.point",
            "session.point",
            "session.verdict",
            "session.approved",
            "session.activated",
            "session.point",
            "session.point",
            "session.verdict",
            "session.ended"
        ]
    );
    assert_eq!(bench.effects.last(), Some(&Effect::Flag(false)));
    assert!(bench.told().is_empty(), "{:?}", bench.told());
}

#[test]
fn a_spot_check_ends_with_a_verdict_and_changes_nothing() {
    let mut bench = Bench::new(Mode::SpotCheck);
    bench.fault = |x| x + 0.1;
    bench.points(&[0.0, 10.0]);
    assert_eq!(bench.session.found(), Some(Outcome::Pass));
    assert_eq!(bench.fit("auto").unwrap_err(), Fault::SpotCheckOnly(id("co-1")));
    bench.tell(Event::End(Some(Digest([1; 32])))).unwrap();
    assert_eq!(bench.session.ended.as_ref().unwrap().0, Ending::Done { certificate: Some(Digest([1; 32])) });
}

#[test]
fn what_is_good_already_is_not_adjusted() {
    let mut bench = Bench::new(Mode::Adjust);
    bench.fault = |x| x;
    bench.points(&[0.0, 5.0, 10.0, 15.0, 20.0]);
    let candidate = bench.fit("polynomial:2").unwrap();
    assert!(candidate.guards.iter().any(|guard| guard.contains("held-out rmse")), "{:?}", candidate.guards);
    let refusal =
        bench.tell(Event::Approve { envelope: bench.signed(), gateway_key: false }).unwrap_err().to_string();
    assert!(refusal.contains("end the session without adjustment"), "{refusal}");
    bench.tell(Event::Discard).unwrap();
    bench.tell(Event::End(None)).unwrap();
}

#[test]
fn one_level_allows_an_offset_and_a_bare_offset_is_told_from_a_line() {
    let mut bench = Bench::new(Mode::Adjust);
    bench.fault = |x| x + 0.9;
    bench.points(&[10.0]);
    let candidate = bench.fit("auto").unwrap();
    assert_eq!(candidate.method, "offset");
    assert!((candidate.parameters[0].1 + 0.9).abs() < 0.05);
    let mut bench = Bench::new(Mode::Adjust);
    bench.fault = |x| x + 0.9;
    bench.points(&[0.0, 10.0, 20.0]);
    assert_eq!(bench.fit("auto").unwrap().method, "offset");
}

#[test]
fn a_first_transform_is_a_line_from_raw_readings() {
    let mut plan = plan(Mode::Adjust);
    plan.in_force = None;
    let mut bench = Bench::with(plan, None);
    bench.points(&[0.0, 20.0]);
    assert_eq!(bench.session.found(), None, "raw readings have no error");
    let refused = bench.fit("offset").unwrap_err().to_string();
    assert!(refused.contains("take affine"), "{refused}");
    let candidate = bench.fit("auto").unwrap();
    assert_eq!((candidate.method.as_str(), candidate.basis), ("affine", Basis::Raw));
    assert!(candidate.guards.is_empty(), "{:?}", candidate.guards);
    bench.activate();
    bench.points(&[0.0, 20.0]);
    assert_eq!(bench.session.left(), Some(Outcome::Pass));
}

#[test]
fn few_points_use_what_is_known_of_the_model() {
    let mut bench = Bench::new(Mode::Adjust);
    bench.points(&[10.0]);
    // What the sensor really does: value = (raw * 0.02 - 0.5 - 0.4) / 1.08.
    let fitted = Fitted {
        parameter_names: vec!["a".to_owned(), "b".to_owned()],
        parameters: vec![-0.8, 0.0186],
        covariance: vec![vec![0.01, 0.0], vec![0.0, 1e-7]],
        residual_std: 0.05,
        degrees_of_freedom: 20.0,
    };
    let order = FitOrder { prior: Some(fitted.clone()), ..bench.fit_order("auto") };
    bench.tell(Event::Fit(Box::new(order))).unwrap();
    let candidate = bench.session.candidate.clone().unwrap();
    assert_eq!((candidate.method.as_str(), candidate.basis), ("affine with a prior", Basis::Raw));
    assert!(candidate.notes[0].contains("known of the model"), "{:?}", candidate.notes);
    assert!(candidate.rows[0].after.unwrap().abs() < 0.1, "{:?}", candidate.rows);
    // A model that is quite another is no help: the transform in force is corrected.
    let odd = Fitted { parameters: vec![-40.0, 0.0186], ..fitted.clone() };
    let order = FitOrder { prior: Some(odd), ..bench.fit_order("auto") };
    bench.tell(Event::Fit(Box::new(order))).unwrap();
    let candidate = bench.session.candidate.clone().unwrap();
    assert_eq!((candidate.method.as_str(), candidate.basis), ("offset", Basis::Values));
    assert!(candidate.notes.iter().any(|note| note.contains("so it is left out")), "{:?}", candidate.notes);
    let other = Fitted { parameter_names: vec!["c0".to_owned(), "c1".to_owned()], ..fitted };
    let order = FitOrder { prior: Some(other), ..bench.fit_order("auto") };
    let refused = bench.tell(Event::Fit(Box::new(order))).unwrap_err().to_string();
    assert!(refused.contains("not one of a line"), "{refused}");
}

#[test]
fn a_reference_source_moves_with_the_sensor() {
    let mut bench = Bench::new(Mode::SpotCheck);
    bench.fault = |x| x + 0.3;
    let against = Against::Source { sensor: id("co-ref"), unit: "ug/m3".to_owned(), u: Some(40.0) };
    let order = PointOrder { role: Role::Linearity, against, standard: None };
    bench.tell(Event::Point(Box::new(order))).unwrap();
    while bench.session.measuring.is_some() {
        // the air changes all the time
        bench.offered = 5.0 + (bench.passed / 40.0).sin();
        bench.tell(Event::Reference(1000.0 * bench.offered, None)).unwrap();
        bench.second();
    }
    let point = &bench.session.as_found[0];
    assert!((point.error.unwrap() - 0.3).abs() < 0.05, "{point:?}");
    assert!((point.offered.u - 0.04).abs() < 1e-12 && point.offered.scatter.unwrap() > 0.05);
    assert_eq!(point.offered.source, Some(id("co-ref")));
}

#[test]
fn points_are_taken_back_one_by_one() {
    let mut bench = Bench::new(Mode::Adjust);
    assert_eq!(bench.tell(Event::Undo), Err(Fault::NothingToUndo(id("co-1"))));
    bench.points(&[0.0, 10.0]);
    bench.tell(Event::Undo).unwrap();
    assert_eq!((bench.session.stage, bench.session.as_found.len()), (Stage::AsFound, 1));
    bench.order(Role::Span, 20.0).unwrap();
    bench.tell(Event::Undo).unwrap();
    assert_eq!((bench.session.as_found.len(), bench.session.measuring.is_none()), (1, true));
    bench.points(&[20.0]);
    assert_eq!(bench.session.as_found.len(), 2);
}
