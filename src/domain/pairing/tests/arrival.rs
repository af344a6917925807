//! In whichever order readings and references come, the pairs are the same.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Seconds a reading may be on its way; below the grace.
const ON_ITS_WAY: i64 = 50;

#[derive(Debug, Clone)]
enum Event {
    Reading(Observed),
    Reference(Reference),
}

/// A reading: second, how long it is on its way, value, what is the matter with it, its transform.
fn readings() -> impl Strategy<Value = Vec<(i64, Observed)>> {
    let one = (0i64..1200, 0..=ON_ITS_WAY, -1e3..1e3f64, 0u8..12, 1u64..3);
    prop::collection::vec(one, 0..150).prop_map(|list| {
        let mut list: Vec<(i64, Observed)> = list
            .into_iter()
            .map(|(second, delay, value, matter, version)| {
                let mut one = Observed { transform: transform(version), ..reading(0, second, value) };
                if matter == 0 {
                    one = flagged(one, ReasonCode::Maintenance);
                }
                (second + delay, one)
            })
            .collect();
        // Numbers are given on arrival.
        list.sort_by_key(|(arrival, _)| *arrival);
        list.iter_mut().zip(1..).for_each(|((_, reading), seq)| reading.seq = seq);
        list
    })
}

fn references() -> impl Strategy<Value = Vec<(i64, Reference)>> {
    let one = (0i64..1200, 0i64..2000, prop::option::of(prop::sample::select(vec![60u64, 90, 300])));
    prop::collection::vec(one, 0..12).prop_map(|list| {
        let made = list.into_iter().enumerate().map(|(number, (second, delay, interval))| {
            let span = match interval {
                // Whole minutes are gathered as they come, the rest is not.
                Some(60) => Span::over(at(second / 60 * 60), Duration::from_secs(60), Stamp::Begin).unwrap(),
                Some(length) => Span::over(at(second), Duration::from_secs(length), Stamp::End).unwrap(),
                None => Span::point(at(second)),
            };
            let received = span.end().saturating_add_micros(delay * SECOND);
            let id = Id::new(&format!("r-{number}")).unwrap();
            (received.as_micros() / SECOND, Reference { id, received, ..reference(span, 5.0) })
        });
        made.collect()
    })
}

fn methods() -> impl Strategy<Value = Method> {
    let window = Method::Mean(Duration::from_secs(120));
    prop::sample::select(vec![Method::Nearest, Method::Interpolate, window])
}

/// Lets everything come in its time, and looks into all that came where the memory is too short.
fn in_time(events: &[(i64, Event)], how: How, most: usize) -> BTreeMap<Id, Outcome> {
    let interval = Some(Interval { length: Duration::from_secs(60) });
    let mut pairing = Pairing::new(how, most, interval, at(0));
    let (mut stored, mut found) = (Vec::<Observed>::new(), BTreeMap::new());
    let (late, mut aside) = (at(100_000), Vec::<Reference>::new());
    let steps = events.iter().map(|(second, event)| (at(*second), Some(event))).chain([(late, None)]);
    for (now, event) in steps {
        match event {
            Some(Event::Reading(reading)) => {
                stored.push(reading.clone());
                pairing.reading(reading.clone());
            }
            Some(Event::Reference(reference)) => pairing.reference(reference.clone(), now).unwrap(),
            None => {}
        }
        if pairing.due().is_some_and(|due| due <= now) {
            for decision in pairing.settle(now) {
                let (reference, outcome) = match decision {
                    Decision::Settled(reference, outcome) => (reference, outcome),
                    Decision::Look(reference, window) => {
                        let within = |one: &&Observed| window.since <= one.time && one.time < window.until;
                        let mut readings = stored.iter().rev().filter(within).cloned();
                        // Whatever it may yet wait for, by then all has come.
                        let outcome = match pair(&reference, &mut readings, &how, now) {
                            Outcome::Waiting { .. } => {
                                aside.push(reference);
                                continue;
                            }
                            outcome => outcome,
                        };
                        (reference, outcome)
                    }
                };
                assert!(found.insert(reference.id, outcome).is_none(), "settled once");
            }
        }
    }
    assert_eq!(pairing.due(), None);
    for reference in aside {
        let outcome = pair(&reference, &mut stored.iter().cloned(), &how, late);
        assert!(found.insert(reference.id, outcome).is_none(), "settled once");
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn pairs_do_not_depend_on_what_came_first(
        readings in readings(),
        references in references(),
        method in methods(),
        period in prop::option::of(1u64..60),
        most in 0usize..60,
    ) {
        let how = How { period: period.map(Duration::from_secs), max_age: Duration::from_secs(100), ..how(method) };
        let all: Vec<Observed> = readings.iter().map(|(_, reading)| reading.clone()).collect();
        let mut events: Vec<(i64, Event)> =
            readings.into_iter().map(|(second, reading)| (second, Event::Reading(reading))).collect();
        events.extend(references.iter().map(|(second, one)| (*second, Event::Reference(one.clone()))));
        events.sort_by_key(|(second, _)| *second);
        let found = in_time(&events, how, most);
        let expected: BTreeMap<Id, Outcome> = references
            .iter()
            .map(|(_, one)| (one.id.clone(), pair(one, &mut all.iter().cloned(), &how, at(100_000))))
            .collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn a_reading_serves_a_reference_once_and_either_way_is_the_same(
        readings in readings(),
        references in references(),
        method in methods(),
    ) {
        let how = how(method);
        let all: Vec<Observed> = readings.into_iter().map(|(_, reading)| reading).collect();
        let twice: Vec<Observed> = all.iter().flat_map(|one| [one.clone(), one.clone()]).collect();
        let from_the_start: Vec<Observed> = all.iter().chain(&all).cloned().collect();
        for (_, reference) in &references {
            let outcome = paired(reference, &all, &how);
            prop_assert_eq!(&paired(reference, &twice, &how), &outcome);
            prop_assert_eq!(&paired(reference, &from_the_start, &how), &outcome);
            let back: Vec<Observed> = all.iter().rev().cloned().collect();
            prop_assert_eq!(&paired(reference, &back, &how), &outcome);
            if let Outcome::Paired(pair) = outcome {
                prop_assert!(pair.readings <= all.len() as u64);
                prop_assert!(pair.completeness <= 1.0 && pair.completeness >= COMPLETENESS);
                let values: Vec<f64> = all.iter().filter_map(|one| one.value).collect();
                let least = values.iter().copied().fold(f64::INFINITY, f64::min);
                let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                prop_assert!(pair.value.is_some_and(|value| least - 1e-9 <= value && value <= most + 1e-9));
            }
        }
    }
}
