//! Of how many sensors, and for how many pairs, the prior of a sensor model is of use: the tables of
//! docs/reference/methods.md, "When a prior is used".
//!
//! `cargo bench --bench priors` prints them, and ends with 1 if the limits of `domain::fit::few` do not hold.

#![expect(clippy::print_stdout, reason = "a bench prints what it finds")]

use std::process::ExitCode;

use calibd::domain::fit::bayes::{self, Prior};
use calibd::domain::fit::few::{self, AT_ODDS, PAIRS, SENSORS, Verdict};
use calibd::domain::fit::population::{Fitted, population};
use calibd::domain::fit::{Column, Fit, Pairs};
use calibd::domain::resample::Seeded;
use calibd::domain::uncertainty::distribution::student_quantile;

#[path = "../src/domain/fit/population/simulated.rs"]
mod simulated;

use self::simulated::Sensor;

/// The prior of so many sensors with 20 pairs each. Like all that follows, `None` where a fit fails.
fn prior_of(sensors: usize, draws: &mut Seeded) -> Option<Prior> {
    let mut fit = || {
        let pairs = Sensor::draw(draws).pairs(20, draws)?;
        Fitted::of_fit(&alone(&pairs)?)
    };
    let fits: Option<Vec<Fitted>> = (0..sensors).map(|_| fit()).collect();
    Prior::from_fit(&population(&fits?).ok()?.to_fit())
}

fn alone(pairs: &Pairs) -> Option<Fit> {
    bayes::affine(pairs, &Prior::vague(2)).ok()
}

/// Whether the stated 95 % interval of the line's middle holds the truth.
fn holds(sensor: &Sensor, fit: &Fit) -> Option<bool> {
    let known = fit.covariance.as_ref()?;
    let u = (known[0][0] + 100.0 * known[0][1] + 2500.0 * known[1][1]).sqrt();
    let off = fit.parameters[0] - sensor.offset + 50.0 * (fit.parameters[1] - sensor.gain);
    Some(off.abs() <= u * student_quantile(0.975, fit.degrees_of_freedom?))
}

/// RMSE with priors of so many sensors over that of fits alone, of all of 200 priors and of the tenth that are worst;
/// and how often the interval holds.
fn of_sensors(sensors: usize, count: usize) -> Option<(f64, f64, f64)> {
    let mut draws = Seeded::new(11);
    let (mut ratios, mut sums, mut held) = (Vec::new(), (0.0, 0.0), 0);
    for _ in 0..200 {
        let prior = prior_of(sensors, &mut draws)?;
        let (mut without, mut with) = (0.0, 0.0);
        for _ in 0..10 {
            let sensor = Sensor::draw(&mut draws);
            let pairs = sensor.pairs(count, &mut draws)?;
            without += sensor.square(&alone(&pairs)?);
            let fit = bayes::affine(&pairs, &prior).ok()?;
            with += sensor.square(&fit);
            held += usize::from(holds(&sensor, &fit)?);
        }
        ratios.push((with / without).sqrt());
        sums = (sums.0 + without, sums.1 + with);
    }
    ratios.sort_by(f64::total_cmp);
    Some(((sums.1 / sums.0).sqrt(), ratios[180], held as f64 / 2000.0))
}

/// RMSE of sensors whose offset is so many standard deviations beside the others': alone, with the prior, and as
/// [`few::judge`] decides; and how often it decides for the pairs alone.
fn beside(deviations: f64, count: usize) -> Option<[f64; 4]> {
    let mut draws = Seeded::new(5);
    let prior = prior_of(30, &mut draws)?;
    let (mut sums, mut odd) = ([0.0; 3], 0);
    for _ in 0..1000 {
        let mut sensor = Sensor::draw(&mut draws);
        sensor.offset += 3.0 * deviations;
        let pairs = sensor.pairs(count, &mut draws)?;
        let without = sensor.square(&alone(&pairs)?);
        let fit = bayes::affine(&pairs, &prior).ok()?;
        let with = sensor.square(&fit);
        let at_odds = matches!(few::judge(&prior, &fit, count), Verdict::AtOdds(_));
        odd += u32::from(at_odds);
        for (sum, value) in sums.iter_mut().zip([without, with, if at_odds { without } else { with }]) {
            *sum += value;
        }
    }
    let [without, with, decided] = sums.map(|sum: f64| (sum / 1000.0).sqrt());
    Some([without, with, decided, f64::from(odd) / 1000.0])
}

/// Whether what is promised of priors of few sensors holds.
fn few_sensors() -> Option<bool> {
    let least = SENSORS * 2;
    println!("| sensors in the prior | 5 pairs | {} pairs | 20 pairs | held |", 2 * PAIRS);
    let row = |sensors: usize| {
        let found = [of_sensors(sensors, 5)?, of_sensors(sensors, 2 * PAIRS)?, of_sensors(sensors, 20)?];
        let cell = |(all, worst, _): (f64, f64, f64)| format!("{all:.2} ({worst:.2})");
        println!("| {sensors} | {} | {:.0} % |", found.map(cell).join(" | "), 100.0 * found[0].2);
        Some(found)
    };
    let (four, eight, sixteen) = (row(4)?, row(least)?, row(2 * least)?);
    Some(four[1].0 > 1.0 && eight[1].0 < 1.0 && sixteen[1].0 < 1.0 && four[0].2 < 0.9 && eight[0].2 > 0.9)
}

/// Whether a sensor that is not like the others is noticed, and one that is not taken for such.
fn other_sensors() -> Option<bool> {
    println!("\n| deviations | pairs | alone | with the prior | decided | at odds |");
    let mut good = true;
    for (deviations, count) in [(0.0, 3), (0.0, 5), (3.0, 5), (6.0, 5), (6.0, 10)] {
        let [alone, with, decided, odd] = beside(deviations, count)?;
        let share = 100.0 * odd;
        println!("| {deviations} | {count} | {alone:.2} | {with:.2} | {decided:.2} | {share:.1} % |");
        good &= deviations != 0.0 || odd < 5.0 * AT_ODDS && decided < alone;
        good &= deviations != 6.0 || odd > 0.9 && decided < 0.8 * with;
    }
    Some(good)
}

fn main() -> ExitCode {
    let (few, others) = (few_sensors(), other_sensors());
    let good = few == Some(true) && others == Some(true);
    let failed = if few.is_none() || others.is_none() { ": a fit failed" } else { "" };
    println!("\nthe limits {}{failed}", if good { "hold" } else { "DO NOT HOLD" });
    ExitCode::from(u8::from(!good))
}
