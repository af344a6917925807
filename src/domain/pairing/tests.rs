use std::sync::Arc;

use super::*;
use crate::domain::digest::Digest;
use crate::domain::id::Id;
use crate::domain::quality::{ReasonCode, Reasons, State};
use crate::domain::reference::{Origin, Stamp};
use crate::domain::sample::TransformRef;

mod arrival;

const SECOND: i64 = 1_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::EPOCH.saturating_add_micros(second * SECOND)
}

fn transform(version: u64) -> Option<Arc<TransformRef>> {
    let digest = Digest::of(&[&version.to_be_bytes()]);
    Some(Arc::new(TransformRef { id: Id::new("co").unwrap(), version, digest }))
}

fn reading(seq: u64, second: i64, value: f64) -> Observed {
    Observed {
        seq,
        time: at(second),
        raw: Some(value * 10.0),
        value: Some(value),
        u: Some(0.5),
        unit: "mg/m3".into(),
        state: State::Valid,
        reasons: Reasons::NONE,
        transform: transform(1),
        event: None,
    }
}

fn flagged(reading: Observed, reason: ReasonCode) -> Observed {
    Observed { state: State::Suspect, reasons: Reasons::of(reason), ..reading }
}

/// Every ten seconds from `from` on.
fn regular(from: i64, count: u64) -> Vec<Observed> {
    (0..count).map(|n| reading(n + 1, from + 10 * n as i64, n as f64)).collect()
}

fn reference(span: Span, value: f64) -> Reference {
    Reference {
        id: Id::new("r-1").unwrap(),
        sensor: Id::new("co-1").unwrap(),
        span,
        value,
        u: Some(0.1),
        unit: "mg/m3".into(),
        given: None,
        standard: None,
        due: None,
        flag: State::Valid,
        origin: Origin::Manual,
        source: None,
        event: None,
        received: span.end(),
    }
}

fn hour(value: f64) -> Reference {
    reference(Span::over(at(7200), Duration::from_secs(3600), Stamp::End).unwrap(), value)
}

fn spot(second: i64) -> Reference {
    reference(Span::point(at(second)), 5.0)
}

fn how(method: Method) -> How {
    How { method, ..How::suited(None, None) }
}

fn by_ten(method: Method) -> How {
    How { period: Some(Duration::from_secs(10)), ..how(method) }
}

fn paired(reference: &Reference, readings: &[Observed], how: &How) -> Outcome {
    pair(reference, &mut readings.iter().cloned(), how, at(1_000_000))
}

fn one(outcome: Outcome) -> Pair {
    match outcome {
        Outcome::Paired(pair) => *pair,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_interval_pairs_with_the_mean_of_its_readings() {
    // An hour before and an hour after do not count.
    let pair = one(paired(&hour(5.0), &regular(0, 1080), &by_ten(Method::Nearest)));
    assert_eq!((pair.value, pair.raw, pair.u), (Some(539.5), Some(5395.0), Some(0.5)));
    assert_eq!((pair.readings, pair.completeness, pair.seqs), (360, 1.0, (361, 720)));
    assert_eq!((pair.reference_value, pair.reference_u, &*pair.unit), (5.0, Some(0.1), "mg/m3"));
    assert_eq!(pair.lag, -5 * SECOND, "the readings are at the begin of their ten seconds");
    assert_eq!(pair.latency, 1805 * SECOND);
    assert_eq!(pair.transform, transform(1));
}

#[test]
fn three_quarters_of_an_interval_are_enough_and_less_is_not() {
    let readings = regular(3600, 360);
    let by = by_ten(Method::Nearest);
    assert_eq!(one(paired(&hour(5.0), &readings[..270], &by)).completeness, 0.75);
    let few = paired(&hour(5.0), &readings[..269], &by);
    let (why, left_out) = (Reasons::NONE, 0);
    assert_eq!(few, Outcome::TooFew { used: 269, expected: Some(360), left_out, why });
    let said = few.sentence(&hour(5.0));
    assert!(said.contains("of 360 readings of co-1 from 1970-01-01T01:00:00.000000Z to"), "{said}");
    assert!(said.contains("269 can be used, and 75 % are needed"), "{said}");
    assert_eq!(paired(&hour(5.0), &[], &by), Outcome::NoReading { left_out: 0, why });
}

#[test]
fn what_was_not_measuring_is_left_out_and_what_is_suspect_is_not() {
    let mut readings = regular(3600, 360);
    for (n, reason) in [
        ReasonCode::Maintenance,
        ReasonCode::ZeroCheck,
        ReasonCode::SpanCheck,
        ReasonCode::WarmUp,
        ReasonCode::OutOfDomain,
        ReasonCode::TimeUntrusted,
    ]
    .into_iter()
    .enumerate()
    {
        readings[n] = flagged(readings[n].clone(), reason);
    }
    readings[6].state = State::Invalid;
    readings[7].state = State::Missing;
    readings[8].value = None;
    let pair = one(paired(&hour(5.0), &readings, &by_ten(Method::Nearest)));
    assert_eq!(pair.readings, 353);
    assert_eq!(pair.state, State::Suspect);
    assert_eq!(pair.reasons.names().collect::<Vec<_>>(), ["out_of_domain", "time_untrusted"]);
    let all: Vec<Observed> =
        readings.iter().map(|one| flagged(one.clone(), ReasonCode::Maintenance)).collect();
    let said = paired(&hour(5.0), &all, &by_ten(Method::Nearest)).sentence(&hour(5.0));
    assert!(said.ends_with("; 360 were left out (maintenance)"), "{said}");
}

#[test]
fn without_a_period_the_readings_own_spacing_says_how_many_there_should_be() {
    let hourly = |hours: &[i64]| -> Vec<Observed> {
        hours.iter().enumerate().map(|(n, hour)| reading(n as u64 + 1, hour * 3600, 1.0)).collect()
    };
    let by = how(Method::Nearest);
    assert_eq!(one(paired(&hour(5.0), &hourly(&[0, 1, 2]), &by)).readings, 1, "an hour before says enough");
    let alone = paired(&hour(5.0), &hourly(&[1, 2]), &by);
    assert!(matches!(alone, Outcome::TooFew { used: 1, expected: None, .. }));
    assert!(alone.sentence(&hour(5.0)).contains("period"));
    let half = paired(&hour(5.0), &regular(3600, 180), &by);
    assert!(matches!(half, Outcome::TooFew { used: 180, expected: Some(360), .. }));
    assert_eq!(window(&hour(5.0), &by).since, at(-3600), "twice the interval before it");
    assert_eq!(window(&hour(5.0), &by_ten(Method::Nearest)), Window { since: at(3600), until: at(7200) });
}

#[test]
fn an_interval_in_which_the_transform_changed_goes_to_the_one_that_made_most_of_it() {
    let changed = |place: usize| {
        let mut readings = regular(3600, 360);
        readings[place..].iter_mut().for_each(|reading| reading.transform = transform(2));
        paired(&hour(5.0), &readings, &by_ten(Method::Nearest))
    };
    let pair = one(changed(90));
    assert_eq!((pair.readings, pair.transform, pair.completeness), (270, transform(2), 0.75));
    assert_eq!(one(changed(270)).transform, transform(1));
    assert_eq!(changed(180), Outcome::Changed);
    assert!(changed(180).sentence(&hour(5.0)).contains("transform"));
}

#[test]
fn without_an_interval_the_nearest_reading_counts() {
    let readings = regular(0, 100);
    let by = how(Method::Nearest);
    assert_eq!(one(paired(&spot(104), &readings, &by)).seqs, (11, 11));
    assert_eq!(one(paired(&spot(105), &readings, &by)).seqs, (11, 11), "of two as near the earlier one");
    assert_eq!(one(paired(&spot(106), &readings, &by)).lag, 4 * SECOND);
    assert_eq!(one(paired(&spot(990 + 900), &readings, &by)).lag, -900 * SECOND);
    assert!(matches!(paired(&spot(990 + 901), &readings, &by), Outcome::NoReading { .. }));
    let mut out = readings.clone();
    out[10] = flagged(out[10].clone(), ReasonCode::ZeroCheck);
    assert_eq!(one(paired(&spot(101), &out, &by)).seqs, (12, 12));
}

#[test]
fn a_slow_reference_pairs_with_what_it_saw() {
    let suited = How::suited(Some(Duration::from_secs(10)), Some(Duration::from_secs(60)));
    assert_eq!(suited.method, Method::Mean(Duration::from_secs(60)));
    let pair = one(paired(&spot(160), &regular(0, 100), &suited));
    assert_eq!((pair.seqs, pair.value), ((11, 16), Some(12.5)));
    assert_eq!(
        How::suited(Some(Duration::from_secs(20)), Some(Duration::from_secs(60))).method,
        Method::Nearest
    );
}

#[test]
fn interpolation_is_on_the_line_between_the_readings_around() {
    let by = how(Method::Interpolate);
    let pair = one(paired(&spot(104), &regular(0, 100), &by));
    assert_eq!((pair.value, pair.u, pair.seqs, pair.lag), (Some(10.4), Some(0.5), (11, 12), 0));
    assert_eq!(one(paired(&spot(100), &regular(0, 100), &by)).readings, 1);
    assert!(matches!(paired(&spot(991), &regular(0, 100), &by), Outcome::NoReading { .. }));
    let mut readings = regular(0, 100);
    readings[11].transform = transform(2);
    assert_eq!(paired(&spot(104), &readings, &by), Outcome::Changed);
}

#[test]
fn it_is_told_until_when_to_wait() {
    let outcome = |reference: &Reference, readings: &[Observed], by: &How, now| {
        pair(reference, &mut readings.iter().cloned(), by, at(now))
    };
    let until = |second| Outcome::Waiting { until: at(second) };
    let by = how(Method::Nearest);
    assert_eq!(outcome(&hour(5.0), &regular(3600, 360), &by, 7259), until(7260));
    assert!(!outcome(&hour(5.0), &regular(3600, 360), &by, 7260).is_waiting());
    assert_eq!(outcome(&spot(1000), &[], &by, 1000), until(1000 + 900 + 60));
    assert_eq!(outcome(&spot(1000), &[reading(1, 993, 1.0)], &by, 1000), until(1067));
    let by = how(Method::Interpolate);
    assert_eq!(outcome(&spot(1000), &[reading(1, 993, 1.0)], &by, 1000), until(1960));
    let said = until(1067).sentence(&spot(1000));
    assert!(said.contains("waits") && said.contains("1970-01-01T00:17:47.000000Z"), "{said}");
}

#[test]
fn an_uncertainty_that_one_reading_lacks_is_none() {
    let mut readings = regular(3600, 360);
    readings[3].u = None;
    readings[4].raw = None;
    let pair = one(paired(&hour(5.0), &readings, &by_ten(Method::Nearest)));
    assert_eq!((pair.u, pair.raw, pair.value), (None, None, Some(179.5)));
}

#[test]
fn pairs_are_in_the_unit_of_the_values() {
    let by = how(Method::Nearest);
    let micrograms = Reference { unit: "ug/m3".into(), value: 4000.0, u: Some(100.0), ..spot(100) };
    let pair = one(paired(&micrograms, &regular(0, 100), &by));
    assert_eq!((pair.reference_value, pair.reference_u, &*pair.unit), (4.0, Some(0.1), "mg/m3"));
    let other = Reference { unit: "ppb".into(), ..spot(100) };
    let outcome = paired(&other, &regular(0, 100), &by);
    assert_eq!(outcome, Outcome::OtherUnit { values: "mg/m3".into() });
    let said = outcome.sentence(&other);
    assert!(said.contains("`mg/m3`") && said.contains("`ppb`"), "{said}");
}

#[test]
fn before_the_first_transform_raw_values_are_paired() {
    let raw = |unit: &str| Observed {
        value: None,
        u: None,
        transform: None,
        unit: unit.into(),
        ..reading(1, 100, 2.0)
    };
    let by = how(Method::Nearest);
    let pair = one(paired(&spot(100), &[raw("nA")], &by));
    assert_eq!((pair.value, pair.raw, &*pair.unit), (None, Some(20.0), "mg/m3"));
    let pair = one(paired(&spot(100), &[raw("ug/m3")], &by));
    assert_eq!((pair.value, pair.reference_value, &*pair.unit), (Some(20.0), 5000.0, "ug/m3"));
}

#[test]
fn labels_find_the_reading_of_their_event_else_the_nearest() {
    let with = |seq, second, event: Option<&str>| Observed {
        unit: "1".into(),
        event: event.map(Arc::from),
        ..reading(seq, second, 0.5)
    };
    let label =
        |event: &str| Reference { unit: "1".into(), value: 1.0, event: Some(event.into()), ..spot(5000) };
    let readings = [with(1, 0, Some("e1")), with(2, 10, Some("e2")), with(3, 4999, Some("e3"))];
    let by = how(Method::Nearest);
    assert_eq!(one(paired(&label("e2"), &readings, &by)).seqs, (2, 2), "however long ago");
    assert!(matches!(paired(&label("e9"), &readings, &by), Outcome::NoReading { .. }), "not another's");
    let nameless = [with(1, 4990, None), with(2, 4999, Some("e3")), with(3, 5001, None)];
    assert_eq!(one(paired(&label("e9"), &nameless, &by)).seqs, (3, 3));
    let early = pair(&label("e3"), &mut nameless.iter().cloned(), &by, at(5000));
    assert_eq!(one(early).seqs, (2, 2), "nothing to wait for");
}

#[test]
fn a_label_that_waits_is_looked_up_once_the_reading_of_its_event_has_come() {
    let named = |seq, event: &str| Observed {
        unit: "1".into(),
        event: Some(event.into()),
        ..reading(seq, 5000 + seq as i64, 0.5)
    };
    let label = Reference { unit: "1".into(), value: 1.0, event: Some("e1".into()), ..spot(5000) };
    for most in [0, 4] {
        let mut pairing = Pairing::new(how(Method::Nearest), most, None, at(4000));
        pairing.reference(label.clone(), at(5000)).unwrap();
        assert_eq!(pairing.settle(at(5000)), []);
        pairing.reading(named(1, "e2"));
        assert_eq!(pairing.settle(at(5002)), [], "not another's");
        pairing.reading(named(2, "e1"));
        assert!(pairing.due().is_some_and(|due| due <= at(5003)));
        let settled = pairing.settle(at(5003));
        match &settled[..] {
            [Decision::Look(found, _)] if most == 0 => assert_eq!(*found, label),
            [Decision::Settled(_, outcome)] if most > 0 => assert_eq!(one(outcome.clone()).seqs, (2, 2)),
            other => panic!("{other:?}"),
        }
        assert_eq!(pairing.due(), None);
    }
}

#[test]
fn an_invalid_reference_is_never_paired_and_a_suspect_one_says_so() {
    let by = how(Method::Nearest);
    let invalid = Reference { flag: State::Invalid, ..spot(100) };
    assert_eq!(paired(&invalid, &regular(0, 100), &by), Outcome::Flagged);
    let suspect = Reference { flag: State::Suspect, due: Some(at(99)), ..spot(100) };
    let pair = one(paired(&suspect, &regular(0, 100), &by));
    assert!(pair.flag == State::Suspect && pair.overdue);
}

#[test]
fn a_covariate_is_averaged_like_the_value_beside_it() {
    let readings = regular(3600, 360);
    assert_eq!(beside(hour(0.0).span, &mut readings.iter().cloned()), Some(179.5));
    assert_eq!(beside(Span::point(at(3617)), &mut readings.iter().cloned()), Some(2.0));
    assert_eq!(beside(Span::point(at(10_000)), &mut readings.iter().cloned()), None);
}

#[test]
fn a_pair_knows_which_version_of_its_reference_it_is_of() {
    let by = how(Method::Nearest);
    let given = Reference { unit: "ug/m3".into(), value: 4321.0, ..spot(100) };
    let pair = one(paired(&given, &regular(0, 100), &by));
    let changed: [fn(&mut Reference); 6] = [
        |it| it.value = 4322.0,
        |it| it.u = None,
        |it| it.flag = State::Suspect,
        |it| it.standard = Some(Id::new("gas-7").unwrap()),
        |it| it.span = Span::point(at(101)),
        |it| it.received = at(102),
    ];
    assert!(pair.is_of(&given));
    assert!(pair.is_of(&Reference { received: at(99), ..given.clone() }), "the same came once more");
    for change in changed {
        let mut other = given.clone();
        change(&mut other);
        assert!(!pair.is_of(&other), "{other:?}");
    }
    let raw = Observed { value: None, u: None, transform: None, unit: "nA".into(), ..reading(1, 100, 2.0) };
    assert!(one(paired(&spot(100), &[raw], &by)).is_of(&spot(100)), "in the unit of the reference");
}
