//! Pair by pair is the same as over all pairs at once, and as before a restart.

use proptest::prelude::*;

use super::*;
use crate::domain::drift::{measurement, probability};
use crate::domain::fit::{Column, Pairs};
use crate::domain::stats::n_effective;

const MPE: Mpe = Mpe { absolute: Some(0.5), relative: Some(0.05), combine: Combine::Max };

fn setup(kind: Kind) -> Setup {
    Setup { mpe: Some(MPE), ..Setup::new(kind) }
}

/// Errors around a bias, with one far away now and then.
fn facts() -> impl Strategy<Value = Vec<Facts>> {
    let error = prop_oneof![9 => -1.0..1.0f64, 1 => -50.0..50.0f64, 1 => Just(0.0)];
    let u = (0.01..2.0f64, 0.01..2.0f64, 0.0..0.99f64);
    let row = (0..300i64, error, -30.0..30.0f64, u, -5.0..5.0f64);
    (prop::collection::vec(row, 1..150), prop_oneof![Just(0.0), -1e6..1e6f64]).prop_map(|(rows, bias)| {
        let facts = |(hours, error, reference, (u, u_reference, shared), raw): (
            i64,
            f64,
            f64,
            (f64, f64, f64),
            f64,
        )| Facts {
            raw: Some(reference + raw),
            u: Some(u),
            u_reference: Some(u_reference),
            u_shared: Some(shared * u.min(u_reference)),
            ..Facts::new(at(hours), reference + bias + error, reference)
        };
        rows.into_iter().map(facts).collect()
    })
}

fn chances() -> impl Strategy<Value = Vec<Facts>> {
    let p = prop_oneof![0.0..=1.0f64, (0..=15u32).prop_map(|at| f64::from(at) / 15.0)];
    let row = (0..300i64, p, any::<bool>(), -0.2..1.2f64);
    prop::collection::vec(row, 1..150).prop_map(|rows| {
        let facts = |(hours, p, label, raw)| Facts {
            raw: Some(raw),
            ..Facts::new(at(hours), p, f64::from(u8::from(label)))
        };
        rows.into_iter().map(facts).collect()
    })
}

fn checked(kind: Kind, facts: &[Facts]) -> Vec<Pair> {
    facts.iter().map(|facts| Pair::new(kind, *facts).unwrap()).collect()
}

/// The pairs that the window covers, pane after pane, in the order in which they came.
fn covered(window: &Window, pairs: &[Pair], now: Timestamp) -> Vec<Pair> {
    // what is ahead of now, but in its pane, counts
    let (start, end) = (window.report(now, None).window[0], window.pane(now)[1]);
    let mut kept: Vec<Pair> =
        pairs.iter().filter(|pair| pair.time >= start && pair.time <= end).copied().collect();
    kept.sort_by_key(|pair| window.pane(pair.time));
    kept
}

/// The same by the computation over all pairs.
fn batch(pairs: &[Pair], value: fn(&Pair) -> f64) -> Pairs {
    let column = |name: &str, of: &dyn Fn(&Pair) -> f64| Column::new(name, pairs.iter().map(of).collect());
    let made =
        Pairs::new(vec![column("value", &value)], column("reference", &|pair| pair.reference)).unwrap();
    let u = |name: &str, of: fn(&Pair) -> Option<f64>| column(name, &move |pair| of(pair).unwrap_or(1.0));
    made.with_ux(u("u", |pair| pair.u))
        .and_then(|it| it.with_uy(u("u_reference", |pair| pair.u_reference)))
        .unwrap()
}

#[track_caller]
fn close(found: Option<f64>, expected: Option<f64>, scale: f64, what: &str) {
    let (Some(found), Some(expected)) = (found, expected) else {
        assert_eq!(found, expected, "{what}");
        return;
    };
    assert!((found - expected).abs() <= 1e-12 * scale, "{what}: {found} {expected} {scale}");
}

fn lag1(errors: &[f64], mean: f64) -> Option<f64> {
    let squares: f64 = errors.iter().map(|error| (error - mean).powi(2)).sum();
    let lagged: f64 = errors.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
    (errors.len() > 2 && squares > 0.0).then(|| lagged / squares)
}

fn same_as_at_once(window: &Window, pairs: &[Pair], now: Timestamp) {
    let kept = covered(window, pairs, now);
    let report = window.report(now, None);
    assert_eq!((report.calibrated.n, window.count(now)), (kept.len() as u64, kept.len() as u64));
    if kept.is_empty() {
        return;
    }
    let shared: Vec<f64> = kept.iter().map(|pair| pair.u_shared.unwrap_or(0.0)).collect();
    let agreement = measurement::Agreement { shared: Some(&shared), ..measurement::Agreement::default() };
    for (scores, value) in
        [(report.calibrated, (|pair| pair.value) as fn(&Pair) -> f64), (report.raw, |pair| pair.raw.unwrap())]
    {
        let all = measurement::evaluate(&batch(&kept, value), &agreement).unwrap();
        close(scores.bias, Some(all.bias), all.mae, "bias");
        close(scores.rmse, Some(all.rmse), all.rmse, "rmse");
        close(scores.mae, Some(all.mae), all.mae, "mae");
        // below the last digit of the errors there is nothing to agree on
        close(scores.std, all.std, all.std.unwrap_or(0.0) + 1e-3 * all.rmse, "std");
    }
    let all = measurement::evaluate(&batch(&kept, |pair| pair.value), &agreement).unwrap();
    let size = kept.iter().filter_map(Pair::en).map(f64::abs).sum::<f64>() / kept.len() as f64;
    close(report.calibrated.en_mean, all.en_mean, size, "E_n");
    assert_eq!(report.calibrated.en_within_1, all.en_fraction_within_1);
    let errors: Vec<f64> = kept.iter().map(Pair::error).collect();
    let permitted = kept.iter().filter(|pair| MPE.permits(pair.reference, pair.error()).unwrap()).count();
    assert_eq!(report.calibrated.within_mpe, Some(permitted as f64 / kept.len() as f64));
    let all_worth =
        lag1(&errors, all.bias).map_or(errors.len() as f64, |r1| n_effective(errors.len() as f64, r1));
    let scale = if all.std.is_some_and(|std| std < 1e-9 * all.rmse) { 1e6 } else { 1e3 };
    close(report.calibrated.n_effective, Some(all_worth), scale * all_worth, "n_effective");
}

proptest! {
    #[test]
    fn measurements_pair_by_pair_are_those_at_once(facts in facts(), now in 250..320i64) {
        let mut pairs = checked(Kind::Measurement, &facts);
        let mut window = Window::new(setup(Kind::Measurement));
        pairs.retain(|pair| matches!(window.add(pair, at(now)), Placed::InOrder | Placed::OutOfOrder));
        same_as_at_once(&window, &pairs, at(now));
        same_as_at_once(&window, &pairs, at(now + 60));
    }

    #[test]
    fn probabilities_pair_by_pair_are_those_at_once(facts in chances(), now in 250..320i64) {
        let pairs = checked(Kind::Probability, &facts);
        let mut window = Window::new(setup(Kind::Probability));
        pairs.iter().for_each(|pair| { window.add(pair, at(now)); });
        let kept = covered(&window, &pairs, at(now));
        let report = window.report(at(now), None);
        let raw: Vec<Pair> = kept.iter().filter(|pair| pair.raw.is_some_and(is_probability)).copied().collect();
        for (scores, bins, pairs, value) in [
            (report.calibrated, &report.bins, &kept, (|pair| pair.value) as fn(&Pair) -> f64),
            (report.raw, &report.raw_bins, &raw, |pair| pair.raw.unwrap()),
        ] {
            if pairs.is_empty() {
                prop_assert_eq!((scores.brier, bins.len()), (None, 0));
                continue;
            }
            let all = probability::evaluate(&batch(pairs, value), &probability::Options::default()).unwrap();
            close(scores.ece, Some(all.ece), 1.0, "ece");
            close(scores.mce, Some(all.mce), 1.0, "mce");
            close(scores.brier, Some(all.brier), all.brier, "brier");
            close(scores.log_loss, Some(all.log_loss), all.log_loss, "log loss");
            prop_assert_eq!(bins.len(), all.bins.len());
            for (bin, other) in bins.iter().zip(&all.bins) {
                prop_assert_eq!((bin.lo, bin.hi, bin.count), (other.lo, other.hi, other.count));
                close(bin.mean_predicted, other.mean_predicted, 1.0, "mean");
                close(bin.observed, other.observed, 1.0, "observed");
            }
        }
        // errors of probabilities are errors, too
        if !kept.is_empty() {
            close(report.calibrated.rmse.map(|rmse| rmse * rmse), report.calibrated.brier, 1.0, "brier");
        }
    }

    /// While pairs came, late ones too, the window slid; what is read from the store afterwards makes
    /// the same window.
    #[test]
    fn a_restart_changes_no_bit(facts in facts(), late in prop::collection::vec(0..100i64, 150), more in 0..30i64) {
        let mut pairs = checked(Kind::Measurement, &facts);
        pairs.sort_by_key(|pair| pair.time);
        let mut arrivals: Vec<(i64, Pair)> =
            pairs.iter().zip(&late).map(|(pair, late)| (pair.time.micros_since(at(0)) + late * HOUR, *pair)).collect();
        arrivals.sort_by_key(|(arrived, _)| *arrived);
        let mut window = Window::new(setup(Kind::Measurement));
        let mut stored: Vec<Pair> = Vec::new();
        let mut now = at(0);
        for (arrived, pair) in arrivals {
            now = at(0).saturating_add_micros(arrived);
            // in the order of their times, those alike as they came
            let place = stored.partition_point(|other| other.time <= pair.time);
            stored.insert(place, pair);
            if window.add(&pair, now) == Placed::OutOfOrder {
                window.rebuild_pane(pair.time, &mut stored.iter().copied(), now);
            }
        }
        now = now.saturating_add_micros(more * HOUR);
        let mut restarted = Window::new(setup(Kind::Measurement));
        restarted.rebuild(&mut stored.iter().copied(), now);
        let text = |window: &Window| serde_json::to_string(&window.report(now, None)).unwrap();
        prop_assert_eq!(text(&window), text(&restarted));
    }

    /// Without rebuilding of panes the order of arrival does.
    #[test]
    fn the_order_of_arrival_gives_every_bit_again(facts in chances(), now in 250..320i64) {
        let pairs = checked(Kind::Probability, &facts);
        let mut window = Window::new(setup(Kind::Probability));
        pairs.iter().for_each(|pair| { window.add(pair, at(now)); });
        let mut restarted = Window::new(setup(Kind::Probability));
        restarted.rebuild(&mut covered(&window, &pairs, at(now)).into_iter(), at(now));
        prop_assert_eq!(window.report(at(now), None), restarted.report(at(now), None));
    }

    #[test]
    fn whatever_comes_the_window_recovers(
        rows in prop::collection::vec((any::<i64>(), any::<f64>(), any::<f64>(), any::<i64>()), 0..40),
    ) {
        let mut window = Window::new(setup(Kind::Measurement));
        let time = |micros: i64| Timestamp::EPOCH.saturating_add_micros(micros);
        for (when, value, reference, now) in rows {
            if let Ok(pair) = Pair::new(Kind::Measurement, Facts::new(time(when), value, reference)) {
                window.add(&pair, time(now));
                window.add(&pair, time(when));
            }
        }
        for hours in 0..170 {
            window.add(&measured(hours, 0.25), at(hours));
        }
        let scores = window.report(at(170), None).calibrated;
        prop_assert_eq!((scores.bias, scores.rmse), (Some(0.25), Some(0.25)));
    }
}
