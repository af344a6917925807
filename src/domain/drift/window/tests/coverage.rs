//! How often the true bias is within the expanded uncertainty of the bias, on simulated weeks of hourly pairs.

use super::*;
use crate::domain::resample::Seeded;

/// Share of 1,000 weeks; the errors remember `memory` of the one before, and the standard is off by
/// `standard`, a draw a week.
fn covered(memory: f64, standard: f64) -> f64 {
    let mut draws = Seeded::new(11);
    let week = |draws: &mut Seeded| {
        let mut window = Window::new(Setup::new(Kind::Measurement));
        let off = standard * draws.normal();
        let mut error = draws.normal();
        for hours in 0..168 {
            error = memory * error + (1.0 - memory * memory).sqrt() * draws.normal();
            let u_reference = Some(standard).filter(|u| *u > 0.0);
            let facts = Facts { u_reference, ..Facts::new(at(hours), 20.3 + error, 20.0 + off) };
            window.add(&Pair::new(Kind::Measurement, facts).unwrap(), at(hours));
        }
        let scores = window.report(at(167), None).calibrated;
        (scores.bias.unwrap() - 0.3).abs() <= scores.expanded().unwrap()
    };
    (0..1000).filter(|_| week(&mut draws)).count() as f64 / 1000.0
}

#[test]
fn the_bias_is_as_uncertain_as_stated() {
    for (memory, standard) in [(0.0, 0.0), (0.5, 0.0), (0.8, 0.0), (0.5, 0.2)] {
        let share = covered(memory, standard);
        println!("memory {memory}, standard {standard}: {share}");
        assert!((0.90..0.98).contains(&share), "memory {memory}, standard {standard}: {share}");
    }
}
