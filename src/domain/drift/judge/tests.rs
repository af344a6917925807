use std::sync::Arc;

use super::*;
use crate::domain::alert::{Finding, Kind, Severity};
use crate::domain::digest::Digest;
use crate::domain::drift::pair::Facts;
use crate::domain::drift::window::{Setup, Window};
use crate::domain::quality::{Reasons, State};
use crate::domain::reference::{Origin, Span};
use crate::domain::resample::Seeded;
use crate::domain::sample::TransformRef;
use crate::domain::sensor;

const HOUR: i64 = 3_600_000_000;

fn at(hour: i64) -> Timestamp {
    Timestamp::parse("2026-01-01T00:30:00Z").unwrap().saturating_add_micros(hour * HOUR)
}

fn terms() -> Terms {
    let mpe = Mpe { absolute: Some(1.0), relative: None, combine: Default::default() };
    Terms { mpe: Some(mpe), baseline: 200, ..Terms::default() }
}

/// What is stored of an error of this size, by the transform of this number; 0 for raw values.
fn stored(hour: i64, error: f64, transform: u8) -> Pair {
    let id = |name: &str| Id::new(name).unwrap();
    let of = || {
        Arc::new(TransformRef {
            id: id("co"),
            version: u64::from(transform),
            digest: Digest([transform; 32]),
        })
    };
    Pair {
        sensor: id("co-1"),
        reference: id(&format!("r-{hour}")),
        span: Span::point(at(hour)),
        value: Some(5.0 + error),
        u: Some(0.1),
        raw: None,
        reference_value: 5.0,
        reference_u: Some(0.05),
        u_shared: None,
        unit: "mg/m3".into(),
        transform: (transform > 0).then(of),
        readings: 60,
        completeness: 1.0,
        seqs: (1, 2),
        state: State::Valid,
        reasons: Reasons::NONE,
        flag: State::Valid,
        standard: None,
        overdue: false,
        origin: Origin::Sensor,
        lag: 0,
        latency: 0,
        covariates: Default::default(),
    }
}

fn statistic(pair: &Pair) -> pair::Pair {
    let facts = Facts {
        u: pair.u,
        u_reference: pair.reference_u,
        ..Facts::new(pair.span.end(), pair.value.unwrap(), pair.reference_value)
    };
    pair::Pair::new(sensor::Kind::Measurement, facts).unwrap()
}

/// A sensor with its window, as the gateway has it.
struct Case {
    terms: Terms,
    judge: Judge,
    window: Window,
    draws: Seeded,
    hour: i64,
}

impl Case {
    fn new(terms: Terms) -> Case {
        let setup = Setup { mpe: terms.mpe, ..Setup::new(sensor::Kind::Measurement) };
        let (judge, window) = (Judge::new(&terms), Window::new(setup));
        Case { terms, judge, window, draws: Seeded::new(7), hour: 0 }
    }

    fn pair(&mut self, pair: &Pair) {
        let statistic = statistic(pair);
        self.judge.pair(&self.terms, pair, &statistic, at(self.hour));
        self.window.add(&statistic, at(self.hour));
    }

    /// A pair an hour, its error normal about a bias with a standard deviation of 0.2.
    fn hours(&mut self, hours: i64, bias: impl Fn(i64) -> f64) {
        for _ in 0..hours {
            let error = bias(self.hour) + 0.2 * self.draws.normal();
            self.pair(&stored(self.hour, error, 1));
            self.forecast();
            self.hour += 1;
        }
    }

    fn forecast(&mut self) {
        let now = at(self.hour);
        if let Some((past, question)) = self.judge.forecast_due(&self.terms, None, now) {
            self.judge.foretell(crate::domain::drift::forecast::forecast(&past, &question, now), now);
        }
    }

    fn found(&mut self) -> Vec<(Kind, Finding)> {
        let now = at(self.hour);
        let report = self.window.report(now, None);
        let burn = self.judge.burn(&self.terms, now);
        let seen = Seen { report: &report, unit: "mg/m3", calibrated: None, burn };
        let judged = self.judge.judge(&self.terms, seen, now);
        assert_eq!(judged.len(), 4, "every kind is judged");
        judged.into_iter().filter_map(|(kind, finding)| Some((kind, finding?))).collect()
    }

    fn kinds(&mut self) -> Vec<Kind> {
        self.found().into_iter().map(|(kind, _)| kind).collect()
    }
}

#[test]
fn a_sensor_that_agrees_has_nothing_against_it() {
    let mut case = Case::new(terms());
    case.hours(1_000, |_| 0.1);
    assert_eq!(case.kinds(), []);
    let detection = case.judge.detection();
    assert_eq!((detection.learnt, detection.baseline, detection.alarm), (200, 200, None));
    assert!((detection.usual_bias.unwrap() - 0.1).abs() < 0.1, "{detection:?}");
    assert!(
        case.judge.forecast().is_some_and(|it| it.forecast.days_to_mpe[0].is_none_or(|days| days > 30.0))
    );
}

#[test]
fn a_step_within_tolerance_is_a_drift_and_ends_when_it_is_gone() {
    let mut case = Case::new(terms());
    case.hours(400, |_| 0.0);
    case.hours(60, |_| 0.3);
    let found = case.found();
    assert_eq!(found.len(), 1, "{found:?}");
    let (kind, finding) = &found[0];
    assert_eq!((*kind, finding.severity), (Kind::Drift, Severity::Ticket));
    assert!(finding.message.contains("its mean error rose at about 2026-01-17T"), "{}", finding.message);
    let snapshot = finding.snapshot.as_ref().unwrap();
    assert_eq!(snapshot.transform.as_ref().unwrap().version, 1);
    assert_eq!(snapshot.pairs.len(), 10);
    assert!(snapshot.statistics["ratio"].is_finite() && snapshot.statistics["n"] > 100.0);
    case.hours(200, |_| 0.0);
    assert_eq!(case.kinds(), []);
}

#[test]
fn an_objective_that_is_used_up_is_a_page() {
    let mut case = Case::new(terms());
    case.hours(100, |_| 0.0);
    case.hours(24, |_| 1.5);
    case.hours(24, |_| 1.5);
    let found = case.found();
    let (_, slo) = found.iter().find(|(kind, _)| *kind == Kind::Slo).expect("the objective is used up");
    assert_eq!(slo.severity, Severity::Page);
    let start =
        "48 of its last 148 pairs (32.4 %) are beyond the maximum permissible error, where 5.0 % are allowed";
    assert!(slo.message.starts_with(start), "{}", slo.message);
    // Without a tolerance nothing can be promised.
    let mut case = Case::new(Terms { mpe: None, ..terms() });
    case.hours(148, |_| 1.5);
    assert_eq!(case.kinds(), []);
}

#[test]
fn a_crossing_to_come_is_told_of_and_comes_nearer_by_itself() {
    let mut case = Case::new(Terms { baseline: 10_000, ..terms() });
    // It crosses on the 63rd day.
    case.hours(24 * 40, |hour| hour as f64 * 0.9 / (24.0 * 56.0));
    let found = case.found();
    let [(Kind::Forecast, finding)] = found.as_slice() else { panic!("{found:?}") };
    let days = finding.snapshot.as_ref().unwrap().statistics["days_to_mpe_p50"];
    assert!((15.0..30.0).contains(&days), "{days}");
    assert!(finding.message.contains("as likely as not"), "{}", finding.message);
    case.hour += 30;
    let later = case.found()[0].1.snapshot.as_ref().unwrap().statistics["days_to_mpe_p50"];
    assert!((days - later - 30.0 / 24.0).abs() < 1e-9, "{days} {later}");
}

#[test]
fn a_fixed_interval_that_ends_later_makes_a_crossing_urgent_before() {
    let ramp = |hour: i64| hour as f64 * 0.9 / (24.0 * 160.0);
    let kinds = |interval| {
        let mut case = Case::new(Terms { baseline: 10_000, interval, ..terms() });
        case.hours(24 * 60, ramp);
        let due = case.judge.due(&case.terms, None);
        let forecast = case.judge.forecast().unwrap().forecast.clone();
        (case.kinds(), due, forecast)
    };
    let (found, due, forecast) = kinds(None);
    assert_eq!(
        (found, due, forecast.decided_by),
        (vec![], None, Some(crate::domain::drift::forecast::Decides::Forecast))
    );
    let (found, due, _) = kinds(Some(Duration::from_secs(86_400 * 365)));
    assert_eq!((found, due), (vec![Kind::Forecast], Some(at(24 * 365))));
    let (found, due, forecast) = kinds(Some(Duration::from_secs(86_400 * 70)));
    assert_eq!((found, due), (vec![], Some(at(24 * 70))));
    assert_eq!(forecast.next_calibration, due, "never later than the interval");
}

#[test]
fn an_overdue_standard_is_told_of_until_one_that_is_not_takes_its_place() {
    let mut case = Case::new(terms());
    let standard = Some(Id::new("gas-17").unwrap());
    case.pair(&Pair { overdue: true, standard, ..stored(0, 0.0, 1) });
    let found = case.found();
    let [(Kind::StandardOverdue, finding)] = found.as_slice() else { panic!("{found:?}") };
    assert!(finding.message.contains("`gas-17`"), "{}", finding.message);
    // An older pair says nothing of the present.
    case.pair(&stored(-1, 0.0, 1));
    assert_eq!(case.kinds(), [Kind::StandardOverdue]);
    case.pair(&stored(1, 0.0, 1));
    assert_eq!(case.kinds(), []);
}

#[test]
fn another_transform_begins_anew_and_late_pairs_of_the_old_one_change_nothing() {
    let mut case = Case::new(terms());
    case.hours(400, |_| 0.0);
    case.hours(60, |_| 0.5);
    assert_eq!(case.kinds(), [Kind::Drift]);
    case.pair(&stored(460, 0.0, 2));
    assert_eq!((case.judge.detection().learnt, case.judge.transform().unwrap().version), (1, 2));
    assert_eq!(case.kinds(), []);
    let before = case.judge.clone();
    case.pair(&stored(455, 9.0, 1));
    assert_eq!(case.judge, before);
}

#[test]
fn it_goes_on_exactly_where_it_was() {
    let mut case = Case::new(terms());
    let mut other = Case::new(terms());
    for day in 0..60 {
        for it in [&mut case, &mut other] {
            it.hours(24, |hour| 0.001 * hour as f64);
        }
        let text = serde_json::to_string(&other.judge).unwrap();
        other.judge = serde_json::from_str(&text).unwrap();
        assert_eq!(other.judge, case.judge, "after {day} days");
    }
    assert_eq!(other.found(), case.found());
}

#[test]
fn days_are_points_of_the_past_with_an_honest_uncertainty() {
    let mut draws = Seeded::new(3);
    let mut day = Day::default();
    let (mut within, mut points) = (0, 0);
    // Errors of an autoregression about 0.
    let mut error = 0.0;
    for hour in 0..24 * 400 {
        error = 0.6 * error + 0.2 * draws.normal();
        let pair = Pair { reference_u: None, ..stored(hour, error, 1) };
        if let Some(Told { point, .. }) = day.take(&statistic(&pair), pair.span.end()) {
            points += 1;
            within += i32::from(point.bias.abs() <= 2.0 * point.u);
        }
    }
    assert_eq!(points, 399);
    let share = f64::from(within) / f64::from(points);
    // 95 % if a day's own autocorrelation were known, which 24 errors hardly show.
    assert!((0.80..=0.97).contains(&share), "{share}");
    let newest = stored(24 * 400, 0.0, 1).span.end();
    let late = day.take(&statistic(&stored(24, 0.3, 1)), newest).unwrap();
    assert!((0.2..0.3).contains(&late.point.u) && late.u_reference == 0.05, "{late:?}");
}

#[test]
fn a_standard_that_is_off_is_off_every_day() {
    // Of one pair a day nothing is known of the scatter.
    for pairs_a_day in [24, 1] {
        let mut case = Case::new(terms());
        for hour in (0..120 * 24).step_by(24 / pairs_a_day) {
            case.hour = hour;
            let error = 0.1 + 0.02 * case.draws.normal();
            case.pair(&Pair { reference_u: Some(0.1), ..stored(hour, error, 1) });
        }
        case.forecast();
        let found = &case.judge.forecast().unwrap().forecast;
        assert!((0.1..0.115).contains(&found.u_bias), "{pairs_a_day} a day: {found:?}");
    }
}

#[test]
fn a_pair_that_a_clock_ahead_has_dated_blinds_nobody() {
    let permitted = terms();
    let (mut whole, mut cut) = (Case::new(permitted), Case::new(permitted));
    for case in [&mut whole, &mut cut] {
        case.hours(24 * 30, |hour| 0.001 * hour as f64);
    }
    // Its clock says what the pair does, until it is set right.
    cut.pair(&stored(24 * 400, 0.0, 1));
    for case in [&mut whole, &mut cut] {
        case.hours(24 * 30, |hour| 0.001 * hour as f64);
    }
    let now = stored(24 * 60, 0.0, 1).span.end();
    let burns = [&mut whole, &mut cut].map(|case| case.judge.burn(&permitted, now).map(|burn| burn.pairs));
    assert_eq!(burns[0], burns[1]);
    let pasts = [&whole, &cut].map(|case| case.judge.forecast_due(&permitted, None, now).unwrap().0);
    assert_eq!(pasts[0].points().len(), pasts[1].points().len());
    // And the next transform is seen as such, also when its pairs come late.
    cut.pair(&stored(24 * 60 + 1, 0.0, 2));
    assert_eq!(cut.judge.transform().unwrap().version, 2);
}

#[test]
fn pairs_in_doubt_say_nothing_and_take_back_what_spoke_for_an_alarm() {
    let doubts: [fn(Pair) -> Pair; 4] = [
        |pair| Pair { flag: State::Suspect, ..pair },
        |pair| Pair { reasons: Reasons::of(ReasonCode::Stuck), ..pair },
        |pair| Pair { reasons: Reasons::of(ReasonCode::Spike), ..pair },
        |pair| Pair { reasons: Reasons::of(ReasonCode::Interference), ..pair },
    ];
    for doubt in doubts {
        let mut case = Case::new(terms());
        case.hours(400, |_| 0.0);
        // It was not noticed at once.
        case.hours(4, |_| 3.0);
        assert!(case.kinds().contains(&Kind::Drift));
        for _ in 0..100 {
            let pair = doubt(stored(case.hour, 3.0, 1));
            case.pair(&pair);
            case.hour += 1;
        }
        assert_eq!(case.kinds(), [], "neither a drift nor an objective that is used up");
        case.hours(100, |_| 0.0);
        assert_eq!(case.kinds(), []);
        case.hours(20, |_| 0.5);
        assert_eq!(case.kinds(), [Kind::Drift], "what it learnt is still there");
    }
}

#[test]
fn an_error_of_exactly_the_mpe_uses_up_nothing() {
    let mpe = Mpe { absolute: Some(0.7), relative: None, combine: Default::default() };
    let mut case = Case::new(Terms { mpe: Some(mpe), ..terms() });
    // 4.3 - 5.0 is -0.7000000000000002
    for hour in 0..10 {
        case.pair(&stored(hour, -0.7, 1));
        case.hour += 1;
    }
    case.pair(&stored(10, -0.71, 1));
    let burn = case.judge.burn(&case.terms, at(11)).unwrap();
    assert_eq!((burn.pairs, burn.out), (11, 1), "{burn:?}");
}
