//! What the fits of all families of curves share.

use super::frame::{Frame, Inner, check, weight_unit};
use super::levenberg_marquardt::{Problem, SINGULAR, Solution, minimise, minimise_from_afar};
use super::start::Start;
use crate::domain::fit::method::{CovarianceKind, Direction, Method, Options};
use crate::domain::fit::statistics::describe;
use crate::domain::fit::{Fit, FitError, Pairs};
use crate::domain::transform::stage::StageSpec;

/// Evaluations of all pairs until a fit counts as one without an answer.
const LIMIT: usize = 1000;
/// From this many pairs on, a fit of some of them makes the start for all.
const MANY: usize = 1024;
/// A sum of squares that is rounding alone, where values are of size 1.
const EXACT: f64 = 1e-24;
/// By how much the sum of squares of what has a fault must be smaller to count.
const FAR: f64 = 4.0;
/// First radii of the trust region, in lengths of the start.
const REACHES: [f64; 3] = [1.0, 0.1, 0.01];
/// A condition that only curves through single pairs have.
const DOUBTFUL: f64 = 1e9;
/// How many make that start.
const SOME: usize = 256;

/// A family of curves, in an inner form that is regular where the reported one is not.
pub(super) trait Family {
    /// As on the command line.
    fn method(&self) -> Method;

    /// The reported parameters' names.
    fn names(&self) -> Vec<String>;

    /// The inner variable.
    fn t(&self, x: f64) -> f64;

    /// The inner value at t, and its derivatives by the inner parameters.
    fn inner(&self, parameters: &[f64], t: f64, gradient: &mut [f64]) -> f64;

    /// Inner starting values, from pairs that were thinned; the best first.
    fn starts(&self, pairs: &Inner) -> Vec<Start>;

    /// Inner parameters of reported ones.
    fn inward(&self, reported: &[f64]) -> Vec<f64>;

    /// Reported parameters of inner ones, and the derivatives: one row a reported parameter.
    fn outward(&self, inner: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>);

    /// The reported value at x.
    fn value(&self, reported: &[f64], x: f64) -> f64;

    /// The stage with these parameters.
    fn stage(&self, reported: &[f64], covariance: Option<Vec<Vec<f64>>>) -> StageSpec;

    /// Why these inner parameters are of no use, if they are not.
    fn fault(&self, _inner: &[f64], _pairs: &Inner) -> Option<String> {
        None
    }

    /// What to do where the pairs don't tell the parameters apart.
    fn remedy(&self) -> &'static str;
}

/// Refuses what no nonlinear fit can take.
pub(super) fn check_all(
    pairs: &Pairs,
    options: &Options,
    method: Method,
    names: usize,
    counts: impl Fn(f64) -> bool,
) -> Result<(), FitError> {
    if options.direction == Direction::SensorOnReference {
        return Err(FitError::Unsupported(format!(
            "{method} fits the reference on the sensor only: take affine or polynomial for the other direction"
        )));
    }
    if matches!(options.covariance, CovarianceKind::Hac | CovarianceKind::BlockBootstrap) {
        return Err(FitError::Unsupported(format!(
            "{method} takes the errors as independent: take affine or polynomial for autocorrelated ones, \
             or leave the kind of covariance out"
        )));
    }
    check(pairs, &method.to_string(), names, counts)
}

/// Fits the family to the pairs, which were checked.
pub(super) fn fit(
    family: &impl Family,
    frame: &Frame,
    pairs: &Pairs,
    options: &Options,
) -> Result<Fit, FitError> {
    let inner = Inner::new(pairs, frame, |x| family.t(x));
    let solution = match &options.start {
        Some(start) => from_given(family, &inner, start),
        None => from_own(family, &inner),
    }?;
    if let Some(fault) = family.fault(&solution.parameters, &inner) {
        return Err(FitError::Unsupported(format!("{}: {fault}", family.method())));
    }
    report(family, pairs, options, &solution)
}

fn problem<'a, F: Family>(
    family: &'a F,
    inner: &'a Inner,
) -> Problem<'a, impl Fn(&[f64], usize, &mut [f64]) -> f64 + 'a> {
    let model = |parameters: &[f64], row: usize, gradient: &mut [f64]| {
        family.inner(parameters, inner.t[row], gradient)
    };
    Problem { y: &inner.v, root_weights: inner.root_weights.as_deref(), model }
}

fn from_given(family: &impl Family, inner: &Inner, start: &[f64]) -> Result<Solution, FitError> {
    let names = family.names();
    if start.len() != names.len() || start.iter().any(|value| !value.is_finite()) {
        return Err(FitError::Unsupported(format!(
            "starting values of {}: expected {} finite numbers ({}), found {}",
            family.method(),
            names.len(),
            names.join(", "),
            start.len()
        )));
    }
    minimise_from_afar(&problem(family, inner), &family.inward(start), LIMIT)
        .map_err(|_| no_answer(family, "start nearer, or leave the starting values out"))
}

fn from_own(family: &impl Family, inner: &Inner) -> Result<Solution, FitError> {
    let some = inner.thinned(if inner.t.len() > MANY { SOME } else { MANY });
    let starts = family.starts(&some);
    let best = best_of(family, &some, &starts);
    let trouble = || no_answer(family, family.remedy());
    if inner.t.len() == some.t.len() {
        return best.ok_or_else(trouble);
    }
    let places =
        best.map(|best| best.parameters).into_iter().chain(starts.into_iter().map(|it| it.parameters));
    let mut found = places.filter_map(|place| minimise(&problem(family, inner), &place, 1.0, LIMIT).ok());
    let first = found.next().ok_or_else(trouble)?;
    if first.condition < SINGULAR {
        return Ok(first);
    }
    Ok(found.find(|it| it.condition < SINGULAR).unwrap_or(first))
}

/// The best that is found from the starts; one without a fault, unless what has one is far better:
/// a fault that costs little comes of noise, one that brings much of the pairs' own shape.
fn best_of(family: &impl Family, pairs: &Inner, starts: &[Start]) -> Option<Solution> {
    let (mut sound, mut faulty): (Option<Solution>, Option<Solution>) = (None, None);
    let tries = REACHES.iter().flat_map(|reach| starts.iter().map(move |start| (reach, start)));
    for (at, (reach, start)) in tries.enumerate() {
        // shorter first steps only if longer ones lead nowhere; one exact to rounding is the best
        let exact = sound.as_ref().is_some_and(|sound| sound.rss <= EXACT);
        if exact || (sound.is_some() && at >= starts.len()) {
            break;
        }
        let Ok(found) = minimise(&problem(family, pairs), &start.parameters, *reach, LIMIT) else { continue };
        let whole = found.condition < DOUBTFUL && family.fault(&found.parameters, pairs).is_none();
        let best = if whole { &mut sound } else { &mut faulty };
        if best.as_ref().is_none_or(|best| found.beats(best)) {
            *best = Some(found);
        }
    }
    match (sound, faulty) {
        (Some(sound), Some(faulty)) if sound.rss > EXACT && FAR * faulty.rss < sound.rss => Some(faulty),
        (sound, faulty) => sound.or(faulty),
    }
}

fn no_answer(family: &impl Family, remedy: &str) -> FitError {
    let method = family.method().to_string();
    FitError::NotConverged { method, iterations: LIMIT, remedy: remedy.to_owned() }
}

fn report(
    family: &impl Family,
    pairs: &Pairs,
    options: &Options,
    solution: &Solution,
) -> Result<Fit, FitError> {
    let indistinct = || {
        FitError::Unsupported(format!(
            "{}: the pairs don't tell its parameters apart: {}",
            family.method(),
            family.remedy()
        ))
    };
    let (parameters, derivatives) = family.outward(&solution.parameters);
    if solution.condition >= SINGULAR || parameters.iter().any(|value| !value.is_finite()) {
        return Err(indistinct());
    }
    let weights = pairs.weights();
    let residuals: Vec<f64> =
        pairs.x().iter().zip(pairs.y()).map(|(x, y)| y - family.value(&parameters, *x)).collect();
    if residuals.iter().any(|r| !r.is_finite()) {
        return Err(indistinct());
    }
    let covariance = variance(pairs, options, solution, weights.as_deref())
        .map(|variance| propagated(&solution.inverse, &derivatives, variance));
    if covariance.iter().flatten().flatten().any(|value| !value.is_finite()) {
        return Err(indistinct());
    }
    let fit = Fit {
        method: family.method().to_string(),
        names: family.names(),
        stages: vec![family.stage(&parameters, covariance.clone())],
        parameters,
        covariance,
        ..Fit::default()
    };
    // stages that cannot run, such as a gain that rounds to 0 or a covariance that is none
    fit.curve(pairs).map_err(|_| indistinct())?;
    let count = fit.parameters.len();
    let fit = describe(fit, pairs, &residuals, weights.as_deref(), count);
    if keeps(&fit, pairs, solution, weights.as_deref()) { Ok(fit) } else { Err(indistinct()) }
}

/// Whether the reported parameters, rounded to doubles, still give the curve that was found.
fn keeps(fit: &Fit, pairs: &Pairs, solution: &Solution, weights: Option<&[f64]>) -> bool {
    let unit = Frame::new(pairs, 0.0, 1.0).y_scale;
    let rss = solution.rss * unit * unit * weights.map_or(1.0, weight_unit);
    let total: f64 = pairs.y().iter().enumerate().map(|(at, y)| weights.map_or(1.0, |w| w[at]) * y * y).sum();
    match fit.rss {
        Some(found) => found <= rss * (1.0 + 1e-6) + 1e-22 * total,
        None => true,
    }
}

/// The factor of the inverse: s^2, or what is known.
fn variance(pairs: &Pairs, options: &Options, solution: &Solution, weights: Option<&[f64]>) -> Option<f64> {
    let freedom = pairs.len() - solution.parameters.len();
    match options.covariance {
        CovarianceKind::Known => weights.map(|weights| 1.0 / weight_unit(weights)),
        _ if freedom > 0 => Some(solution.rss / freedom as f64),
        _ => None,
    }
}

/// T C T' times `variance`.
fn propagated(inverse: &[Vec<f64>], derivatives: &[Vec<f64>], variance: f64) -> Vec<Vec<f64>> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let half: Vec<Vec<f64>> =
        derivatives.iter().map(|row| inverse.iter().map(|column| dot(row, column)).collect()).collect();
    let size = derivatives.len();
    let element = |i: usize, j: usize| variance * dot(&half[i.max(j)], &derivatives[i.min(j)]);
    (0..size).map(|i| (0..size).map(|j| element(i, j)).collect()).collect()
}
