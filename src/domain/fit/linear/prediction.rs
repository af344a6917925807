//! What a fitted relation says at one point, and what it says of the point that made a value.

use crate::domain::fit::{Fit, FitError};
use crate::domain::transform::chain::Chain;
use crate::domain::transform::stage::StageSpec;

/// A value of the fitted relation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// In the unit of y.
    pub mean: f64,
    /// The standard uncertainty of the mean, from the parameters.
    pub u_mean: f64,
    /// That of one more observation of weight 1: with the residuals' scatter.
    pub u_observation: f64,
}

/// A fit that is ready to predict.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictor {
    chain: Chain,
    residual_std: f64,
}

impl Predictor {
    /// Takes the fit's stages with their covariances. Fails on a fit without a covariance or without a
    /// scatter of residuals: what isn't known is not 0.
    pub fn new(fit: &Fit) -> Result<Predictor, FitError> {
        let chain = Chain::new(&fit.stages)
            .map_err(|error| FitError::Unsupported(format!("the fitted stages are of no use: {error}")))?;
        match (&fit.covariance, fit.residual_std) {
            (Some(_), Some(residual_std)) => Ok(Predictor { chain, residual_std }),
            _ => Err(FitError::Unsupported(format!(
                "the fit of {} states no uncertainty: add pairs, or take a method with a covariance",
                fit.method
            ))),
        }
    }

    /// At `x`, and the covariates in the order of their columns.
    ///
    /// u_mean^2 = g' C g, g the derivatives by the parameters; u_observation^2 = u_mean^2 + s^2
    /// (ISO/TS 28037, 6.2 and GUM H.3.4).
    pub fn at(&self, x: f64, covariates: &[f64]) -> Prediction {
        let variance = self.chain.variance(x, covariates);
        Prediction {
            mean: self.chain.value(x, covariates),
            u_mean: variance.sqrt(),
            u_observation: (variance + self.residual_std * self.residual_std).sqrt(),
        }
    }
}

/// The x that made an observed y, by a fitted line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Inverse {
    /// (y - a) / b.
    pub x: f64,
    /// Its standard uncertainty by first-order propagation, the scatter of one observation of weight 1 included.
    pub u: f64,
    /// Fieller's limits.
    pub low: f64,
    /// The upper one.
    pub high: f64,
    /// k^2 u(b)^2 / b^2: well below 1 the limits are those of `u`; from 1 on there are none.
    pub g: f64,
}

/// Which x made `y`, by the fit of a line, with limits at the coverage factor `k`.
///
/// u = sqrt(s^2 + var(a + b x)) / |b| (ISO 11095, 7.4). The limits hold every x at which y is no
/// further from the line than k times the uncertainty of y - a - b x (Fieller 1954). Fails if the fit
/// is no line with a covariance, or where the slope can't be told from 0.
pub fn invert(fit: &Fit, y: f64, k: f64) -> Result<Inverse, FitError> {
    let line = matches!(fit.stages[..], [StageSpec::Affine(_)]);
    let (true, Some(covariance), Some(scatter), [a, b]) =
        (line, &fit.covariance, fit.residual_std, &fit.parameters[..])
    else {
        let problem = "only a line with a covariance is turned round: fit `affine` to more than two pairs";
        return Err(FitError::Unsupported(problem.to_owned()));
    };
    let x = (y - a) / b;
    let (v00, v01, v11) = (covariance[0][0], covariance[0][1], covariance[1][1]);
    let variance = scatter * scatter + v00 + x * (2.0 * v01 + x * v11);
    let g = k * k * v11 / (b * b);
    if g >= 1.0 || g.is_nan() {
        let problem = format!(
            "the slope {b} can't be told from 0 (u = {}), so no x can be told from y: add pairs over a wider range",
            v11.sqrt()
        );
        return Err(FitError::Unsupported(problem));
    }
    // b^2 d^2 <= k^2 (variance + 2 d c + d^2 v11), d the distance from x
    let (c, rest) = (v01 + x * v11, b * b * (1.0 - g));
    let middle = k * k * c / rest;
    let reach = k * (k * k * c * c + rest * variance).sqrt() / rest;
    Ok(Inverse { x, u: variance.sqrt() / b.abs(), low: x + middle - reach, high: x + middle + reach, g })
}
