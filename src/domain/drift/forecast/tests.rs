mod uci;

use super::*;
use crate::domain::resample::Seeded;
use proptest::prelude::*;

fn at(day: f64) -> Timestamp {
    Timestamp::parse("2026-01-01T12:00:00Z").unwrap().saturating_add_micros((day * DAY) as i64)
}

/// One point a day.
fn series(biases: impl IntoIterator<Item = f64>, u: f64) -> Series {
    let mut series = Series::default();
    for (day, bias) in biases.into_iter().enumerate() {
        series.push(Point { time: at(day as f64), bias, u }).unwrap();
    }
    series
}

fn ask(series: &Series, day: f64) -> Forecast {
    forecast(series, &Question::new(1.0), at(day)).unwrap()
}

/// A walk or a line in noise, and the day on which it crosses 1 or -1, counted from the last point.
fn simulated(seed: u64, days: usize, per_day: f64, walk: f64, u: f64) -> Option<(Series, Option<f64>)> {
    const FINE: usize = 4;
    let mut draws = Seeded::new(seed);
    let (mut bias, mut past) = (0.0, Vec::new());
    for day in 0..days {
        if day > 0 {
            bias += per_day + walk * draws.normal();
        }
        past.push(bias + u * draws.normal());
    }
    let started: f64 = bias;
    let step = walk / (FINE as f64).sqrt();
    let crossed = (1..=730 * FINE).find(|_| {
        bias += per_day / FINE as f64 + if walk > 0.0 { step * draws.normal() } else { 0.0 };
        bias.abs() >= 1.0
    });
    let crossed = crossed.map(|fine| fine as f64 / FINE as f64);
    (started.abs() < 1.0).then(|| (series(past, u), crossed))
}

/// The share of 50 futures within the 5 and 95 % quantiles; what is censored counts for what the forecast leaves it.
fn coverage(per_day: f64, walk: f64, u: f64) -> f64 {
    let runs: Vec<f64> = (0..)
        .filter_map(|seed| simulated(seed, 90, per_day, walk, u))
        .take(50)
        .map(|(series, crossed)| {
            let it = ask(&series, 89.0);
            let [early, _, late] = it.days_to_mpe.map(|days| days.unwrap_or(f64::INFINITY));
            match crossed {
                Some(day) => f64::from(u8::from((early..=late).contains(&day))),
                None => ((0.95 - it.within_horizon.max(0.05)) / (1.0 - it.within_horizon)).clamp(0.0, 1.0),
            }
        })
        .collect();
    runs.iter().sum::<f64>() / runs.len() as f64
}

// 90 % +- 5, and a standard deviation of 50 runs; the table of many runs is made by `cargo bench --bench forecast`
#[test]
fn intervals_cover_random_walks_and_trends() {
    for (per_day, walk) in [(0.0, 0.06), (0.004, 0.0), (-0.006, 0.0)] {
        let found = coverage(per_day, walk, 0.08);
        assert!((0.81..=0.99).contains(&found), "{per_day} {walk}: {found}");
    }
}

#[test]
fn a_straight_line_crosses_where_it_leads() {
    let mut draws = Seeded::new(3);
    let line = series((0..120).map(|day| -0.2 + 0.005 * f64::from(day) + 0.02 * draws.normal()), 0.02);
    let found = ask(&line, 119.0);
    assert_eq!(found.model, Model::Trend, "{found:?}");
    let [early, median, late] = found.days_to_mpe.map(Option::unwrap);
    // (1 + 0.2) / 0.005 - 119
    assert!(
        (median - 121.0).abs() < 6.0 && early < 121.0 && late > 121.0 && late - early < 40.0,
        "{found:?}"
    );
    assert!((found.bias - 0.395).abs() < 0.02 && found.u_bias < 0.02, "{found:?}");
    assert_eq!(found.next_calibration, Some(at(119.0 + early)));
    // ten days later it is ten days less
    let later = ask(&line, 129.0).days_to_mpe[1].unwrap();
    assert!((later - (median - 10.0)).abs() < 2.0, "{later}");
}

#[test]
fn a_walk_crosses_as_the_closed_form_says() {
    // known state and noise, so that only the walk is random: P(T <= t) of the first exit of a Brownian motion from
    // (-1, 1) is sum_k (-1)^k 4 / (pi (2k + 1)) exp(-(2k + 1)^2 pi^2 walk^2 t / 8) less than 1 (Feller 1971, X.5)
    let walk: f64 = 0.08;
    let state = model::State { mean: [0.0; 4], covariance: [[0.0; 4]; 4], day: 0.0 };
    let node = Node { weight: 1.0, model: Model::Walk, noise: model::Noise { walk, scatter: 0.0 }, state };
    let found = Passage::simulated(&[node], 0.0, 0.0, 730.0, 1);
    let exact = |days: f64| -> f64 {
        let term = |k: i32| {
            let odd = f64::from(2 * k + 1);
            let rate = odd * odd * std::f64::consts::PI.powi(2) * walk * walk / 8.0;
            f64::from(1 - 2 * (k % 2)) * 4.0 / (std::f64::consts::PI * odd) * (-rate * days).exp()
        };
        1.0 - (0..20).map(term).sum::<f64>()
    };
    for share in [0.05, 0.5, 0.95] {
        let days = found.quantile(share).unwrap();
        assert!((exact(days) - share).abs() < 0.03, "{share}: {days} days, {}", exact(days));
    }
    assert!((found.within_horizon() - exact(730.0)).abs() < 0.01);
}

#[test]
fn a_drifting_walk_crosses_as_the_inverse_gaussian_says() {
    // far from the other limit: the mean of the first passage is distance / drift
    let (walk, per_day) = (0.02, 0.01);
    let state =
        model::State { mean: [0.0, per_day * 365.2425, 0.0, 0.0], covariance: [[0.0; 4]; 4], day: 0.0 };
    let node =
        Node { weight: 1.0, model: Model::DriftingWalk, noise: model::Noise { walk, scatter: 0.0 }, state };
    let found = Passage::simulated(&[node], 0.0, 0.0, 730.0, 1);
    let phi = |z: f64| crate::domain::uncertainty::distribution::normal(z).lower;
    let exact = |t: f64| {
        let (s, m) = (walk * t.sqrt(), per_day * t);
        phi((m - 1.0) / s) + (2.0 * per_day / (walk * walk)).exp() * phi((-m - 1.0) / s)
    };
    for share in [0.05, 0.5, 0.95] {
        let days = found.quantile(share).unwrap();
        assert!((exact(days) - share).abs() < 0.03, "{share}: {days} days, {}", exact(days));
    }
}

#[test]
fn what_all_references_are_off_by_does_not_average_out() {
    let mut draws = Seeded::new(3);
    let off = |mut series: Series| {
        (0..120).for_each(|_| series.share(0.1));
        series
    };
    let still = series((0..120).map(|_| 0.85 + 0.02 * draws.normal()), 0.02);
    let (alone, found) = (ask(&still, 119.0), ask(&off(still.clone()), 119.0));
    assert!(alone.u_bias < 0.03 && alone.days_to_mpe[0] != Some(0.0), "{alone:?}");
    assert!((0.1..0.105).contains(&found.u_bias) && found.bias == alone.bias, "{found:?}");
    // The bias is beyond the limit now with 1 - Phi(0.15 / 0.1) = 6.7 %.
    assert_eq!(found.days_to_mpe[0], Some(0.0), "{found:?}");
    let line = series((0..120).map(|day| -0.2 + 0.005 * f64::from(day) + 0.02 * draws.normal()), 0.02);
    let width = |series: &Series| {
        let [early, median, late] = ask(series, 119.0).days_to_mpe.map(Option::unwrap);
        assert!((median - 121.0).abs() < 8.0, "{median}");
        late - early
    };
    // 2 x 1.645 x 0.1 / 0.005 days
    let (alone, found) = (width(&line), width(&off(line.clone())));
    assert!(alone < 40.0 && (56.0..76.0).contains(&found), "{alone} and {found} days");
}

#[test]
fn a_past_that_was_stored_before_goes_on() {
    let stored =
        r#"{"width": 86400000000, "points": [{"time": "2026-01-01T12:00:00Z", "bias": 0.5, "u": 0.1}]}"#;
    let mut series: Series = serde_json::from_str(stored).unwrap();
    assert_eq!((series.points().len(), series.shared()), (1, 0.0));
    for u in [0.2, 0.4, f64::NAN] {
        series.share(u);
    }
    assert!((series.shared() - 0.3).abs() < 1e-15);
    assert_eq!(serde_json::from_str::<Series>(&serde_json::to_string(&series).unwrap()).unwrap(), series);
    assert!(
        serde_json::from_str::<Series>(&stored.replace("}]}", r#"}], "shared": {"n": 1, "u": -1}}"#))
            .is_err()
    );
}

#[test]
fn what_is_outside_has_no_days_left_and_what_is_still_has_many() {
    let mut draws = Seeded::new(5);
    let outside = ask(&series((0..40).map(|_| 1.2 + 0.02 * draws.normal()), 0.02), 39.0);
    assert_eq!(outside.days_to_mpe, [Some(0.0); 3]);
    assert_eq!((outside.within_horizon, outside.next_calibration), (1.0, Some(at(39.0))));
    assert!(outside.message.contains("now"), "{}", outside.message);
    let still = ask(&series((0..120).map(|_| 0.01 * draws.normal()), 0.01), 119.0);
    assert_eq!((still.days_to_mpe, still.next_calibration), ([None; 3], None), "{still:?}");
    assert!(still.message.contains("stays within") && still.within_horizon < 0.05, "{}", still.message);
}

#[test]
fn the_fixed_interval_is_never_exceeded() {
    let mut draws = Seeded::new(5);
    let still = series((0..60).map(|_| 0.01 * draws.normal()), 0.01);
    let question = |day: f64| Question { fixed: Some(at(day)), ..Question::new(1.0) };
    let found = forecast(&still, &question(200.0), at(59.0)).unwrap();
    assert_eq!((found.next_calibration, found.decided_by), (Some(at(200.0)), Some(Decides::Interval)));
    let line = series((0..60).map(|day| 0.01 * f64::from(day) + 0.01 * draws.normal()), 0.01);
    let found = forecast(&line, &question(200.0), at(59.0)).unwrap();
    assert_eq!(found.decided_by, Some(Decides::Forecast));
    assert!(found.next_calibration.unwrap() < at(110.0), "{found:?}");
    let found = forecast(&line, &question(60.0), at(59.0)).unwrap();
    assert_eq!((found.next_calibration, found.decided_by), (Some(at(60.0)), Some(Decides::Interval)));
}

#[test]
fn a_year_is_seen_after_three_quarters_of_it() {
    let mut draws = Seeded::new(8);
    let mut wave = |days: i32| {
        let bias = |day: i32| 0.7 * (std::f64::consts::TAU * f64::from(day) / 365.2425).sin();
        series((0..days).map(|day| bias(day) + 0.05 * draws.normal()), 0.05)
    };
    let has = |found: &Forecast| found.scores.iter().any(|score| score.model == Model::Seasonal);
    assert!(!has(&ask(&wave(260), 259.0)));
    let whole = ask(&wave(420), 419.0);
    assert_eq!(whole.model, Model::Seasonal, "{whole:?}");
    // a walk of this size would be beyond the MPE within a year
    assert!(whole.days_to_mpe[0].is_none_or(|days| days > 200.0), "{whole:?}");
}

#[test]
fn refuses_what_it_cannot_answer() {
    let few = series([0.0; 7], 0.1);
    assert_eq!(forecast(&few, &Question::new(1.0), at(9.0)), Err(ForecastError::TooFew(7)));
    let enough = series([0.0; 9], 0.1);
    for mpe in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(
            matches!(forecast(&enough, &Question::new(mpe), at(9.0)), Err(ForecastError::Mpe(_))),
            "{mpe}"
        );
    }
    let no_horizon = Question { horizon_days: 0.0, ..Question::new(1.0) };
    assert_eq!(forecast(&enough, &no_horizon, at(9.0)), Err(ForecastError::Horizon(0.0)));
    assert!(Series::default().push(Point { time: at(0.0), bias: f64::NAN, u: 0.1 }).is_err());
    assert!(Series::default().push(Point { time: at(0.0), bias: 0.0, u: -0.1 }).is_err());
}

fn uci() -> Series {
    let mut series = Series::default();
    for (noon, bias, u) in uci::daily_means() {
        series.push(Point { time: Timestamp::parse(&noon).unwrap(), bias, u }).unwrap();
    }
    series
}

#[test]
fn a_real_year_is_forecast() {
    let series = uci();
    let now = series.points()[series.points().len() - 1].time;
    let found = forecast(&series, &Question::new(1.5), now).unwrap();
    // its bias went away and came back: no line
    assert_eq!(found.scores.len(), 4, "{found:?}");
    assert!(found.model != Model::Trend, "{found:?}");
    let weight = |model: Model| found.scores.iter().find(|score| score.model == model).unwrap().weight;
    assert!(weight(Model::Trend) < 0.1, "{found:?}");
    assert!(found.bias.abs() < 0.6 && found.u_bias < 0.5, "{found:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_past_gives_ordered_numbers(
        points in prop::collection::vec((0.0..900.0f64, -1e3..1e3f64, 0.0..10.0f64), 8..60), log_mpe in -6..6i32, later in -100.0..100.0f64,
    ) {
        let mut series = Series::default();
        for (day, bias, u) in points {
            series.push(Point { time: at(day), bias, u }).unwrap();
        }
        let question = Question::new(10f64.powi(log_mpe));
        match forecast(&series, &question, at(900.0 + later)) {
            Ok(found) => {
                let days = found.days_to_mpe.map(|days| days.unwrap_or(f64::INFINITY));
                prop_assert!(days[0] >= 0.0 && days[0] <= days[1] && days[1] <= days[2], "{:?}", found);
                prop_assert!((0.0..=1.0).contains(&found.within_horizon) && found.bias.is_finite() && found.u_bias.is_finite());
                let weights: f64 = found.scores.iter().map(|score| score.weight).sum();
                prop_assert!((weights - 1.0).abs() < 1e-9);
                prop_assert_eq!(&forecast(&series, &question, at(900.0 + later)).unwrap(), &found);
                let text = serde_json::to_string(&found).unwrap();
                prop_assert_eq!(serde_json::from_str::<Forecast>(&text).unwrap(), found);
            }
            Err(error) => prop_assert_eq!(error, ForecastError::TooFew(series.points().len())),
        }
    }

    #[test]
    fn a_series_is_bounded_in_order_and_the_same_after_a_restart(
        days in prop::collection::vec(0.0..5000.0f64, 1..400), cut in 0..400usize,
    ) {
        let (mut whole, mut restarted) = (Series::default(), Series::default());
        for (index, day) in days.iter().enumerate() {
            if index == cut {
                restarted = serde_json::from_str(&serde_json::to_string(&restarted).unwrap()).unwrap();
            }
            for series in [&mut whole, &mut restarted] {
                series.push(Point { time: at(*day), bias: day / 1000.0, u: 0.1 }).unwrap();
            }
        }
        prop_assert_eq!(&whole, &restarted);
        prop_assert!(whole.points().len() <= MOST_POINTS && whole.points().is_sorted_by(|a, b| a.time < b.time));
        for point in whole.points() {
            // the mean of points lies where their mean time does
            prop_assert!((point.bias - point.time.micros_since(at(0.0)) as f64 / DAY / 1000.0).abs() < 1e-6);
        }
    }
}
