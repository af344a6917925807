//! The filter itself: two states, a prediction and an update.

use super::noise::Noise;
use crate::domain::fit::error::FitError;

/// What is known of the line before the first reference: y = level + gain (x - centre).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prior {
    /// The x in the middle of the readings, where level and gain are nearly independent.
    pub centre: f64,
    /// The value at `centre`, in the output unit.
    pub level: f64,
    /// Output units per input unit.
    pub gain: f64,
    /// The covariance of (level, gain).
    pub covariance: [[f64; 2]; 2],
}

/// A line whose level and gain walk at random.
///
/// The state is (level, gain) about the centre. In time dt the offset walks by N(0, offset^2 dt) and the
/// gain by a share N(0, gain^2 dt) of itself, so that the variance of a value y grows by
/// (offset^2 + gain^2 y^2) dt: the law of a transform's drift. The update is Joseph's form, which keeps the
/// covariance positive semi-definite whatever the gain's rounding (Bucy, Joseph 1968; Bar-Shalom, Li,
/// Kirubarajan 2001, 5.2.3).
#[derive(Debug, Clone, PartialEq)]
pub struct Kalman {
    centre: f64,
    state: [f64; 2],
    covariance: [[f64; 2]; 2],
    walk: [f64; 2],
}

/// What a reference told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Innovation {
    /// Reference - prediction, in the output unit.
    pub value: f64,
    /// Its standard deviation as predicted.
    pub deviation: f64,
}

/// States beyond this have no meaning, and their products would leave the doubles.
const LARGEST: f64 = 1e150;

impl Innovation {
    /// ln of its probability density, normal with the predicted deviation.
    pub fn log_likelihood(&self) -> f64 {
        let z = self.value / self.deviation;
        -0.5 * (z * z + std::f64::consts::TAU.ln()) - self.deviation.ln()
    }
}

impl Kalman {
    /// Starts from what is known.
    pub fn new(prior: &Prior, noise: &Noise) -> Result<Kalman, FitError> {
        let noise = noise.checked()?;
        let [[a, b], [c, d]] = prior.covariance;
        let finite =
            [prior.centre, prior.level, prior.gain, a, b, c, d].iter().all(|value| value.is_finite());
        if !finite || a < 0.0 || d < 0.0 || b != c || b * b > a * d * (1.0 + 1e-9) {
            let text = "the prior of the Kalman filter is of no use: give finite values and a symmetric, positive semi-definite covariance";
            return Err(FitError::Unsupported(text.to_owned()));
        }
        let walk = [noise.offset, noise.gain];
        Ok(Kalman {
            centre: prior.centre,
            state: [prior.level, prior.gain],
            covariance: prior.covariance,
            walk,
        })
    }

    /// Lets `days` pass: the uncertainty grows. Refuses times that go back or are no numbers.
    pub fn predict(&mut self, days: f64) -> Result<(), FitError> {
        if !(days >= 0.0 && days.is_finite()) {
            let text = format!("references have to be given in the order of time: {days} days passed");
            return Err(FitError::Unsupported(text));
        }
        let offset = self.walk[0] * self.walk[0] * days;
        let gain = self.walk[1] * self.walk[1] * days;
        let [level, slope] = self.state;
        let [[a, b], [_, d]] = self.covariance;
        let b = b + gain * level * slope;
        let grown = [[a + offset + gain * level * level, b], [b, d + gain * slope * slope]];
        self.accept(self.state, grown)
    }

    /// Takes in a reference y at reading x, with u > 0 the standard uncertainty of y about the line: the
    /// reference's own and the scatter together.
    pub fn update(&mut self, x: f64, y: f64, u: f64) -> Result<Innovation, FitError> {
        if !(x.is_finite() && y.is_finite() && u > 0.0 && u.is_finite()) {
            let text = format!(
                "expected a finite reading and reference with an uncertainty above 0, found x {x}, y {y}, u {u}"
            );
            return Err(FitError::Unsupported(text));
        }
        let (predicted, parameters) = self.value(x);
        let variance = parameters * parameters + u * u;
        if !variance.is_finite() {
            return Err(out_of_numbers());
        }
        let value = y - predicted;
        let gain = self.along(x).map(|covariance| covariance / variance);
        let state = [self.state[0] + gain[0] * value, self.state[1] + gain[1] * value];
        self.accept(state, self.joseph(x - self.centre, gain, u * u))?;
        Ok(Innovation { value, deviation: variance.sqrt() })
    }

    /// The calibrated value at x, and its standard uncertainty from level and gain alone.
    pub fn value(&self, x: f64) -> (f64, f64) {
        let h = x - self.centre;
        let [level, gain] = self.along(x);
        (self.state[0] + self.state[1] * h, (level + gain * h).max(0.0).sqrt())
    }

    /// (offset, gain) of y = offset + gain x, and their covariance.
    pub fn line(&self) -> ([f64; 2], [[f64; 2]; 2]) {
        let ([level, gain], c) = (self.state, self.centre);
        let [at_zero, _] = self.along(0.0);
        let [[_, b], [_, d]] = self.covariance;
        let cross = b - c * d;
        let variance = (at_zero - c * cross).max(0.0);
        ([level - gain * c, gain], correlated([[variance, cross], [cross, d]]))
    }

    /// The covariance of (level, gain).
    pub fn covariance(&self) -> [[f64; 2]; 2] {
        self.covariance
    }

    /// P h: the covariance of (level, gain) with the value at x.
    fn along(&self, x: f64) -> [f64; 2] {
        let h = x - self.centre;
        self.covariance.map(|row| row[0] + row[1] * h)
    }

    /// (I - K h') P (I - K h')' + K r K'.
    fn joseph(&self, h: f64, [k, l]: [f64; 2], r: f64) -> [[f64; 2]; 2] {
        let left = [[1.0 - k, -k * h], [-l, 1.0 - l * h]];
        let [[a, b], [_, d]] = self.covariance;
        let quadratic =
            |p: [f64; 2], q: [f64; 2]| p[0] * (a * q[0] + b * q[1]) + p[1] * (b * q[0] + d * q[1]);
        let cross = quadratic(left[0], left[1]) + k * r * l;
        [[quadratic(left[0], left[0]) + k * r * k, cross], [cross, quadratic(left[1], left[1]) + l * r * l]]
    }

    /// Takes a new state over, unless it left the numbers.
    fn accept(&mut self, state: [f64; 2], covariance: [[f64; 2]; 2]) -> Result<(), FitError> {
        // NaN is not below either
        if !state.iter().chain(covariance.as_flattened()).all(|value| value.abs() < LARGEST) {
            return Err(out_of_numbers());
        }
        (self.state, self.covariance) = (state, correlated(covariance));
        Ok(())
    }
}

/// The same covariance with a correlation of at most 1, beyond which rounding may take it.
fn correlated([[a, b], [_, d]]: [[f64; 2]; 2]) -> [[f64; 2]; 2] {
    let (a, d) = (a.max(0.0), d.max(0.0));
    let most = a.sqrt() * d.sqrt();
    let b = b.max(-most).min(most);
    [[a, b], [b, d]]
}

fn out_of_numbers() -> FitError {
    let text =
        "the Kalman filter left the range of numbers: check the units of readings, references and noise";
    FitError::Unsupported(text.to_owned())
}
