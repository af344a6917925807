//! The methods by their names, and what may be asked of them.

use super::error::FitError;
use super::fitted::Fit;
use super::pairs::Pairs;

/// Largest degree of a polynomial.
pub const MAX_DEGREE: usize = 15;

/// How to fit. As on the command line: `affine`, `polynomial:3`, `rational:1/2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// y = x + a.
    Offset,
    /// y = a + b x.
    Affine,
    /// y = c0 + c1 x + ... + cN x^N.
    Polynomial(usize),
    /// Straight lines between N + 1 knots.
    Piecewise(usize),
    /// Monotone cubic pieces.
    Pchip,
    /// The best increasing steps.
    Isotonic,
    /// y = a + b1 x1 + b2 x2 + ...
    Multilinear,
    /// A line with errors in both variables, their ratio known.
    Deming,
    /// A line with errors in both variables, known for each pair.
    York,
    /// The median of all slopes.
    TheilSen,
    /// A line on which outliers weigh less.
    Huber,
    /// y = (b0 + ... + bM x^M) / (1 + c1 x + ... + cN x^N).
    Rational(usize, usize),
    /// y = a + b e^(c x).
    Exponential,
    /// y = a (1 - e^(-b x)).
    Saturation,
    /// y = a x^b.
    Power,
    /// y = a / (1 + e^(b - c x)).
    Logistic,
    /// p = 1 / (1 + e^(a f + b)).
    Platt,
    /// p = sigmoid(z / T).
    Temperature,
    /// logit p = a ln s - b ln(1 - s) + c.
    Beta,
    /// Means of N bins.
    Histogram(usize),
    /// Inductive Venn-Abers.
    VennAbers,
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Method::Polynomial(n) => write!(f, "polynomial:{n}"),
            Method::Piecewise(n) => write!(f, "piecewise:{n}"),
            Method::Rational(m, n) => write!(f, "rational:{m}/{n}"),
            Method::Histogram(n) => write!(f, "histogram:{n}"),
            Method::Offset => f.write_str("offset"),
            Method::Affine => f.write_str("affine"),
            Method::Pchip => f.write_str("pchip"),
            Method::Isotonic => f.write_str("isotonic"),
            Method::Multilinear => f.write_str("multilinear"),
            Method::Deming => f.write_str("deming"),
            Method::York => f.write_str("york"),
            Method::TheilSen => f.write_str("theil-sen"),
            Method::Huber => f.write_str("huber"),
            Method::Exponential => f.write_str("exponential"),
            Method::Saturation => f.write_str("saturation"),
            Method::Power => f.write_str("power"),
            Method::Logistic => f.write_str("logistic"),
            Method::Platt => f.write_str("platt"),
            Method::Temperature => f.write_str("temperature"),
            Method::Beta => f.write_str("beta"),
            Method::VennAbers => f.write_str("venn-abers"),
        }
    }
}

/// Which variable is taken to carry the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Reference on sensor: predicts best, and attenuates the extremes.
    #[default]
    ReferenceOnSensor,
    /// Sensor on reference, inverted (ISO 11095): doesn't attenuate.
    SensorOnReference,
}

/// Where the covariance of the parameters comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CovarianceKind {
    /// Independent errors: (X'WX)^-1 s^2.
    #[default]
    Independent,
    /// The uncertainties are known: (X'WX)^-1, whatever the residuals say.
    Known,
    /// Autocorrelated errors: Newey-West.
    Hac,
    /// Autocorrelated errors: moving-block bootstrap.
    BlockBootstrap,
}

/// What may be asked of a fit beside the method.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Offset, affine and polynomial.
    pub direction: Direction,
    /// Linear methods.
    pub covariance: CovarianceKind,
    /// Multilinear: whether there is an a.
    pub intercept: bool,
    /// Deming: variance of the errors of y over that of x.
    pub variance_ratio: f64,
    /// Nonlinear methods: starting values; found by itself if absent.
    pub start: Option<Vec<f64>>,
    /// Histogram: equal mass instead of equal width.
    pub equal_mass: bool,
    /// Bins and blocks with fewer pairs are merged with their neighbours.
    pub min_count: usize,
    /// Of every resampling.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            direction: Direction::default(),
            covariance: CovarianceKind::default(),
            intercept: true,
            variance_ratio: 1.0,
            start: None,
            equal_mass: false,
            min_count: 1,
            seed: 1,
        }
    }
}

/// Fits one method.
pub fn fit(method: Method, pairs: &Pairs, options: &Options) -> Result<Fit, FitError> {
    let _ = (pairs, options);
    Err(FitError::Unsupported(format!("{method} is not available yet")))
}
