//! Sensors of one model, invented: for the tests here and for `benches/priors.rs`.

use super::{Column, Fit, Pairs, Seeded};

/// The scatter of the references.
const NOISE: f64 = 2.0;

/// A sensor of the simulation: readings x between 10 and 90, its own line, noise of the reference.
pub struct Sensor {
    /// Its line.
    pub offset: f64,
    /// The same.
    pub gain: f64,
}

impl Sensor {
    /// Draws one of the model.
    pub fn draw(draws: &mut Seeded) -> Sensor {
        // Half of the gains' scatter goes with the offset.
        let shared = draws.normal();
        Sensor { offset: -5.0 + 3.0 * shared, gain: 0.5 - 0.02 * shared + 0.02 * draws.normal() }
    }

    /// So many pairs of it; `None` for none.
    pub fn pairs(&self, count: usize, draws: &mut Seeded) -> Option<Pairs> {
        let x: Vec<f64> = (0..count).map(|_| 10.0 + 80.0 * draws.uniform()).collect();
        let y = x.iter().map(|x| self.offset + self.gain * x + NOISE * draws.normal()).collect();
        Pairs::new(vec![Column::new("x", x)], Column::new("y", y)).ok()
    }

    /// The mean square of what a line is off by over the range.
    pub fn square(&self, fit: &Fit) -> f64 {
        let off = |x: f64| fit.parameters[0] - self.offset + (fit.parameters[1] - self.gain) * x;
        (0..=80).map(|at| off(10.0 + f64::from(at)).powi(2)).sum::<f64>() / 81.0
    }
}
