//! Of how many sensors, and for how many pairs, a prior is of use: the tables of docs/reference/methods.md.

use super::*;
use crate::domain::fit::few::{self, AT_ODDS, PAIRS, SENSORS, Verdict};
use crate::domain::uncertainty::distribution::student_quantile;

/// The prior of so many sensors with 20 pairs each.
fn prior_of(sensors: usize, draws: &mut Seeded) -> Prior {
    let fits: Vec<Fitted> = (0..sensors)
        .map(|_| {
            let pairs = Sensor::draw(draws).pairs(20, draws);
            Fitted::of_fit(&bayes::affine(&pairs, &Prior::vague(2)).unwrap()).unwrap()
        })
        .collect();
    Prior::from_fit(&population(&fits).unwrap().to_fit()).unwrap()
}

/// Whether the stated 95 % interval of the line's middle holds the truth.
fn holds(sensor: &Sensor, fit: &Fit) -> bool {
    let known = fit.covariance.as_ref().unwrap();
    let u = (known[0][0] + 100.0 * known[0][1] + 2500.0 * known[1][1]).sqrt();
    let off = fit.parameters[0] - sensor.offset + 50.0 * (fit.parameters[1] - sensor.gain);
    off.abs() <= u * student_quantile(0.975, fit.degrees_of_freedom.unwrap())
}

/// RMSE with priors of so many sensors over that of fits alone, of all of 200 priors and of the tenth that are worst;
/// and how often the interval holds.
fn of_sensors(sensors: usize, count: usize) -> (f64, f64, f64) {
    let mut draws = Seeded::new(11);
    let (mut ratios, mut sums, mut held) = (Vec::new(), (0.0, 0.0), 0);
    for _ in 0..200 {
        let prior = prior_of(sensors, &mut draws);
        let (mut alone, mut with) = (0.0, 0.0);
        for _ in 0..10 {
            let sensor = Sensor::draw(&mut draws);
            let pairs = sensor.pairs(count, &mut draws);
            alone += sensor.square(&bayes::affine(&pairs, &Prior::vague(2)).unwrap());
            let fit = bayes::affine(&pairs, &prior).unwrap();
            with += sensor.square(&fit);
            held += usize::from(holds(&sensor, &fit));
        }
        ratios.push((with / alone).sqrt());
        sums = (sums.0 + alone, sums.1 + with);
    }
    ratios.sort_by(f64::total_cmp);
    ((sums.1 / sums.0).sqrt(), ratios[180], held as f64 / 2000.0)
}

#[test]
fn a_prior_of_few_sensors_helps_few_pairs_only() {
    let least = SENSORS * 2;
    let mut rows = Vec::new();
    for sensors in [4, least, 2 * least] {
        let found = [5, 2 * PAIRS, 20].map(|count| of_sensors(sensors, count));
        let cell = |(all, worst, _): (f64, f64, f64)| format!("{all:.2} ({worst:.2})");
        let held = 100.0 * found[0].2;
        let row = format!("| {sensors} | {} | {held:.0} % |", found.map(cell).join(" | "));
        assert!(documented().contains(&row), "docs/reference/methods.md lacks {row}");
        rows.push(found);
    }
    let [four, eight, sixteen] = &rows[..] else { panic!("three rows") };
    assert!(four[1].0 > 1.0, "of four sensors, a prior does harm to ten pairs: {four:?}");
    assert!(eight[1].0 < 1.0 && sixteen[1].0 < 1.0, "{eight:?} {sixteen:?}");
    assert!(eight[0].2 > 0.9 && four[0].2 < 0.9, "{eight:?} {four:?}");
}

/// RMSE of sensors whose offset is so many standard deviations beside the others': alone, with the prior, and as
/// [`few::fit`] decides; and how often it decides for the pairs alone.
fn beside(deviations: f64, count: usize) -> [f64; 4] {
    let mut draws = Seeded::new(5);
    let prior = prior_of(30, &mut draws);
    let (mut sums, mut odd) = ([0.0; 3], 0);
    for _ in 0..1000 {
        let mut sensor = Sensor::draw(&mut draws);
        sensor.offset += 3.0 * deviations;
        let pairs = sensor.pairs(count, &mut draws);
        let alone = sensor.square(&bayes::affine(&pairs, &Prior::vague(2)).unwrap());
        let fit = bayes::affine(&pairs, &prior).unwrap();
        let with = sensor.square(&fit);
        let at_odds = matches!(few::judge(&prior, &fit, count), Verdict::AtOdds(_));
        odd += u32::from(at_odds);
        for (sum, value) in sums.iter_mut().zip([alone, with, if at_odds { alone } else { with }]) {
            *sum += value;
        }
    }
    let [alone, with, decided] = sums.map(|sum: f64| (sum / 1000.0).sqrt());
    [alone, with, decided, f64::from(odd) / 1000.0]
}

#[test]
fn a_sensor_that_is_not_like_the_others_is_noticed() {
    for (deviations, count) in [(0.0, 3), (0.0, 5), (3.0, 5), (6.0, 5), (6.0, 10)] {
        let [alone, with, decided, odd] = beside(deviations, count);
        let row = format!(
            "| {deviations} | {count} | {alone:.2} | {with:.2} | {decided:.2} | {:.1} % |",
            100.0 * odd
        );
        assert!(documented().contains(&row), "docs/reference/methods.md lacks {row}");
        if deviations == 0.0 {
            assert!(odd < 5.0 * AT_ODDS && decided < alone, "{row}");
        }
        if deviations == 6.0 {
            assert!(odd > 0.9 && decided < 0.8 * with, "{row}");
        }
    }
}
