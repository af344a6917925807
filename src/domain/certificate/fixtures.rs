//! Certificates for tests: the thermometer of GUM H.3, from its eleven points.

use serde_json::Value;

use super::*;
use crate::domain::fit::linear::affine;
use crate::domain::fit::method::Options;
use crate::domain::fit::{Column, Pairs};
use crate::domain::reference::Certified;
use crate::domain::session::Role;
use crate::domain::trust::key::PrivateKey;
use crate::domain::uncertainty::decision::{Combine, Mpe, Rule};
use crate::domain::uncertainty::point::Parts;
use crate::domain::units::Unit;

pub const GATEWAY: u8 = 4;
pub const TECHNICIAN: u8 = 5;

pub fn key(seed: u8) -> PrivateKey {
    PrivateKey::from_seed(&[seed; 32]).unwrap()
}

pub fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

pub fn id(text: &str) -> Id {
    Id::new(text).unwrap()
}

fn party(name: &str, street: &str) -> Party {
    Party {
        name: name.to_owned(),
        address: vec![street.to_owned(), "12345 Example City".to_owned()],
        country: "DE".to_owned(),
        email: Some("calibration@example.org".to_owned()),
        phone: None,
    }
}

pub fn standard() -> Standard {
    Standard {
        id: id("prt-7"),
        description: Some("platinum resistance thermometer with bridge".to_owned()),
        certificate: Some("D-K-00000-2026-118".to_owned()),
        lot: Some("serial 4471".to_owned()),
        values: vec![Certified { quantity: None, value: None, unit: "Cel".to_owned(), u: Some(0.001) }],
        due: Some(time("2027-03-01T00:00:00Z")),
        comment: Some("the one with the scratch".to_owned()),
    }
}

pub fn about() -> About {
    let instrument = Instrument {
        model: "example-lig-25".to_owned(),
        serial: "T-0815".to_owned(),
        make: Some("Example Instruments".to_owned()),
        element_serial: None,
        firmware: None,
        comment: Some("on the second shelf".to_owned()),
    };
    About {
        number: "gw-1-2026-0007".to_owned(),
        title: "Calibration certificate".to_owned(),
        fleet: id("plant-7"),
        gateway: id("gw-1"),
        session: "s-2026-05-04-1".to_owned(),
        issued: time("2026-05-04T12:30:00Z"),
        received: None,
        laboratory: Laboratory {
            party: party("Example Metrology Service", "1 Laboratory Road"),
            accreditation: None,
        },
        customer: Some(party("Example Chemicals, Plant 7", "7 Works Lane")),
        location: Location {
            at: Place::Customer,
            description: "Plant 7, building 2, stirred bath beside the sensor".to_owned(),
        },
        item: Item {
            sensor: id("t-1"),
            quantity: "temperature".to_owned(),
            instrument: Some(instrument),
            condition: Some("clean, no visible damage".to_owned()),
        },
        method: Method {
            name: "Comparison with a reference thermometer in a stirred bath".to_owned(),
            description: Some(
                "One reading at each of eleven temperatures, as in JCGM 100:2008, H.3.".to_owned(),
            ),
            references: vec!["JCGM 100:2008".to_owned(), "EA-4/02 M:2022".to_owned()],
        },
        conditions: vec![Condition {
            name: "ambient temperature".to_owned(),
            sensor: Some(id("t-room")),
            unit: "Cel".to_owned(),
            mean: 22.4,
            least: 21.9,
            greatest: 22.8,
            u: Some(0.2),
        }],
        standards: vec![standard()],
        deviations: vec![
            "The results as left are computed from the readings as found, which are those of the example."
                .to_owned(),
        ],
        recommended: None,
        authorised_by: Person {
            name: "A. Example".to_owned(),
            function: Some("head of calibration".to_owned()),
        },
        transforms: Transforms { before: None, after: Some(Digest::of(&[b"thermometer"])) },
        curve: None,
        signed_by: SignedBy {
            gateway: key(GATEWAY).public().clone(),
            technicians: vec![key(TECHNICIAN).public().id()],
            held: vec![],
        },
    }
}

/// One reading of the thermometer.
pub fn reading(indication: f64, reference: f64) -> Measured {
    let at = time("2026-05-04T11:30:00Z");
    Measured {
        role: Role::Linearity,
        standard: Some(id("prt-7")),
        during: [at, at],
        reference,
        raw: None,
        indication,
        readings: 1,
        parts: Parts {
            u_reference: 0.001,
            reference_degrees: None,
            n_eff: 1.0,
            scatter: 0.0035,
            scatter_degrees: Some(9.0),
            resolution: 0.001,
            movement: 0.0,
        },
    }
}

pub fn criterion() -> Criterion {
    Criterion {
        mpe: Mpe { absolute: Some(0.05), relative: None, combine: Combine::Max },
        rule: Rule::GuardBand,
    }
}

pub fn celsius() -> Unit {
    Unit::parse("Cel").unwrap()
}

/// The readings t and corrections b of GUM table H.6.
pub fn table() -> (Vec<f64>, Vec<f64>) {
    let text = include_str!("../../../tests/data/gum_h3/gum_h3.json");
    let data: Value = serde_json::from_str(text).unwrap();
    let list = |name: &str| data[name].as_array().unwrap().iter().map(|it| it.as_f64().unwrap()).collect();
    (list("t"), list("b"))
}

/// The certificate of the thermometer: found as it was, left with the correction b = y1 + y2 (t - 20 Cel).
pub fn thermometer() -> Certificate {
    let (t, b) = table();
    let shifted = Column::new("t", t.iter().map(|t| t - 20.0).collect());
    let pairs = Pairs::new(vec![shifted], Column::new("b", b.clone())).unwrap();
    let fit = affine::fit(&pairs, &Options::default()).unwrap();
    let (s, degrees) = (fit.residual_std.unwrap(), fit.degrees_of_freedom);
    let corrected = |t: f64| t + fit.parameters[0] + fit.parameters[1] * (t - 20.0);
    let during = |at: usize| {
        let begin = time("2026-05-04T09:00:00Z").saturating_add_micros(at as i64 * 600_000_000);
        [begin, begin.saturating_add_micros(60_000_000)]
    };
    let points = |indication: &dyn Fn(f64) -> f64| -> Vec<Measured> {
        let one = |(at, (t, b)): (usize, (&f64, &f64))| {
            let read = reading(indication(*t), t + b);
            let parts = Parts { scatter: s, scatter_degrees: degrees, ..read.parts };
            Measured { during: during(at), raw: Some(*t), parts, ..read }
        };
        t.iter().zip(&b).enumerate().map(one).collect()
    };
    let places = (0..=12).map(|at| 21.0 + 0.5 * f64::from(at)).map(|t| [t, corrected(t)]).collect();
    let about = About { curve: Some(Curve { raw_unit: "Cel".to_owned(), places }), ..about() };
    let (found, left) = (points(&|t| t), points(&corrected));
    issue(about, &celsius(), 0.95, Some(criterion()), &found, &left).unwrap()
}
