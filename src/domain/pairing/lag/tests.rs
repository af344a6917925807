use super::*;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// One column of a year of hourly values; -200 is missing.
fn uci(column: usize, moved: i64) -> Vec<Point> {
    let text = include_str!("../../../../tests/data/collocation/uci_air_quality/AirQualityUCI.csv");
    let start = Timestamp::parse("2004-03-10T18:00:00Z").unwrap();
    let rows = text.lines().skip(1).enumerate();
    rows.filter_map(|(row, line)| {
        let value: f64 = line.split(';').nth(column)?.replace(',', ".").parse().ok()?;
        let time = start.saturating_add_micros((row as i64 + moved) * 3_600_000_000);
        (value != -200.0).then_some(Point { time, value })
    })
    .collect()
}

#[test]
fn an_hours_shift_of_a_year_of_carbon_monoxide_is_found() {
    let values = uci(6, 0);
    let right = best(&values, &uci(2, 0), HOUR, DAY).unwrap();
    assert_eq!(right.lag, 0);
    assert_eq!(right.warning(), None);
    let late = best(&values, &uci(2, 1), HOUR, DAY).unwrap();
    assert_eq!((late.lag, late.r_squared), (-3_600_000_000, right.r_squared));
    assert!((right.r_squared - 0.838).abs() < 1e-3 && (late.unmoved - 0.567).abs() < 1e-3, "{late:?}");
    let warning = late.warning().unwrap();
    assert!(warning.contains("1 h earlier") && warning.contains("0.84"), "{warning}");
    let zone = best(&values, &uci(2, -2), HOUR, DAY).unwrap();
    assert_eq!(zone.lag, 2 * 3_600_000_000);
}

#[test]
fn noise_and_constants_are_no_reason_for_a_warning() {
    let mut random = crate::domain::resample::Seeded::new(5);
    let mut noise = || -> Vec<Point> {
        uci(2, 0).into_iter().map(|point| Point { value: random.normal(), ..point }).collect()
    };
    let found = best(&noise(), &noise(), HOUR, DAY).unwrap();
    assert!(!found.is_doubtful(), "{found:?}");
    let constant: Vec<Point> = noise().into_iter().map(|point| Point { value: 4.0, ..point }).collect();
    assert_eq!(best(&noise(), &constant, HOUR, DAY), None);
    let straight = |(point, n): (Point, u8)| Point { value: f64::from(n) / 3.0, ..point };
    let line: Vec<Point> = noise().into_iter().zip(0..100).map(straight).collect();
    let found = best(&line, &line, HOUR, DAY).unwrap();
    assert_eq!((found.lag, found.warning()), (0, None), "a straight line fits itself at any lag");
    assert_eq!(best(&noise()[..23], &noise(), HOUR, DAY), None);
    assert_eq!(best(&[], &[], HOUR, DAY), None);
}

#[test]
fn values_pair_with_the_nearest_within_half_a_step() {
    let point = |second: i64, value: f64| Point {
        time: Timestamp::EPOCH.saturating_add_micros(second * 1_000_000),
        value,
    };
    let values: Vec<Point> = (0..60).map(|n| point(n * 60, (n as f64).sin())).collect();
    let references: Vec<Point> = (0..60).map(|n| point(n * 60 + 29, (n as f64).sin())).collect();
    let step = Duration::from_secs(60);
    assert_eq!(best(&values, &references, step, step * 10).unwrap().lag, 0);
    let references: Vec<Point> = (0..60).rev().map(|n| point(n * 60 + 95, (n as f64).sin())).collect();
    let found = best(&values, &references, step, step * 10).unwrap();
    assert_eq!((found.lag, found.n), (-120_000_000, 60));
}
