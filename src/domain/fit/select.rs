//! The choice of a method: the simplest within one standard error of the best.

use super::error::FitError;
use super::fitted::Fit;
use super::method::{Fitter, Method, Options, fit};
use super::pairs::{Column, Pairs};
use super::range;
use super::validation::{HeldOut, held_out};

/// What was chosen, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// All that were tried, the simplest first.
    pub table: Vec<Candidate>,
    /// The chosen method, fitted on all pairs.
    pub fit: Fit,
    /// Its error at pairs that it had not seen, in the unit of y.
    pub cross_validation_rmse: f64,
}

/// One method that was tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// As on the command line.
    pub method: String,
    /// How many parameters it fits.
    pub parameters: usize,
    /// RMSE at pairs that it had not seen, in the unit of y.
    pub score: Option<f64>,
    /// By how much its mean squared error exceeds the best one's, in the unit of y squared.
    pub excess: Option<f64>,
    /// The standard error of that excess.
    pub standard_error: Option<f64>,
    /// Why it was chosen or not.
    pub reason: String,
}

/// The methods that are tried for values, the simplest first.
pub fn measurement_methods(pairs: &Pairs) -> Vec<Method> {
    if pairs.columns().len() > 1 {
        return vec![Method::Offset, Method::Affine, Method::Polynomial(2), Method::Multilinear];
    }
    vec![
        Method::Offset,
        Method::Affine,
        Method::Power,
        Method::Saturation,
        Method::Polynomial(2),
        Method::Exponential,
        Method::Logistic,
        Method::Rational(1, 1),
        Method::Polynomial(3),
        Method::Polynomial(4),
        Method::Piecewise(4),
        Method::Piecewise(8),
    ]
}

/// The methods that are tried for probabilities, the simplest first. `logits` says whether the
/// score is a logit or any real number, and not itself a probability.
pub fn probability_methods(logits: bool) -> Vec<Method> {
    match logits {
        true => vec![Method::Temperature, Method::Platt, Method::Histogram(10), Method::Isotonic],
        false => vec![Method::Beta, Method::Histogram(10), Method::Isotonic],
    }
}

/// RMSE of a method at pairs that it has not seen, in the unit of y.
pub fn cross_validate(method: Method, pairs: &Pairs, options: &Options) -> Result<f64, FitError> {
    judge(fit, method, pairs, options).map(|it| it.rmse())
}

fn judge(by: Fitter, method: Method, pairs: &Pairs, options: &Options) -> Result<HeldOut, FitError> {
    if method == Method::Temperature && pairs.columns().len() > 1 {
        let problem = "the numbers of classes have no errors to be squared";
        return Err(FitError::Unsupported(problem.to_owned()));
    }
    held_out(pairs, options.validation, |seen| {
        let curve = by(method, seen, options)?.curve(pairs)?;
        Ok(move |at| curve.value(pairs, at))
    })
}

/// Tries the methods and fits the simplest one whose error at unseen pairs is not worse than the
/// best one's by more than one standard error of the difference (Breiman et al. 1984, 3.4.3, with
/// paired differences).
///
/// Methods that fail, and curves that turn round between the pairs, are not taken, and say so.
/// Fails, with the numbers, where none predicts better than the references' mean.
pub fn choose(methods: &[Method], pairs: &Pairs, options: &Options) -> Result<Selection, FitError> {
    choose_by(fit, methods, pairs, options)
}

/// As [`choose`], with methods that the fitter knows.
pub fn choose_by(
    by: Fitter,
    methods: &[Method],
    pairs: &Pairs,
    options: &Options,
) -> Result<Selection, FitError> {
    range::refuse_extremes(pairs)?;
    refuse_one_level(pairs)?;
    let mut tried: Vec<Tried> =
        methods.iter().map(|method| Tried::new(by, *method, pairs, options)).collect();
    tried.sort_by_key(|it| it.candidate.parameters);
    let best = tried.iter().filter_map(|it| it.held_out.as_ref());
    let Some(best) = best.min_by(|a, b| a.rmse().total_cmp(&b.rmse())).cloned() else {
        return Err(none_judged(tried));
    };
    let mean = held_out(pairs, options.validation, |seen| {
        let mean = seen.y().iter().sum::<f64>() / seen.len() as f64;
        Ok(move |_| mean)
    })?;
    let (gain, error) = mean.worse_than(&best);
    if gain.is_nan() || gain <= error {
        let problem = format!(
            "no method predicts unseen pairs better than the mean of the references does: RMSE {:.6} against \
             {:.6}, mean squared gain {gain:.3e} with a standard error of {error:.3e}; take more pairs over a \
             wider range",
            best.rmse(),
            mean.rmse()
        );
        return Err(refused(&problem, &tried));
    }
    let mut chosen: Option<(Fit, f64)> = None;
    for it in &mut tried {
        let Some(held_out) = &it.held_out else { continue };
        let (excess, error) = held_out.worse_than(&best);
        it.candidate.excess = Some(excess);
        it.candidate.standard_error = Some(error);
        it.candidate.reason = match &chosen {
            // a difference of exactly nothing has no error
            _ if excess > error => format!("worse than the best by {:.1} standard errors", excess / error),
            Some(_) => "not better than the chosen one by a standard error".to_owned(),
            None => {
                chosen = it.fit.take().map(|fit| (fit, held_out.rmse()));
                "chosen: the simplest within one standard error of the best".to_owned()
            }
        };
    }
    let Some((fit, cross_validation_rmse)) = chosen else {
        return Err(refused("no method is within one standard error of the best", &tried));
    };
    let table = tried.into_iter().map(|it| it.candidate).collect();
    Ok(Selection { table, fit, cross_validation_rmse })
}

/// Where the sensor or the reference never changes, nothing can be chosen by.
fn refuse_one_level(pairs: &Pairs) -> Result<(), FitError> {
    let equal = |column: &Column| column.values().iter().all(|value| *value == column.values()[0]);
    if pairs.len() < 2 {
        return Ok(());
    }
    if equal(pairs.reference()) {
        let problem = format!("all values are {}: add references at other values", pairs.y()[0]);
        return Err(FitError::column(pairs.reference().name(), problem));
    }
    match pairs.columns().iter().all(equal) {
        true => {
            let problem =
                format!("all values are {}: add readings at other values, or take offset", pairs.x()[0]);
            Err(FitError::column(pairs.columns()[0].name(), problem))
        }
        false => Ok(()),
    }
}

struct Tried {
    candidate: Candidate,
    fit: Option<Fit>,
    held_out: Option<HeldOut>,
    fault: Option<FitError>,
}

impl Tried {
    fn new(by: Fitter, method: Method, pairs: &Pairs, options: &Options) -> Tried {
        let alone = (pairs.columns().len() > 1 && !method.takes_covariates()).then(|| pairs.sensor_only());
        let pairs = alone.as_ref().unwrap_or(pairs);
        let judged = by(method, pairs, options).and_then(|fitted| {
            turns(&fitted, pairs)?;
            Ok((fitted, judge(by, method, pairs, options)?))
        });
        let parameters = parameters(method, pairs);
        let candidate = |score, reason| Candidate {
            method: method.to_string(),
            parameters,
            score,
            excess: None,
            standard_error: None,
            reason,
        };
        match judged {
            Ok((fit, held_out)) => Tried {
                candidate: candidate(Some(held_out.rmse()), String::new()),
                fit: Some(fit),
                held_out: Some(held_out),
                fault: None,
            },
            Err(error) => Tried {
                candidate: candidate(None, error.to_string()),
                fit: None,
                held_out: None,
                fault: Some(error),
            },
        }
    }
}

fn parameters(method: Method, pairs: &Pairs) -> usize {
    match method {
        Method::Offset | Method::Temperature => 1,
        Method::Affine | Method::Power | Method::Saturation | Method::Platt => 2,
        Method::Deming | Method::York | Method::TheilSen | Method::Huber => 2,
        Method::Exponential | Method::Logistic | Method::Beta => 3,
        Method::Polynomial(degree) => degree + 1,
        Method::Rational(above, below) => above + 1 + below,
        Method::Multilinear => pairs.columns().len() + 1,
        Method::Piecewise(pieces) => pieces + 1,
        Method::Histogram(bins) => bins,
        Method::Pchip | Method::Isotonic | Method::VennAbers => pairs.len(),
    }
}

/// Readings at which a curve is looked at.
const LOOKS: usize = 512;

/// Refuses a curve of one variable that rises here and falls there within the pairs' range.
fn turns(fit: &Fit, pairs: &Pairs) -> Result<(), FitError> {
    if pairs.columns().len() > 1 {
        return Ok(());
    }
    let (low, high) = pairs
        .x()
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(*x), high.max(*x)));
    let curve = fit.curve(pairs)?;
    let at = |look: usize| low + (high - low) * (look as f64 / LOOKS as f64);
    let values: Vec<f64> = (0..=LOOKS).map(|look| curve.at(at(look))).collect();
    let span = values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
        - values.iter().copied().fold(f64::INFINITY, f64::min);
    let steps = |sign: f64| {
        let backwards = |step: f64| step.is_nan() || step < -1e-9 * span;
        values.windows(2).position(|v| backwards(sign * (v[1] - v[0])))
    };
    match (steps(1.0), steps(-1.0)) {
        (Some(falls), Some(rises)) => Err(FitError::Unsupported(format!(
            "its curve turns round near {:.6}, within the range of the pairs",
            at(falls.max(rises))
        ))),
        _ => Ok(()),
    }
}

/// All of them failed: for one reason, if there is only one.
fn none_judged(tried: Vec<Tried>) -> FitError {
    let reason = |it: &Tried| it.candidate.reason.clone();
    match tried.iter().all(|it| reason(it) == reason(&tried[0])) {
        true => tried
            .into_iter()
            .find_map(|it| it.fault)
            .unwrap_or_else(|| refused("no method can be judged", &[])),
        false => refused("no method can be judged", &tried),
    }
}

fn refused(problem: &str, tried: &[Tried]) -> FitError {
    let lines = tried.iter().map(|it| {
        let score = it.candidate.score.map_or("-".to_owned(), |score| format!("RMSE {score:.6}"));
        format!("\n  {}: {score} {}", it.candidate.method, it.candidate.reason)
    });
    FitError::Unsupported(format!("{problem}; tried:{}", lines.collect::<String>()))
}

#[cfg(test)]
mod tests;
