//! From a recalibration session to its certificate.

use super::error::{CertificateError, Problem};
use super::{
    About, Certificate, Condition, Criterion, Curve, Item, Location, MOST, Measured, Method, Office, Party,
    Person, SignedBy, Transforms, issue,
};
use crate::domain::id::Id;
use crate::domain::reference::Standard;
use crate::domain::sensor::Instrument;
use crate::domain::session::{self, Candidate, Plan, Point, Session};
use crate::domain::time::Timestamp;
use crate::domain::transform::artifact::Transform;
use crate::domain::trust::key::{KeyId, PublicKey};
use crate::domain::units::Unit;

/// What neither the session nor the configuration knows of a certificate.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// Its number.
    pub number: String,
    /// When it is issued.
    pub issued: Timestamp,
    /// The gateway's own key.
    pub gateway: &'a PublicKey,
    /// The keys that are to sign it.
    pub technicians: Vec<KeyId>,
    /// Those of them that the gateway holds.
    pub held: Vec<KeyId>,
    /// Who authorises it.
    pub author: Person,
}

/// What the numbers of a gateway's certificates of one year begin with.
pub fn series(gateway: &Id, issued: Timestamp) -> String {
    format!("{gateway}-{}-", &issued.to_string()[..4])
}

/// The number of the certificate at a place of its series, which begins with 1.
pub fn numbered(series: &str, place: u64) -> String {
    format!("{series}{place:04}")
}

/// The series and the place of a number; `None`: it is none of a gateway's.
pub fn placed(number: &str) -> Option<(&str, u64)> {
    let (series, place) = number.split_at(number.rfind('-')? + 1);
    Some((series, place.parse().ok()?))
}

/// Makes the certificate of a session whose last round is judged.
///
/// Maximum permissible error, rule and coverage probability are those that the session was judged by. Points that were
/// measured without a transform have no values, so nothing can be stated of them: the deviations say so.
///
/// # Errors
/// With the field and what is wrong.
pub fn of_session(
    session: &Session,
    office: &Office,
    facts: Facts<'_>,
) -> Result<Certificate, CertificateError> {
    let plan = &session.plan;
    let unit = Unit::parse(&plan.unit).map_err(|_| Problem::Unit(plan.unit.clone()).at("results.unit"))?;
    let criterion = Criterion { mpe: plan.mpe, rule: plan.rule };
    let [found, left] = [&session.as_found, &session.as_left].map(|points| measured(plan, points));
    let mut certificate =
        issue(about(session, office, facts), &unit, plan.level, Some(criterion), &found, &left)?;
    if let Some(conformity) = &mut certificate.results.conformity {
        // A round is as good as its worst point, and of one without a value nobody knows how bad it is.
        conformity.as_found = conformity.as_found.filter(|_| session::worst(&session.as_found).is_some());
        conformity.as_left = conformity.as_left.filter(|_| session::worst(&session.as_left).is_some());
    }
    Ok(certificate)
}

/// The points that have values.
fn measured(plan: &Plan, points: &[Point]) -> Vec<Measured> {
    let one = |point: &Point| {
        Some(Measured {
            role: point.role,
            standard: point.offered.standard.clone(),
            // A clock that was set back may have the end before the beginning.
            during: [point.began.min(point.ended), point.ended],
            reference: point.offered.value,
            raw: Some(point.course.raw),
            indication: point.value?,
            readings: point.course.readings,
            parts: session::parts(plan, point.offered.u, &point.course),
        })
    };
    points.iter().filter_map(one).collect()
}

fn about(session: &Session, office: &Office, facts: Facts<'_>) -> About {
    let plan = &session.plan;
    let before = plan.in_force.as_ref().map(|it| it.digest);
    let adjusted = session.adjusted();
    let expires = adjusted.and_then(|candidate| {
        let transform = Transform::parse(candidate.payload.as_bytes()).ok()?;
        Some(transform.expires)
    });
    About {
        number: facts.number,
        title: office.title.clone(),
        fleet: plan.fleet.clone(),
        gateway: plan.gateway.clone(),
        session: session.id.to_string(),
        issued: facts.issued,
        received: None,
        laboratory: office.laboratory.clone(),
        customer: customer(plan, office),
        location: Location {
            description: plan.words.location.as_ref().unwrap_or(&office.location.description).clone(),
            ..office.location.clone()
        },
        item: Item {
            sensor: plan.sensor.clone(),
            quantity: plan.quantity.clone(),
            instrument: instrument(plan),
            condition: plan.words.condition.clone(),
        },
        method: Method {
            description: plan.words.procedure.clone().or_else(|| office.method.description.clone()),
            ..office.method.clone()
        },
        conditions: conditions(session),
        standards: standards(session),
        deviations: deviations(session),
        recommended: expires.and_then(|expires| office.recommend(expires)),
        authorised_by: facts.author,
        transforms: Transforms { before, after: adjusted.map(|candidate| candidate.digest).or(before) },
        curve: adjusted.and_then(|candidate| curve(plan, candidate)),
        signed_by: SignedBy {
            gateway: facts.gateway.clone(),
            technicians: facts.technicians,
            held: facts.held,
        },
    }
}

/// Rounds with their names, as a certificate's sentences have them.
fn rounds(session: &Session) -> [(&'static str, &Vec<Point>); 2] {
    [("as found", &session.as_found), ("as left", &session.as_left)]
}

/// Of somebody who was named on site no more is known than the name; the country is taken for the laboratory's.
fn customer(plan: &Plan, office: &Office) -> Option<Party> {
    let Some(name) = &plan.words.customer else { return office.customer.clone() };
    let known = office.customer.as_ref().filter(|known| known.name == *name);
    Some(known.cloned().unwrap_or_else(|| Party {
        name: name.clone(),
        address: Vec::new(),
        country: office.laboratory.party.country.clone(),
        email: None,
        phone: None,
    }))
}

fn instrument(plan: &Plan) -> Option<Instrument> {
    let item = plan.item.clone();
    Some(Instrument {
        model: item.model?,
        serial: item.serial?,
        make: item.make,
        element_serial: item.element_serial,
        firmware: item.firmware,
        comment: None,
    })
}

/// The covariates over all points.
fn conditions(session: &Session) -> Vec<Condition> {
    let mut all: Vec<session::Condition> = Vec::new();
    let points = session.as_found.iter().chain(&session.as_left);
    for one in points.flat_map(|point| &point.conditions) {
        let known =
            all.iter_mut().find(|it| it.role == one.role && it.sensor == one.sensor && it.unit == one.unit);
        match known {
            Some(known) => known.values = known.values.merged(one.values),
            None => all.push(one.clone()),
        }
    }
    let stated = |it: session::Condition| Condition {
        name: it.role,
        sensor: Some(it.sensor),
        unit: it.unit,
        mean: it.values.mean,
        least: it.values.min,
        greatest: it.values.max,
        u: None,
    };
    all.into_iter().filter(|it| it.values.n > 0).take(MOST).map(stated).collect()
}

/// The standards of points that stand on the certificate.
fn standards(session: &Session) -> Vec<Standard> {
    let stated = |point: &&Point| point.value.is_some();
    let points = || session.as_found.iter().chain(&session.as_left).filter(stated);
    let named = |id: &Id| points().any(|point| point.offered.standard.as_ref() == Some(id));
    session.standards.iter().filter(|standard| named(&standard.id)).cloned().collect()
}

/// What the session has to say of itself, and what the technician has.
fn deviations(session: &Session) -> Vec<String> {
    let plan = &session.plan;
    let clock = (!plan.clock_trusted).then(|| {
        "The clock of the gateway was not synchronised when the work began: dates are those of its own clock."
            .to_owned()
    });
    let item = instrument(plan).is_none().then(|| {
        "Model or serial number of the instrument are not known: the item is named by its place only."
            .to_owned()
    });
    let stepped = points(session, |point| point.clock_stepped).map(|points| {
        format!("The clock of the gateway was set during: {points}. Durations do not go by it.")
    });
    let rejected = points(session, |point| point.rejected > 0)
        .map(|points| format!("Readings without a value were left out at: {points}."));
    let without = points(session, |point| point.value.is_none()).map(|points| {
        format!("Without a transform, so without values that could be compared, were: {points}. They are not stated, nor is their round as a whole.")
    });
    let own_u = points(session, |point| is_off_its_standard(session, point)).map(|points| {
        format!("Not the certified values of their standards, but with uncertainties of their own, were the references of: {points}.")
    });
    let own = [clock, item, stepped, rejected, without, own_u].into_iter().flatten();
    own.chain(plan.words.remarks.iter().cloned()).collect()
}

/// Whether a point's reference is not what its standard is certified for.
fn is_off_its_standard(session: &Session, point: &Point) -> bool {
    let offered = &point.offered;
    let named = |standard: &&Standard| Some(&standard.id) == offered.standard.as_ref();
    // What another sensor measured has no certified value.
    let Some(standard) = session.standards.iter().find(named).filter(|_| offered.source.is_none()) else {
        return false;
    };
    let (value, code) = match &offered.given {
        Some((value, unit)) => (*value, unit),
        None => (offered.value, &session.plan.unit),
    };
    Unit::parse(code).is_ok_and(|unit| standard.contradicts(value, &unit).is_some())
}

/// The points of which something holds, by round and place.
fn points(session: &Session, holds: impl Fn(&Point) -> bool) -> Option<String> {
    let named = |(name, points): (&'static str, &Vec<Point>)| -> Vec<String> {
        let all = points.iter().enumerate().filter(|(_, point)| holds(point));
        all.map(|(at, _)| format!("{name} {}", at + 1)).collect()
    };
    let all: Vec<String> = rounds(session).into_iter().flat_map(named).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// The new transform over its raw readings, where it has values.
fn curve(plan: &Plan, candidate: &Candidate) -> Option<Curve> {
    let place = |(raw, _, after): &(f64, Option<f64>, Option<f64>)| Some([*raw, (*after)?]);
    let places: Vec<[f64; 2]> = candidate.curve.iter().filter_map(place).collect();
    (places.len() > 1).then(|| Curve { raw_unit: plan.input_unit.clone(), places })
}
