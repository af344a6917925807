//! Of how many sensors, and for how many pairs, the prior of a sensor model is of use: the tables of
//! docs/reference/methods.md, "When a prior is used".
//!
//! `cargo bench --bench priors` prints them, and ends with 1 if the limits of `domain::fit::few` do not hold.

#![expect(clippy::print_stdout, reason = "a bench prints what it finds")]
#![allow(clippy::unwrap_used, reason = "simulated pairs always have a fit")]

use std::process::ExitCode;

use calibd::domain::fit::bayes::{self, Prior};
use calibd::domain::fit::few::{self, AT_ODDS, PAIRS, SENSORS, Verdict};
use calibd::domain::fit::population::{Fitted, population};
use calibd::domain::fit::{Column, Fit, Pairs};
use calibd::domain::resample::Seeded;
use calibd::domain::uncertainty::distribution::student_quantile;

/// A sensor of the simulation: readings x between 10 and 90, its own line, noise of the reference.
struct Sensor {
    offset: f64,
    gain: f64,
}

impl Sensor {
    fn draw(draws: &mut Seeded) -> Sensor {
        // Half of the gains' scatter goes with the offset.
        let shared = draws.normal();
        Sensor { offset: -5.0 + 3.0 * shared, gain: 0.5 - 0.02 * shared + 0.02 * draws.normal() }
    }

    fn pairs(&self, count: usize, draws: &mut Seeded) -> Pairs {
        let x: Vec<f64> = (0..count).map(|_| 10.0 + 80.0 * draws.uniform()).collect();
        let y = x.iter().map(|x| self.offset + self.gain * x + NOISE * draws.normal()).collect();
        Pairs::new(vec![Column::new("x", x)], Column::new("y", y)).unwrap()
    }

    /// The mean square of what a line is off by over the range.
    fn square(&self, fit: &Fit) -> f64 {
        let off = |x: f64| fit.parameters[0] - self.offset + (fit.parameters[1] - self.gain) * x;
        (0..=80).map(|at| off(10.0 + f64::from(at)).powi(2)).sum::<f64>() / 81.0
    }
}

const NOISE: f64 = 2.0;

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

/// Whether what is promised of priors of few sensors holds.
fn few_sensors() -> bool {
    let least = SENSORS * 2;
    println!("| sensors in the prior | 5 pairs | {} pairs | 20 pairs | held |", 2 * PAIRS);
    let rows = [4, least, 2 * least].map(|sensors| {
        let found = [5, 2 * PAIRS, 20].map(|count| of_sensors(sensors, count));
        let cell = |(all, worst, _): (f64, f64, f64)| format!("{all:.2} ({worst:.2})");
        println!("| {sensors} | {} | {:.0} % |", found.map(cell).join(" | "), 100.0 * found[0].2);
        found
    });
    let [four, eight, sixteen] = rows;
    four[1].0 > 1.0 && eight[1].0 < 1.0 && sixteen[1].0 < 1.0 && four[0].2 < 0.9 && eight[0].2 > 0.9
}

/// Whether a sensor that is not like the others is noticed, and one that is not taken for such.
fn other_sensors() -> bool {
    println!("\n| deviations | pairs | alone | with the prior | decided | at odds |");
    let mut good = true;
    for (deviations, count) in [(0.0, 3), (0.0, 5), (3.0, 5), (6.0, 5), (6.0, 10)] {
        let [alone, with, decided, odd] = beside(deviations, count);
        let share = 100.0 * odd;
        println!("| {deviations} | {count} | {alone:.2} | {with:.2} | {decided:.2} | {share:.1} % |");
        good &= deviations != 0.0 || odd < 5.0 * AT_ODDS && decided < alone;
        good &= deviations != 6.0 || odd > 0.9 && decided < 0.8 * with;
    }
    good
}

fn main() -> ExitCode {
    let good = few_sensors() & other_sensors();
    println!("\nthe limits {}", if good { "hold" } else { "DO NOT HOLD" });
    ExitCode::from(u8::from(!good))
}
