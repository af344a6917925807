//! The methods by their names, and what may be asked of them.

use super::bayes::{self, Prior};
use super::error::FitError;
use super::fitted::Fit;
use super::pairs::Pairs;
use super::probability::isotonic::Trend;
use super::validation::Validation;
use super::{deming, huber, linear, nonlinear, pchip, piecewise, probability, range, theil_sen, york};
use crate::domain::drift::probability::bins::Binning;
use crate::domain::uncertainty::distribution::chi_squared;

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

/// The methods that have no number in their name.
const PLAIN: [(&str, Method); 17] = [
    ("offset", Method::Offset),
    ("affine", Method::Affine),
    ("pchip", Method::Pchip),
    ("isotonic", Method::Isotonic),
    ("multilinear", Method::Multilinear),
    ("deming", Method::Deming),
    ("york", Method::York),
    ("theil-sen", Method::TheilSen),
    ("huber", Method::Huber),
    ("exponential", Method::Exponential),
    ("saturation", Method::Saturation),
    ("power", Method::Power),
    ("logistic", Method::Logistic),
    ("platt", Method::Platt),
    ("temperature", Method::Temperature),
    ("beta", Method::Beta),
    ("venn-abers", Method::VennAbers),
];

impl Method {
    /// Reads a method's name. Fails with the names there are, or with the range of its number.
    pub fn parse(text: &str) -> Result<Method, FitError> {
        if let Some((_, method)) = PLAIN.iter().find(|(name, _)| *name == text) {
            return Ok(*method);
        }
        let (name, argument) = text.split_once(':').unwrap_or((text, ""));
        match name {
            "polynomial" => Ok(Method::Polynomial(number(text, argument, 1, MAX_DEGREE)?)),
            "piecewise" => Ok(Method::Piecewise(number(text, argument, 1, MAX_PIECES)?)),
            "histogram" => Ok(Method::Histogram(number(text, argument, 1, MAX_PIECES)?)),
            "rational" => {
                let (above, below) = argument.split_once('/').unwrap_or((argument, ""));
                let degrees = (number(text, above, 0, MAX_RATIONAL)?, number(text, below, 1, MAX_RATIONAL)?);
                Ok(Method::Rational(degrees.0, degrees.1))
            }
            _ => Err(unknown(text)),
        }
    }

    /// Whether it looks at more than one column of sensor values.
    pub fn takes_covariates(self) -> bool {
        matches!(self, Method::Multilinear | Method::Temperature)
    }

    /// Whether its outcome is a probability, and its reference a label of 0 or 1.
    pub fn is_probability(self) -> bool {
        matches!(
            self,
            Method::Platt | Method::Temperature | Method::Beta | Method::Histogram(_) | Method::VennAbers
        )
    }
}

/// Most pieces of a line, and most bins.
const MAX_PIECES: usize = 1000;
/// Largest degree above and below the line of a rational function.
const MAX_RATIONAL: usize = 7;

fn unknown(text: &str) -> FitError {
    let names: Vec<_> = PLAIN.iter().map(|(name, _)| *name).collect();
    FitError::Unsupported(format!(
        "no method `{}`: take one of {}, polynomial:N, piecewise:N, histogram:N, rational:M/N",
        text.chars().take(40).collect::<String>(),
        names.join(", ")
    ))
}

fn number(method: &str, text: &str, least: usize, most: usize) -> Result<usize, FitError> {
    match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(FitError::Unsupported(format!(
            "method `{}`: expected a number from {least} to {most}, found `{}`",
            method.chars().take(40).collect::<String>(),
            text.chars().take(20).collect::<String>()
        ))),
    }
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Method::Polynomial(n) => write!(f, "polynomial:{n}"),
            Method::Piecewise(n) => write!(f, "piecewise:{n}"),
            Method::Rational(m, n) => write!(f, "rational:{m}/{n}"),
            Method::Histogram(n) => write!(f, "histogram:{n}"),
            _ => f.write_str(PLAIN.iter().find(|(_, method)| method == self).map_or("", |(name, _)| name)),
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
    /// Linear methods; nonlinear and piecewise ones take what is known, or errors that are independent.
    pub covariance: CovarianceKind,
    /// Multilinear: whether there is an a.
    pub intercept: bool,
    /// Deming: variance of the errors of y over that of x.
    pub variance_ratio: f64,
    /// Nonlinear methods: starting values; found by itself if absent.
    pub start: Option<Vec<f64>>,
    /// Isotonic: which way the values go.
    pub trend: Trend,
    /// Histogram: equal mass instead of equal width.
    pub equal_mass: bool,
    /// Bins and blocks with fewer pairs are merged with their neighbours.
    pub min_count: usize,
    /// Affine and multilinear: what is known of the parameters beforehand.
    pub prior: Option<Prior>,
    /// How unseen pairs are set apart.
    pub validation: Validation,
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
            trend: Trend::default(),
            equal_mass: false,
            min_count: 1,
            prior: None,
            validation: Validation::default(),
            seed: 1,
        }
    }
}

/// How pairs are fitted: [`fit`], or [`fit_few`].
pub type Fitter = fn(Method, &Pairs, &Options) -> Result<Fit, FitError>;

/// Fits one method to all pairs.
///
/// An option that the method does not heed is refused rather than passed over, and so are numbers
/// beyond 1e150, which no method can square.
pub fn fit(method: Method, pairs: &Pairs, options: &Options) -> Result<Fit, FitError> {
    checked(dispatch, method, pairs, options)
}

/// Fits one of the methods that a handful of points can carry: offset, affine, polynomial, piecewise and pchip.
///
/// Fails as [`fit`] does, and for every other method: what calls only this holds none of the others in its program.
pub fn fit_few(method: Method, pairs: &Pairs, options: &Options) -> Result<Fit, FitError> {
    checked(dispatch_few, method, pairs, options)
}

fn checked(by: Fitter, method: Method, pairs: &Pairs, options: &Options) -> Result<Fit, FitError> {
    refuse_unheeded(method, pairs, options)?;
    range::check(method, pairs)?;
    let mut fit = range::sound(by(method, pairs, options)?, pairs)?;
    if options.covariance == CovarianceKind::Known && options.direction == Direction::ReferenceOnSensor {
        fit.notes.extend(at_odds(&fit));
    }
    Ok(fit)
}

/// What the residuals of a fit say against uncertainties that are taken as known: the chi-squared test of ISO/TS
/// 28037:2010, at 5 %.
fn at_odds(fit: &Fit) -> Option<String> {
    let (chi2, freedom) = (fit.rss?, fit.degrees_of_freedom?);
    let p = chi_squared(chi2, freedom).upper;
    (p < 0.05).then(|| {
        format!(
            "chi^2 {chi2:.4} with {freedom} degrees of freedom (p = {p:.1e}): the pairs lie further from the curve than \
             their uncertainties allow: these are too small, or the relation is another"
        )
    })
}

fn dispatch(method: Method, pairs: &Pairs, options: &Options) -> Result<Fit, FitError> {
    match method {
        Method::Multilinear => match &options.prior {
            Some(prior) => bayes::multilinear(pairs, prior),
            None => linear::multilinear::fit(pairs, options),
        },
        Method::Deming => deming::fit(pairs, options.variance_ratio),
        Method::York => york::fit(pairs, None),
        Method::TheilSen => theil_sen::fit(pairs),
        Method::Huber => huber::fit(pairs),
        Method::Platt => probability::platt::fit(pairs),
        Method::Temperature => probability::temperature::multiclass(pairs),
        Method::Beta => probability::beta::fit(pairs),
        Method::Isotonic => probability::isotonic::fit(pairs, options.trend),
        Method::Histogram(bins) => {
            let binning = if options.equal_mass { Binning::EqualMass } else { Binning::EqualWidth };
            probability::histogram::fit(pairs, bins, binning, options.min_count)
        }
        Method::VennAbers => probability::venn_abers::fit(pairs),
        Method::Rational(above, below) => nonlinear::rational::fit(pairs, above, below, options),
        Method::Exponential => nonlinear::exponential::fit(pairs, options),
        Method::Saturation => nonlinear::saturation::fit(pairs, options),
        Method::Power => nonlinear::power::fit(pairs, options),
        Method::Logistic => nonlinear::logistic::fit(pairs, options),
        Method::Offset | Method::Affine | Method::Polynomial(_) | Method::Piecewise(_) | Method::Pchip => {
            dispatch_few(method, pairs, options)
        }
    }
}

fn dispatch_few(method: Method, pairs: &Pairs, options: &Options) -> Result<Fit, FitError> {
    match method {
        Method::Offset => linear::offset::fit(pairs, options),
        Method::Affine => match &options.prior {
            Some(prior) => bayes::affine(pairs, prior),
            None => linear::affine::fit(pairs, options),
        },
        Method::Polynomial(degree) => linear::polynomial::fit(pairs, degree, options),
        Method::Piecewise(pieces) => piecewise::fit(pairs, pieces, options.covariance),
        Method::Pchip => pchip::fit(pairs),
        other => Err(FitError::Unsupported(format!(
            "{other} is not for a handful of points: take offset, affine, polynomial:N, piecewise:N or pchip"
        ))),
    }
}

fn refuse_unheeded(method: Method, pairs: &Pairs, options: &Options) -> Result<(), FitError> {
    use Method::{Affine, Deming, Exponential, Logistic, Multilinear, Offset, Polynomial};
    use Method::{Histogram, Piecewise, Power, Rational, Saturation};
    let given = Options::default();
    let linear = matches!(method, Offset | Affine | Polynomial(_) | Multilinear);
    let nonlinear = matches!(method, Rational(..) | Exponential | Saturation | Power | Logistic);
    let prior = options.prior.is_some();
    let known = (nonlinear || matches!(method, Piecewise(_))) && options.covariance == CovarianceKind::Known;
    let unheeded = [
        (prior && !matches!(method, Affine | Multilinear), "a prior"),
        (prior && options.direction != given.direction, "a prior and a direction"),
        (prior && options.covariance != given.covariance, "a prior and a kind of covariance"),
        (prior && !options.intercept, "a prior without an intercept"),
        (options.direction != given.direction && !linear, "a direction"),
        (options.covariance != given.covariance && !linear && !known, "a kind of covariance"),
        (!options.intercept && method != Multilinear, "the wish for no intercept"),
        (options.variance_ratio != given.variance_ratio && method != Deming, "a variance ratio"),
        (options.start.is_some() && !nonlinear, "starting values"),
        (options.equal_mass && !matches!(method, Histogram(_)), "bins of equal mass"),
        (options.min_count != given.min_count && !matches!(method, Histogram(_)), "a minimum count"),
        (pairs.columns().len() > 1 && !method.takes_covariates(), "more than one column of sensor values"),
        (options.trend != given.trend && method != Method::Isotonic, "a trend"),
    ];
    match unheeded.iter().find(|(is, _)| *is) {
        Some((_, what)) => {
            Err(FitError::Unsupported(format!("{method} does not take {what}: leave that out")))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fit::Column;

    #[test]
    fn every_name_is_read_back() {
        for name in PLAIN.map(|(name, _)| name).into_iter().chain([
            "polynomial:1",
            "polynomial:15",
            "piecewise:8",
            "rational:0/1",
            "rational:3/2",
            "histogram:10",
        ]) {
            assert_eq!(Method::parse(name).unwrap().to_string(), name);
        }
    }

    #[test]
    fn what_is_no_method_is_told_what_would_be() {
        for (name, wanted) in [
            ("cubic", "polynomial:N"),
            ("", "affine"),
            ("polynomial", "from 1 to 15"),
            ("polynomial:16", "from 1 to 15"),
            ("polynomial:-1", "from 1 to 15"),
            ("rational:2", "from 1 to 7"),
            ("rational:2/0", "from 1 to 7"),
            ("affine:2", "no method `affine:2`"),
        ] {
            let message = Method::parse(name).unwrap_err().to_string();
            assert!(message.contains(wanted), "{name}: {message}");
        }
    }

    fn bent() -> Pairs {
        let x: Vec<f64> = (0..9).map(f64::from).collect();
        let y = x.iter().map(|x| 1.0 + 0.5 * x + 0.02 * x * x).collect();
        Pairs::new(vec![Column::new("x", x)], Column::new("y", y)).unwrap()
    }

    #[test]
    fn a_handful_of_points_is_fitted_as_any_pairs_are() {
        for name in ["offset", "affine", "polynomial:2", "piecewise:3", "pchip"] {
            let method = Method::parse(name).unwrap();
            let options = Options::default();
            assert_eq!(fit_few(method, &bent(), &options), fit(method, &bent(), &options), "{name}");
        }
        let known = Prior { mean: vec![0.0, 1.0], scale: None, shape: 1.0, rate: 1.0 };
        let options = Options { prior: Some(known.clone()), ..Options::default() };
        assert_eq!(fit_few(Method::Affine, &bent(), &options), bayes::affine(&bent(), &known));
    }

    #[test]
    fn what_a_handful_of_points_can_not_carry_is_refused_with_what_they_can() {
        let few = ["offset", "affine", "polynomial:2", "piecewise:3", "pchip"];
        let all = PLAIN.iter().map(|(name, _)| *name).chain(["histogram:2", "rational:1/1"]);
        for name in all.filter(|name| !few.contains(name)) {
            let error = fit_few(Method::parse(name).unwrap(), &bent(), &Options::default()).unwrap_err();
            let text = error.to_string();
            assert!(text.contains(name) && text.contains("take offset, affine, polynomial:N"), "{text}");
        }
    }
}
