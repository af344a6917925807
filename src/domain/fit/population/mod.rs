//! What many sensors of a model have in common: the prior for the next one.

mod symmetric;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use self::symmetric::{Matrix, Triangle, added, identity, outer, product, scaled, times};
use super::{Fit, FitError};

/// Iterations of the between-sensor covariance; near 0 they come closer by ever smaller steps.
const ITERATIONS: usize = 1000;
/// A step so small, on the scale of what the fits scatter, ends the iteration.
const SMALL: f64 = 1e-10;

/// A fit of one sensor, as far as others can learn from it; with the field names of `fit --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fitted {
    /// The parameters' names, in the order of the method's formula.
    pub parameter_names: Vec<String>,
    /// The parameters.
    pub parameters: Vec<f64>,
    /// Their covariance.
    pub covariance: Matrix,
    /// The standard deviation of the residuals, in the unit of y; above 0.
    pub residual_std: f64,
    /// Of `residual_std`; above 0.
    pub degrees_of_freedom: f64,
}

impl Fitted {
    /// What a fit says; `None` where it has no covariance or no residuals.
    pub fn of_fit(fit: &Fit) -> Option<Fitted> {
        Some(Fitted {
            parameter_names: fit.names.clone(),
            parameters: fit.parameters.clone(),
            covariance: fit.covariance.clone()?,
            residual_std: fit.residual_std?,
            degrees_of_freedom: fit.degrees_of_freedom?,
        })
    }

    /// As what `fit --prior` takes.
    pub fn to_fit(&self) -> Fit {
        Fit {
            names: self.parameter_names.clone(),
            parameters: self.parameters.clone(),
            covariance: Some(self.covariance.clone()),
            residual_std: Some(self.residual_std),
            degrees_of_freedom: Some(self.degrees_of_freedom),
            ..Fit::default()
        }
    }

    /// The first thing that makes no sense: the field, and what would be right.
    pub fn fault(&self) -> Option<(&'static str, &'static str)> {
        let size = self.parameters.len();
        if size == 0 || !self.parameters.iter().all(|value| value.is_finite()) {
            return Some(("parameters", "expected finite numbers, at least one"));
        }
        if self.parameter_names.len() != size {
            return Some(("parameter_names", "expected one for each of the parameters"));
        }
        if self.covariance.len() != size || self.covariance.iter().any(|row| row.len() != size) {
            return Some(("covariance", "expected as many rows and columns as parameters"));
        }
        if !is_covariance(&self.covariance) {
            return Some(("covariance", "expected a symmetric matrix with variances above 0"));
        }
        let positive = |value: f64| value.is_finite() && value > 0.0;
        if !positive(self.residual_std) {
            return Some(("residual_std", "expected a number above 0"));
        }
        (!positive(self.degrees_of_freedom)).then_some(("degrees_of_freedom", "expected a number above 0"))
    }
}

/// Whether it is symmetric to rounding, its variances above 0 and no correlation above 1.
fn is_covariance(matrix: &[Vec<f64>]) -> bool {
    let size = matrix.len();
    (0..size).all(|i| {
        (0..size).all(|j| {
            let room = matrix[i][i].sqrt() * matrix[j][j].sqrt();
            let symmetric = (matrix[i][j] - matrix[j][i]).abs() <= 1e-9 * room;
            matrix[i][i] > 0.0 && symmetric && matrix[i][j].abs() <= room * (1.0 + 1e-9)
        })
    })
}

/// What a further sensor's fit will be: the prior of its calibration.
///
/// Each sensor's parameters are normal about a common mean with a covariance T between sensors, each fit about its
/// sensor's own with its stated covariance S. T is the restricted maximum likelihood estimate (Harville 1977; for
/// vectors Jackson, Riley, White 2011, *Statistics in Medicine* 30), by expectation and maximisation, which keeps it
/// positive. `parameters` is the mean weighed with (S + T)^-1, `covariance` is T and that of the mean. `residual_std` and
/// its degrees of freedom have the mean of the fits' variances, and as much scatter as these have beyond chance (the
/// moments of F).
///
/// # Errors
/// Fewer fits than two more than parameters, fits of different formulas, a fit that makes no sense (named by its
/// number from 1), or fits that are all alike.
pub fn population(fits: &[Fitted]) -> Result<Fitted, FitError> {
    let first = check(fits)?;
    let size = first.parameters.len();
    let frame = Frame::of(fits).ok_or_else(|| {
        let text = "the fits do not differ in all of their parameters: a prior of them would know too much";
        FitError::Unsupported(text.to_owned())
    })?;
    let seen: Vec<(Vec<f64>, Matrix)> = fits.iter().map(|fit| frame.inside(fit)).collect();
    let mut between = identity(size);
    let mut found = Common::new(&seen, &between)?;
    for _ in 0..ITERATIONS {
        let next = found.between(&seen, &between);
        let step = distance(&next, &between);
        between = next;
        found = Common::new(&seen, &between)?;
        if step < SMALL {
            break;
        }
    }
    let (residual_std, degrees_of_freedom) = scatter(fits);
    Ok(Fitted {
        parameter_names: first.parameter_names.clone(),
        parameters: frame.outside(&found.mean),
        covariance: frame.spread(&added(&between, &found.uncertainty)),
        residual_std,
        degrees_of_freedom,
    })
}

fn check(fits: &[Fitted]) -> Result<&Fitted, FitError> {
    let needed = fits.first().map_or(3, |fit| fit.parameters.len() + 2);
    let first = fits.first().filter(|_| fits.len() >= needed).ok_or_else(|| {
        let found = fits.len();
        FitError::Unsupported(format!(
            "a prior needs the fits of at least {needed} sensors, and there are {found}"
        ))
    })?;
    for (at, fit) in fits.iter().enumerate() {
        let number = at + 1;
        if let Some((field, problem)) = fit.fault() {
            return Err(FitError::Unsupported(format!("fit {number}: {field}: {problem}")));
        }
        if fit.parameter_names != first.parameter_names {
            let (found, wanted) = (fit.parameter_names.join(", "), first.parameter_names.join(", "));
            return Err(FitError::Unsupported(format!(
                "fit {number} has the parameters {found}, the first one {wanted}: take fits of one formula"
            )));
        }
    }
    Ok(first)
}

/// Coordinates in which the fits scatter by about 1 in every direction, however large and correlated the parameters
/// are.
struct Frame {
    center: Vec<f64>,
    scale: Triangle,
}

impl Frame {
    fn of(fits: &[Fitted]) -> Option<Frame> {
        let (size, count) = (fits[0].parameters.len(), fits.len() as f64);
        let center: Vec<f64> =
            (0..size).map(|at| fits.iter().map(|fit| fit.parameters[at]).sum::<f64>() / count).collect();
        let mut total = vec![vec![0.0; size]; size];
        for fit in fits {
            let off: Vec<f64> =
                fit.parameters.iter().zip(&center).map(|(value, mean)| value - mean).collect();
            total = added(&total, &added(&fit.covariance, &outer(&off)));
        }
        Some(Frame { center, scale: Triangle::of(&scaled(&total, 1.0 / count))? })
    }

    fn inside(&self, fit: &Fitted) -> (Vec<f64>, Matrix) {
        let off: Vec<f64> =
            fit.parameters.iter().zip(&self.center).map(|(value, mean)| value - mean).collect();
        (self.scale.forward(&off), self.scale.forward_both(&fit.covariance))
    }

    fn outside(&self, value: &[f64]) -> Vec<f64> {
        self.scale.times(value).iter().zip(&self.center).map(|(off, mean)| off + mean).collect()
    }

    fn spread(&self, covariance: &Matrix) -> Matrix {
        self.scale.times_both(covariance)
    }
}

/// The mean for one covariance between sensors.
struct Common {
    /// (S + T)^-1 of each fit.
    weights: Vec<Matrix>,
    mean: Vec<f64>,
    uncertainty: Matrix,
}

impl Common {
    fn new(seen: &[(Vec<f64>, Matrix)], between: &Matrix) -> Result<Common, FitError> {
        let size = between.len();
        let inverse = |matrix: &Matrix| {
            let text = "the fits' covariances are too close to singular for a prior";
            Triangle::of(matrix).map(|factor| factor.inverse()).ok_or(FitError::Unsupported(text.to_owned()))
        };
        let mut weights = Vec::with_capacity(seen.len());
        let (mut information, mut weighed) = (vec![vec![0.0; size]; size], vec![0.0; size]);
        for (value, covariance) in seen {
            let weight = inverse(&added(covariance, between))?;
            let part = times(&weight, value);
            weighed.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
            information = added(&information, &weight);
            weights.push(weight);
        }
        let uncertainty = inverse(&information)?;
        Ok(Common { mean: times(&uncertainty, &weighed), uncertainty, weights })
    }

    /// The next covariance between sensors: the mean of what each sensor's deviation is, squared, by what is seen.
    fn between(&self, seen: &[(Vec<f64>, Matrix)], between: &Matrix) -> Matrix {
        let size = between.len();
        let mut sum = vec![vec![0.0; size]; size];
        for ((value, _), weight) in seen.iter().zip(&self.weights) {
            let off: Vec<f64> = value.iter().zip(&self.mean).map(|(value, mean)| value - mean).collect();
            let gain = product(between, weight);
            let known = product(&product(weight, &self.uncertainty), weight);
            let left = added(weight, &scaled(&known, -1.0));
            let taken = product(&product(between, &left), between);
            sum = added(&sum, &added(&outer(&times(&gain, &off)), &added(between, &scaled(&taken, -1.0))));
        }
        scaled(&sum, 1.0 / seen.len() as f64)
    }
}

fn distance(one: &Matrix, other: &Matrix) -> f64 {
    one.iter().flatten().zip(other.iter().flatten()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// The residuals' standard deviation of a further sensor, and how well it is known.
fn scatter(fits: &[Fitted]) -> (f64, f64) {
    let count = fits.len() as f64;
    let total: f64 = fits.iter().map(|fit| fit.degrees_of_freedom).sum();
    let variance = |fit: &Fitted| fit.residual_std * fit.residual_std;
    let mean = fits.iter().map(|fit| fit.degrees_of_freedom * variance(fit)).sum::<f64>() / total;
    let typical = count / fits.iter().map(|fit| 1.0 / fit.degrees_of_freedom).sum::<f64>();
    let square = fits.iter().map(|fit| (variance(fit) / mean - 1.0).powi(2)).sum::<f64>() / (count - 1.0);
    // Of F with m and n degrees of freedom the square of standard deviation over mean is 2 (m + n - 2) / (m (n - 4)).
    let beyond = square * typical - 2.0;
    let own = (4.0 * square * typical + 2.0 * typical - 4.0) / beyond;
    let freedom = if beyond > 0.0 { own.clamp(4.0, total.max(4.0)) } else { total.max(4.0) };
    ((mean * (freedom - 2.0) / freedom).sqrt(), freedom)
}
