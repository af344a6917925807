//! Pairs of transforms that are watched: what the one in question, and the one beside it, give for the readings of a pair.

use crate::domain::digest::Digest;
use crate::domain::drift::pair::{self, Facts};
use crate::domain::drift::traced::Traced;
use crate::domain::pairing::{How, Method, Pair};
use crate::domain::quality::{ReasonCode, State};
use crate::domain::reference::Origin;
use crate::domain::rollout::Paired;
use crate::domain::sensor::Sensor;
use crate::domain::time::Timestamp;
use crate::domain::units::Unit;
use crate::pipeline::active::Active;
use crate::pipeline::beside::{Beside, Shelf, Versus};
use crate::pipeline::blocks::{Block, Interval, Sum};

/// A value and its standard uncertainty, in a unit.
struct Value<'a> {
    value: f64,
    u: Option<f64>,
    unit: &'a str,
    /// What it has from its standards; `None`: it is the value of the pair, of which that is known.
    traced: Option<&'a Traced>,
}

/// Passes on what a new pair says of the transforms that are watched at its sensor.
pub fn tell(beside: &Beside, sensor: &Sensor, how: &How, pair: &Pair) {
    let of_pair = |shelf: &mut Shelf| {
        let versus = shelf.watch().versus.iter();
        let found = versus.filter_map(|versus| paired(shelf, versus, sensor, how, pair)).collect::<Vec<_>>();
        if pair.origin == Origin::Sensor {
            let (begin, end) = (pair.span.begin(), pair.span.end());
            let interval = Interval { begin, end, seqs: pair.seqs, readings: pair.readings };
            shelf.learn((!pair.span.is_point()).then_some(interval));
        }
        found
    };
    for paired in beside.look(&sensor.id, of_pair).unwrap_or_default() {
        beside.pair(sensor.id.clone(), paired);
    }
}

fn paired(shelf: &Shelf, versus: &Versus, sensor: &Sensor, how: &How, pair: &Pair) -> Option<Paired> {
    let Value { value, u, unit, traced } = value_of(shelf, versus.of, how, pair)?;
    let other = versus.beside.filter(|_| versus.alike);
    let beside = other.and_then(|digest| Some((digest, value_of(shelf, digest, how, pair)?.value)));
    let by = Unit::parse(&pair.unit).ok()?.conversion(&Unit::parse(unit).ok()?).ok()?;
    let (u, u_reference) = (u.filter(|u| *u > 0.0), pair.reference_u.map(|u| u * by.scale.abs()));
    let u_shared =
        traced.map_or(pair.u_shared, |traced| traced.shared(pair.standard.as_ref(), u, u_reference));
    let facts = Facts {
        u,
        u_reference,
        u_shared,
        ..Facts::new(pair.span.end(), value, by.scale * pair.reference_value + by.offset)
    };
    let pair_of_it = pair::Pair::new(sensor.kind, facts).ok()?;
    Some(Paired { of: versus.of, beside, pair: pair_of_it, counts: counts(pair) })
}

/// "Gates count only references from configured sources or sessions": and of these, sound ones beside a sound sensor.
fn counts(pair: &Pair) -> bool {
    let believed = matches!(pair.origin, Origin::Sensor | Origin::Session);
    let doubted = [ReasonCode::Stuck, ReasonCode::Interference];
    believed && pair.flag == State::Valid && !doubted.iter().any(|reason| pair.reasons.contains(*reason))
}

/// What a transform gives for the readings of a pair; `None` where that is not known.
fn value_of<'a>(shelf: &'a Shelf, digest: Digest, how: &How, pair: &'a Pair) -> Option<Value<'a>> {
    let made = pair.transform.as_ref().map(|transform| transform.digest);
    if made == Some(digest) {
        return Some(Value { value: pair.value?, u: pair.u, unit: &pair.unit, traced: None });
    }
    // What was made by another transform than the one that the others were computed beside has no others.
    if made != shelf.active() {
        return None;
    }
    let place = shelf.place(digest)?;
    let Active { unit, traced, .. } = &*shelf.watch().others[place];
    let [value, u] = match how.method {
        Method::Interpolate if pair.span.is_point() && pair.readings == 2 => {
            let (first, second) = both(shelf.readings().single(pair.seqs)?)?;
            let weight = weight(first, second, pair.span.middle())?;
            let [one, other] = [first, second].map(|block| block.other(place));
            [0, 1].map(|part| one[part] + weight * (other[part] - one[part]))
        }
        _ => mean(&shelf.readings().sum(pair.seqs, pair.readings)?, place, pair, **unit == *pair.unit)?,
    };
    let u = Some(u).filter(|u| u.is_finite());
    value.is_finite().then_some(Value { value, u, unit, traced: Some(traced) })
}

/// The mean of another transform, and its standard uncertainty. Where it is not over exactly the readings of the pair, what
/// counts is by how much it differs from that of the transform in force, which is known for exactly those.
fn mean(sum: &Sum, place: usize, pair: &Pair, alike: bool) -> Option<[f64; 2]> {
    let [value, u] = sum.others[place];
    match (sum.is_exact, pair.value) {
        (true, _) => Some([value, u]),
        (false, Some(in_force)) if alike => Some([in_force + (value - sum.value), u]),
        (false, _) => None,
    }
}

/// Two blocks, if there are no more.
fn both<'a>(mut blocks: impl Iterator<Item = &'a Block>) -> Option<(&'a Block, &'a Block)> {
    let both = (blocks.next()?, blocks.next()?);
    blocks.next().is_none().then_some(both)
}

fn weight(first: &Block, second: &Block, at: Timestamp) -> Option<f64> {
    let apart = second.time.micros_since(first.time);
    (apart != 0).then(|| at.micros_since(first.time) as f64 / apart as f64)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::domain::id::{Id, SensorId};
    use crate::domain::quality::Reasons;
    use crate::domain::reference::Span;
    use crate::domain::transform::artifact::Transform;
    use crate::domain::transform::compile;
    use crate::pipeline::beside::{MOST_BESIDE, Shelved, Watch};

    fn pair(origin: Origin) -> Pair {
        let name = |text| Id::new(text).unwrap();
        Pair {
            sensor: name("co-1"),
            reference: name("r-1"),
            span: Span::point(Timestamp::EPOCH),
            value: Some(20.0),
            u: None,
            raw: None,
            reference_value: 19.0,
            reference_u: None,
            u_shared: None,
            unit: "Cel".into(),
            transform: None,
            readings: 1,
            completeness: 1.0,
            seqs: (1, 1),
            state: State::Valid,
            reasons: Reasons::NONE,
            flag: State::Valid,
            standard: None,
            overdue: false,
            origin,
            lag: 0,
            latency: 0,
            covariates: BTreeMap::new(),
        }
    }

    #[test]
    fn only_sound_references_of_configured_sources_and_sessions_count() {
        for (origin, wanted) in [
            (Origin::Sensor, true),
            (Origin::Session, true),
            (Origin::Manual, false),
            (Origin::Import, false),
            (Origin::Mqtt, false),
        ] {
            assert_eq!(counts(&pair(origin)), wanted, "{origin:?}");
        }
        let flagged = Pair { flag: State::Suspect, ..pair(Origin::Sensor) };
        let stuck = Pair { reasons: Reasons::of(ReasonCode::Stuck), ..pair(Origin::Sensor) };
        assert!(!counts(&flagged) && !counts(&stuck));
    }

    const OF: Digest = Digest([1; 32]);

    /// A transform that the standard `bath-1` left 0.05 in.
    fn candidate() -> Arc<Active> {
        let text = r#"{"schema": 1, "id": "t", "epoch": 1, "version": 1, "target": {"fleet": "f", "sensors": ["s"]},
            "quantity": "q", "input_unit": "Cel", "output_unit": "Cel", "pipeline": [{"kind": "offset", "offset": 0}],
            "uncertainty": {"reference_systematic": 0.05}, "provenance": {"standards": ["bath-1"]},
            "issued_at": "1970-01-01T00:00:00Z", "expires": "2100-01-01T00:00:00Z"}"#;
        let transform = Transform::parse(text.as_bytes()).unwrap();
        let compiled = Arc::new(compile(&transform).unwrap());
        Arc::new(Active::of(&transform, OF, compiled, transform.issued_at))
    }

    #[test]
    fn what_a_standard_left_in_a_candidate_does_not_excuse_its_errors() {
        let sensor = SensorId::new("co-1").unwrap();
        let versus = vec![Versus { of: OF, beside: None, alike: false }];
        let shelf = Beside::default();
        shelf.watch(&sensor, Watch { versus, others: vec![candidate()] });
        let mut others = [[f64::NAN; 2]; MOST_BESIDE];
        others[0] = [20.1, 0.05f64.hypot(0.01)];
        let time = Timestamp::EPOCH;
        let reading = Shelved { seq: 1, time, value: 20.0, others, usable: true, measured: true };
        shelf.put(&mut vec![(sensor.clone(), None, reading)]);
        let how = How::suited(None, None);
        for (standard, wanted) in [("bath-1", 5.0), ("bath-2", 0.70)] {
            let standard = Some(Id::new(standard).unwrap());
            let base = pair(Origin::Session);
            let pair = Pair { reference_value: 20.0, reference_u: Some(0.05), standard, ..base };
            let versus = Versus { of: OF, beside: None, alike: false };
            let found = shelf
                .look(&sensor, |shelf| paired(shelf, &versus, &Sensor::plain("co-1", "Cel"), &how, &pair));
            let en = found.flatten().unwrap().pair.en().unwrap();
            assert!((en - wanted).abs() < 5e-3, "{en} instead of {wanted}");
        }
    }
}
