use proptest::prelude::*;

use super::*;
use crate::domain::sensor::Kind;
use crate::domain::uncertainty::decision::{Combine, Mpe};
use crate::domain::units::Unit;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn noon() -> Timestamp {
    at("2026-11-22T12:00:00Z")
}

struct Place {
    sensor: SensorId,
    kind: Kind,
    unit: Option<Unit>,
    mpe: Option<Mpe>,
    standard: Option<Standard>,
    trusted: bool,
}

impl Place {
    fn new(kind: Kind, unit: Option<&str>) -> Place {
        let unit = unit.map(|code| Unit::parse(code).unwrap());
        Place { sensor: Id::new("co-1").unwrap(), kind, unit, mpe: None, standard: None, trusted: true }
    }

    fn check(&self, given: &Given) -> Result<Reference, ReferenceError> {
        given.check(&Known {
            sensor: &self.sensor,
            kind: self.kind,
            unit: self.unit.as_ref(),
            mpe: self.mpe.as_ref(),
            standard: self.standard.as_ref(),
            now: noon(),
            trusted: self.trusted,
            origin: Origin::Manual,
            source: None,
        })
    }
}

fn measured() -> Place {
    Place::new(Kind::Measurement, Some("mg/m3"))
}

fn labelled() -> Place {
    Place::new(Kind::Probability, Some("1"))
}

fn of(value: f64, unit: &str) -> Given {
    Given { value, unit: Some(unit.to_owned()), ..Given::default() }
}

#[test]
fn a_value_is_converted_to_the_sensors_unit_with_its_uncertainty() {
    let reference = measured().check(&Given { u: Some(50.0), ..of(4200.0, "ug/m3") }).unwrap();
    assert_eq!((reference.value, reference.u, &*reference.unit), (4.2, Some(0.05), "mg/m3"));
    assert_eq!(reference.given, Some((4200.0, "ug/m3".into())));
    let cold = Place::new(Kind::Measurement, Some("Cel")).check(&Given { u: Some(0.1), ..of(293.15, "K") });
    let cold = cold.unwrap();
    assert!((cold.value - 20.0).abs() < 1e-12 && cold.u == Some(0.1), "an uncertainty has no zero");
    assert_eq!(measured().check(&of(4.2, "mg/m3")).unwrap().given, None);
}

#[test]
fn a_unit_of_another_kind_is_refused_and_both_are_named() {
    let error = measured().check(&of(4.2, "ppb")).unwrap_err().to_string();
    assert!(error.contains("`ppb`") && error.contains("`mg/m3`") && error.contains("co-1"), "{error}");
    assert_eq!(
        measured().check(&Given { value: 1.0, ..Given::default() }),
        Err(ReferenceError::NoUnit("mg/m3".into()))
    );
    assert!(matches!(measured().check(&of(4.2, "µg/m³")), Err(ReferenceError::Unit(_))));
}

#[test]
fn before_the_first_transform_a_reference_keeps_its_unit() {
    let raw = Place::new(Kind::Measurement, None);
    assert_eq!(&*raw.check(&of(4.2, "mg/m3")).unwrap().unit, "mg/m3");
    assert_eq!(raw.check(&Given { value: 1.0, ..Given::default() }), Err(ReferenceError::NoUnitKnown));
}

#[test]
fn an_uncertainty_is_given_once_and_can_be_true() {
    let check =
        |given: Given| measured().check(&Given { value: 4.0, unit: Some("mg/m3".to_owned()), ..given });
    let u = |u| check(Given { u: Some(u), ..Given::default() });
    let expanded = |expanded, k| check(Given { expanded: Some(expanded), k, ..Given::default() });
    assert_eq!(u(0.1).unwrap().u, Some(0.1));
    assert_eq!(expanded(0.2, Some(2.0)).unwrap().u, Some(0.1));
    assert_eq!(check(Given::default()).unwrap().u, None);
    for bad in [0.0, -0.1, f64::INFINITY] {
        assert_eq!(u(bad), Err(ReferenceError::UncertaintyNotPositive(bad)));
    }
    assert!(matches!(u(f64::NAN), Err(ReferenceError::UncertaintyNotPositive(_))));
    assert!(matches!(u(1e-12), Err(ReferenceError::UncertaintyTooSmall { .. })));
    assert!(matches!(u(1e9), Err(ReferenceError::UncertaintyTooLarge { .. })));
    assert_eq!(expanded(0.2, None), Err(ReferenceError::UncertaintyUnclear));
    assert_eq!(expanded(0.2, Some(0.0)), Err(ReferenceError::CoverageFactor(0.0)));
    let twice = check(Given { u: Some(0.1), expanded: Some(0.2), k: Some(2.0), ..Given::default() });
    assert_eq!(twice, Err(ReferenceError::UncertaintyUnclear));
}

#[test]
fn with_a_maximum_permissible_error_an_uncertainty_far_above_it_says_nothing() {
    let mpe = Mpe { absolute: Some(0.5), relative: None, combine: Combine::Max };
    let place = Place { mpe: Some(mpe), ..measured() };
    let u = |value, u| place.check(&Given { u: Some(u), ..of(value, "mg/m3") });
    assert!(u(0.0, 5.0).is_ok() && u(4.0, 5.0).is_ok());
    assert!(matches!(u(0.0, 5.1), Err(ReferenceError::UncertaintyTooLarge { limit: 5.0, .. })));
    let zero = measured().check(&Given { u: Some(5.1), ..of(0.0, "mg/m3") });
    assert!(zero.is_ok(), "nothing to compare with");
}

#[test]
fn intervals_end_where_their_stamp_says() {
    let over = |stamp| {
        let given = Given {
            time: Some(at("2026-11-22T10:00:00Z")),
            interval_seconds: Some(3600.0),
            stamp,
            ..of(1.0, "mg/m3")
        };
        measured().check(&given).unwrap().span
    };
    let begins = [
        (Some(Stamp::Begin), "10:00"),
        (Some(Stamp::Mid), "09:30"),
        (Some(Stamp::End), "09:00"),
        (None, "09:00"),
    ];
    for (stamp, begin) in begins {
        let span = over(stamp);
        assert_eq!(span.begin(), at(&format!("2026-11-22T{begin}:00Z")));
        assert_eq!(span.micros(), 3_600_000_000);
        assert!(span.holds(span.begin()) && span.holds(span.middle()) && !span.holds(span.end()));
    }
    for seconds in [0.0, -1.0, f64::NAN, 1e9] {
        let given = Given { interval_seconds: Some(seconds), ..of(1.0, "mg/m3") };
        assert!(measured().check(&given).is_err(), "{seconds}");
    }
    let stamped = Given { stamp: Some(Stamp::End), ..of(1.0, "mg/m3") };
    assert_eq!(measured().check(&stamped), Err(ReferenceError::StampWithoutInterval));
}

#[test]
fn what_is_from_the_future_is_refused_while_the_clock_can_be_believed() {
    let given = |time: &str, seconds| Given {
        time: Some(at(time)),
        interval_seconds: seconds,
        stamp: seconds.map(|_| Stamp::Begin),
        ..of(1.0, "mg/m3")
    };
    assert!(measured().check(&given("2026-11-22T12:05:00Z", None)).is_ok());
    let late = given("2026-11-22T12:05:01Z", None);
    assert!(matches!(measured().check(&late), Err(ReferenceError::Future { .. })));
    let unfinished = given("2026-11-22T12:00:00Z", Some(3600.0));
    assert!(
        matches!(measured().check(&unfinished), Err(ReferenceError::Future { .. })),
        "an average before its end"
    );
    assert!(Place { trusted: false, ..measured() }.check(&late).is_ok());
    assert_eq!(measured().check(&of(1.0, "mg/m3")).unwrap().span, Span::point(noon()));
}

#[test]
fn labels_are_nought_or_one_without_uncertainty_and_interval() {
    let label = |value| Given { value, ..Given::default() };
    let found = labelled().check(&Given { event: Some("batch/17".to_owned()), ..label(1.0) }).unwrap();
    assert_eq!((found.value, &*found.unit, found.event.as_deref()), (1.0, "1", Some("batch/17")));
    assert!(matches!(labelled().check(&label(0.5)), Err(ReferenceError::NotALabel { .. })));
    for given in [Given { u: Some(0.1), ..label(1.0) }, Given { interval_seconds: Some(60.0), ..label(1.0) }]
    {
        assert!(matches!(labelled().check(&given), Err(ReferenceError::NotOfLabels(..))));
    }
    assert_eq!(
        labelled().check(&Given { event: Some("a\nb".to_owned()), ..label(1.0) }),
        Err(ReferenceError::Event)
    );
    let event = Given { event: Some("a".to_owned()), ..of(1.0, "mg/m3") };
    assert!(matches!(measured().check(&event), Err(ReferenceError::EventOfMeasurement(_))));
}

#[test]
fn flags_and_ids_are_words_that_are_known() {
    let flagged = |qc: &str| measured().check(&Given { qc: Some(qc.to_owned()), ..of(1.0, "mg/m3") });
    assert_eq!(flagged("suspect").unwrap().flag, State::Suspect);
    assert!(matches!(flagged("missing"), Err(ReferenceError::Flag(_))));
    let named = measured().check(&Given { id: Some("lab 7".to_owned()), ..of(1.0, "mg/m3") });
    assert!(named.unwrap_err().to_string().starts_with("the id: `lab 7` is not an identifier"));
    assert_eq!(measured().check(&of(f64::NAN, "mg/m3")), Err(ReferenceError::NotFinite));
}

#[test]
fn a_standard_gives_its_uncertainty_and_its_due_date() {
    let value = |unit: &str, u| Certified { quantity: None, value: Some(40.0), unit: unit.to_owned(), u };
    let mut standard = Standard {
        id: Id::new("gas-7").unwrap(),
        description: None,
        certificate: Some("PTB 2026-17".to_owned()),
        lot: None,
        values: vec![value("ug/m3", Some(400.0)), value("Cel", Some(0.1))],
        due: Some(at("2026-11-22T11:00:00Z")),
        comment: None,
    };
    assert_eq!(standard.check(), Ok(()));
    let place = Place { standard: Some(standard.clone()), ..measured() };
    let given = Given { standard: Some("gas-7".to_owned()), ..of(0.04, "mg/m3") };
    let reference = place.check(&given).unwrap();
    assert_eq!(reference.u, Some(0.4));
    assert!(reference.is_overdue(), "measured at noon, due at eleven");
    let before = place.check(&Given { time: Some(at("2026-11-22T10:59:59Z")), ..given.clone() }).unwrap();
    assert!(!before.is_overdue());
    assert_eq!(place.check(&Given { u: Some(0.2), ..given.clone() }).unwrap().u, Some(0.2));
    standard.values.push(value("mg/m3", Some(0.1)));
    assert_eq!(standard.u_in(&Unit::parse("mg/m3").unwrap()), None, "two fit");
    standard.values[1].unit = "°C".to_owned();
    assert!(standard.check().unwrap_err().to_string().starts_with("value 2 of the standard: `°C`"));
    standard.lot = Some(String::new());
    assert_eq!(standard.check(), Err(ReferenceError::Text("lot", 128)));
}

#[test]
fn a_corrected_value_has_the_id_of_the_wrong_one_and_a_label_that_of_its_event() {
    let first = measured().check(&of(1.0, "mg/m3")).unwrap();
    let again = measured().check(&of(1000.0, "ug/m3")).unwrap();
    let corrected = measured().check(&of(2.0, "mg/m3")).unwrap();
    assert!(first.says_the_same_as(&again), "in another unit");
    assert_eq!(first.id, corrected.id);
    assert!(!first.says_the_same_as(&corrected));
    let other = measured().check(&Given { standard: Some("gas-7".to_owned()), ..of(1.0, "mg/m3") }).unwrap();
    assert_ne!(first.id, other.id);
    let label = |time: Option<&str>, event: &str| {
        let given =
            Given { time: time.map(at), value: 1.0, event: Some(event.to_owned()), ..Given::default() };
        labelled().check(&given).unwrap()
    };
    let (timeless, timed) = (label(None, "e1"), label(Some("2026-11-20T00:00:00Z"), "e1"));
    assert_eq!(timeless.id, timed.id);
    assert_ne!(timeless.id, label(None, "e2").id);
    assert!(timed.says_the_same_as(&timeless), "it comes again");
    assert!(!timeless.says_the_same_as(&timed), "its time is told now");
}

proptest! {
    #[test]
    fn whatever_is_given_makes_a_sound_reference_or_an_error(
        value in prop::num::f64::ANY,
        u in prop::option::of(prop::num::f64::ANY),
        expanded in prop::option::of(prop::num::f64::ANY),
        k in prop::option::of(prop::num::f64::ANY),
        seconds in prop::option::of(prop::num::f64::ANY),
        unit in prop::option::of("\\PC{0,8}|ug/m3|Cel"),
        id in prop::option::of("\\PC{0,10}"),
        qc in prop::option::of("\\PC{0,8}|valid"),
        event in prop::option::of("\\PC{0,10}"),
        label in any::<bool>(),
    ) {
        let given = Given { id, value, unit, u, expanded, k, interval_seconds: seconds, event, qc, ..Given::default() };
        let place = if label { labelled() } else { measured() };
        if let Ok(reference) = place.check(&given) {
            prop_assert!(reference.value.is_finite());
            prop_assert!(reference.u.is_none_or(|u| u > 0.0 && u.is_finite()));
            prop_assert_eq!(Some(&*reference.unit), place.unit.as_ref().map(|unit| &**unit.code()));
            prop_assert!(reference.says_the_same_as(&place.check(&given).unwrap()));
        }
    }
}

fn certified(values: &[(Option<f64>, &str, Option<f64>)]) -> Option<Standard> {
    let value = |(value, unit, u): &(Option<f64>, &str, Option<f64>)| Certified {
        quantity: None,
        value: *value,
        unit: (*unit).to_owned(),
        u: *u,
    };
    let values = values.iter().map(value).collect();
    let id = Id::new("gas-7").unwrap();
    Some(Standard { id, description: None, certificate: None, lot: None, values, due: None, comment: None })
}

#[test]
fn a_value_without_an_uncertainty_is_that_of_its_standard() {
    let place =
        |values: &[(Option<f64>, &str, Option<f64>)]| Place { standard: certified(values), ..measured() };
    let gas = || Given { standard: Some("gas-7".to_owned()), ..of(0.0, "mg/m3") };
    let one = place(&[(Some(19.87), "mg/m3", Some(0.01))]);
    let check = |place: &Place, value, unit: &str| {
        place.check(&Given { value, unit: Some(unit.to_owned()), ..gas() }).map(|reference| reference.u)
    };
    // 3 u = 0.03, and with one decimal half of 0.1 more
    for (value, unit) in [(19.87, "mg/m3"), (19.9, "mg/m3"), (19.8, "mg/m3"), (19_896.0, "ug/m3")] {
        assert!(check(&one, value, unit).is_ok(), "{value} {unit}");
    }
    for (value, unit) in
        [(20.0, "mg/m3"), (19.7, "mg/m3"), (19.95, "mg/m3"), (19.87, "ug/m3"), (19_901.0, "ug/m3")]
    {
        let error = check(&one, value, unit).unwrap_err();
        assert!(matches!(&error, ReferenceError::NotAsCertified { .. }), "{error}");
        assert_eq!(error.reason(), "standard");
    }
    let said = check(&one, 19.87, "ug/m3").unwrap_err().to_string();
    assert!(
        said.contains("19.87 ug/m3 is not what the standard gas-7 is certified for, 19.87 mg/m3"),
        "{said}"
    );
    // One that says how uncertain it is, is taken at its word: a dilution is.
    let diluted = Given { value: 2.0, u: Some(0.1), ..gas() };
    assert_eq!(one.check(&diluted).unwrap().u, Some(0.1));
    let expanded = Given { value: 2.0, expanded: Some(0.2), k: Some(2.0), ..gas() };
    assert_eq!(one.check(&expanded).unwrap().u, Some(0.1));
    // An instrument has no value, and of several nobody knows which.
    let instrument = place(&[(None, "mg/m3", Some(0.01))]);
    assert_eq!(check(&instrument, 2.0, "mg/m3"), Ok(Some(0.01)));
    let several = place(&[(Some(20.0), "mg/m3", Some(0.1)), (Some(5.0), "ug/m3", Some(0.1))]);
    assert_eq!(check(&several, 2.0, "mg/m3"), Ok(None));
    let bare = place(&[(Some(20.0), "mg/m3", None)]);
    assert_eq!(check(&bare, 2.0, "mg/m3"), Ok(None));
    // A label has no certified value.
    let labelled = Place { standard: certified(&[(Some(0.5), "1", Some(0.1))]), ..labelled() };
    assert!(
        labelled.check(&Given { value: 1.0, standard: Some("gas-7".to_owned()), ..Given::default() }).is_ok()
    );
}
