use super::*;

fn hourly(window: &mut Window, from: i64, to: i64, error: f64) {
    for hours in from..to {
        assert_eq!(window.add(&measured(hours, error), at(hours)), Placed::InOrder);
    }
}

fn bias(window: &Window, hours: i64) -> (u64, Option<f64>) {
    let scores = window.report(at(hours), None).calibrated;
    (scores.n, scores.bias)
}

#[test]
fn a_window_slides_by_panes() {
    let mut window = Window::new(Setup::new(Kind::Measurement));
    hourly(&mut window, 0, 84, 1.0);
    hourly(&mut window, 84, 168, 3.0);
    assert_eq!(bias(&window, 167), (168, Some(2.0)));
    // the first pane is the 12 hours of the ones
    let (n, slid) = bias(&window, 168);
    assert!(n == 156 && (slid.unwrap() - (72.0 + 84.0 * 3.0) / 156.0).abs() < 1e-15);
    assert_eq!(bias(&window, 179), (n, slid));
    assert_eq!(bias(&window, 240), (84, Some(3.0)));
    assert_eq!(bias(&window, 335), (0, None));
    let report = window.report(at(167), Some(Duration::from_secs(20 * 3600)));
    assert_eq!((report.calibrated.n, report.calibrated.bias), (24, Some(3.0)));
    assert_eq!(report.window, [at(144), at(167)]);
}

#[test]
fn late_pairs_go_where_they_belong() {
    let mut window = Window::new(Setup::new(Kind::Measurement));
    hourly(&mut window, 0, 100, 1.0);
    assert_eq!(window.add(&measured(30, 11.0), at(100)), Placed::OutOfOrder);
    let (n, late) = bias(&window, 100);
    assert!(n == 101 && (late.unwrap() - 111.0 / 101.0).abs() < 1e-15);
    // it leaves with its pane
    assert_eq!(bias(&window, 36 + 156), (64, Some(1.0)));
    assert_eq!(window.add(&measured(60, 1.0), at(400)), Placed::TooOld);
    assert_eq!(window.add(&measured(425, 1.0), at(400)), Placed::Future);
    // a pane of its own, and so in order
    assert_eq!(window.add(&measured(300, 1.0), at(400)), Placed::InOrder);
}

#[test]
fn a_pane_is_rebuilt_without_what_was_withdrawn() {
    let mut window = Window::new(Setup::new(Kind::Measurement));
    let mut stored: Vec<Pair> = (0..60).map(|hours| measured(hours, f64::from(hours as i32 % 7))).collect();
    stored[40] = measured(40, 1e9);
    stored.iter().for_each(|pair| {
        window.add(pair, at(60));
    });
    let [first, last] = window.pane(at(40));
    assert_eq!((first, last), (at(36), at(48).saturating_add_micros(-1)));
    stored.remove(40);
    window.rebuild_pane(at(40), &mut stored.iter().copied(), at(60));
    let mut fresh = Window::new(Setup::new(Kind::Measurement));
    fresh.rebuild(&mut stored.iter().copied(), at(60));
    assert_eq!(window.report(at(60), None), fresh.report(at(60), None));
    assert_eq!(fresh.count(at(60)), 59);
}

#[test]
fn all_windows_of_a_sensor_are_rebuilt() {
    let cohorts = temperatures();
    let mut windows = Windows::new(Setup::new(Kind::Measurement), cohorts.count());
    let stored: Vec<Pair> = (0..60)
        .map(|hours| {
            let facts = Facts { cohort: Some((hours % 2) as u8), ..*measured(hours, 0.1 * hours as f64) };
            Pair::new(Kind::Measurement, facts).unwrap()
        })
        .collect();
    let reports = |windows: &Windows| {
        let of = |at_place| windows.of_cohort(&cohorts, at_place, at(60), None).unwrap();
        (windows.all().report(at(60), None), of(0), of(1))
    };
    windows.rebuild(&mut stored.iter().copied(), at(60));
    let before = reports(&windows);
    windows.rebuild_pane(at(30), &mut std::iter::empty(), at(60));
    assert_eq!((windows.all().count(at(60)), reports(&windows).1.calibrated.n), (48, 24));
    windows.rebuild_pane(at(30), &mut stored.iter().copied(), at(60));
    assert_eq!(reports(&windows), before);
    windows.restart(at(50));
    assert_eq!(windows.add(&stored[49], at(60)), Placed::TooOld);
    assert_eq!(windows.add(&stored[50], at(60)), Placed::InOrder);
    let report = windows.all().report(at(60), None);
    assert_eq!((report.calibrated.n, report.window), (1, [at(50), at(60)]));
    assert_eq!(reports(&windows).1.fallback, Some(Fallback { n: 1, needed: 3 }));
    // by a clock that was ahead
    windows.restart(at(5000));
    assert_eq!(windows.add(&stored[49], at(60)), Placed::InOrder);
    assert_eq!(windows.all().report(at(60), None).window, before.0.window);
}

#[test]
fn a_clock_that_was_ahead_spoils_nothing_for_long() {
    let mut window = Window::new(Setup::new(Kind::Measurement));
    let stored: Vec<Pair> = (0..60).map(|hours| measured(hours, 1.0)).collect();
    stored.iter().for_each(|pair| {
        window.add(pair, at(60));
    });
    // ten years ahead for a fortnight
    let ahead = 87_600;
    hourly(&mut window, ahead, ahead + 336, 50.0);
    assert_eq!(bias(&window, ahead + 336).1, Some(50.0));
    // right again: what was lost comes back from the store, what is not of the window does not count
    assert_eq!(bias(&window, 60), (0, None));
    hourly(&mut window, 60, 70, 1.0);
    assert_eq!(bias(&window, 70), (10, Some(1.0)));
    let wrong: Vec<Pair> = (ahead..ahead + 336).map(|hours| measured(hours, 50.0)).collect();
    let recent: Vec<Pair> = (60..70).map(|hours| measured(hours, 1.0)).collect();
    window.rebuild(&mut stored.iter().chain(&recent).chain(&wrong).copied(), at(70));
    assert_eq!(bias(&window, 70), (70, Some(1.0)));
}

#[test]
fn the_largest_numbers_are_gone_with_their_pane() {
    let mut window = Window::new(Setup::new(Kind::Measurement));
    let large = |hours: i64, sign: f64| {
        let facts = Facts {
            raw: Some(-1e100 * sign),
            u: Some(1e-100),
            u_reference: Some(1e-100),
            ..Facts::new(at(hours), 1e100 * sign, -1e100 * sign)
        };
        Pair::new(Kind::Measurement, facts).unwrap()
    };
    for hours in 0..12 {
        window.add(&large(hours, if hours % 2 == 0 { 1.0 } else { -1.0 }), at(hours));
    }
    let report = window.report(at(12), None);
    let text = serde_json::to_string(&report).unwrap();
    for scores in [report.calibrated, report.raw] {
        assert!([scores.bias, scores.rmse, scores.mae, scores.std].into_iter().flatten().all(f64::is_finite));
    }
    let more = [report.calibrated.en_mean, report.calibrated.u_bias, report.calibrated.n_effective];
    assert!(more.into_iter().all(|it| it.is_some_and(f64::is_finite)), "{text}");
    hourly(&mut window, 12, 200, 0.5);
    assert_eq!(bias(&window, 199).1, Some(0.5));
}

#[test]
fn the_ends_of_time_are_times() {
    for end in [i64::MIN, i64::MAX] {
        let end = Timestamp::EPOCH.saturating_add_micros(end);
        let mut window = Window::new(Setup::new(Kind::Measurement));
        let pair = Pair::new(Kind::Measurement, Facts::new(end, 1.0, 0.0)).unwrap();
        assert_eq!(window.add(&pair, end), Placed::InOrder);
        assert_eq!(window.report(end, None).calibrated.n, 1);
        assert_eq!(window.report(at(0), None).calibrated.n, 0);
        window.restart(end);
        assert_eq!(window.report(at(0), None).window[1], at(0));
    }
}
