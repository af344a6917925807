//! References in the order of time, and the line that the first of them give.

use super::filter::{Kalman, Prior};
use super::noise::Noise;
use crate::domain::fit::error::FitError;
use crate::domain::fit::pairs::Pairs;

const SECONDS_A_DAY: f64 = 86_400.0;

/// One reference.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Reference {
    /// Days since the one before.
    gap: f64,
    x: f64,
    y: f64,
    /// The reference's own standard uncertainty; 0 if it is not known.
    u: f64,
}

/// What a filter is run over.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct History {
    references: Vec<Reference>,
    prior: Option<Prior>,
    /// How many of the first make the prior.
    start: usize,
}

impl History {
    pub(super) fn new(pairs: &Pairs, prior: Option<Prior>) -> Result<History, FitError> {
        let Some(times) = pairs.times() else {
            let text = "a Kalman filter needs the times of the references: name their column";
            return Err(FitError::Unsupported(text.to_owned()));
        };
        let gap = |at: usize| if at == 0 { 0.0 } else { (times[at] - times[at - 1]) / SECONDS_A_DAY };
        let u = |at: usize| pairs.uy().map_or(0.0, |uy| uy[at]);
        let one = |at| Reference { gap: gap(at), x: pairs.x()[at], y: pairs.y()[at], u: u(at) };
        let references = (0..pairs.len()).map(one).collect();
        let start = if prior.is_some() { 0 } else { start(pairs)? };
        Ok(History { references, prior, start })
    }

    pub(super) fn len(&self) -> usize {
        self.references.len()
    }

    /// The filter after all references, and the log-likelihood of those after the start.
    pub(super) fn run(&self, noise: &Noise) -> Result<(Kalman, f64), FitError> {
        let (first, rest) = self.references.split_at(self.start);
        let prior = self.prior.unwrap_or_else(|| line(first, noise.scatter));
        let mut filter = Kalman::new(&prior, noise)?;
        let mut log_likelihood = 0.0;
        for reference in rest {
            filter.predict(reference.gap)?;
            let u = noise.scatter.hypot(reference.u);
            log_likelihood += filter.update(reference.x, reference.y, u)?.log_likelihood();
        }
        Ok((filter, log_likelihood))
    }

    /// The standard deviation about one line through all references, and their root mean square.
    pub(super) fn scales(&self) -> (f64, f64) {
        let prior = line(&self.references, 1.0);
        let residual = |one: &Reference| one.y - prior.level - prior.gain * (one.x - prior.centre);
        let rms = |sum: f64, count: usize| (sum / count.max(1) as f64).sqrt();
        let squares: f64 = self.references.iter().map(|one| residual(one).powi(2)).sum();
        let size: f64 = self.references.iter().map(|one| one.y * one.y).sum();
        (rms(squares, self.len().saturating_sub(2)), rms(size, self.len()))
    }
}

/// How many of the first references make the prior: a quarter, 3 to 24, more until two x differ.
fn start(pairs: &Pairs) -> Result<usize, FitError> {
    let wanted = (pairs.len() / 4).clamp(3, 24);
    if pairs.len() < wanted {
        return Err(FitError::TooFew { method: "kalman".to_owned(), needed: wanted, found: pairs.len() });
    }
    let first = pairs.x()[0];
    match pairs.x().iter().position(|x| *x != first) {
        Some(at) => Ok(wanted.max(at + 1)),
        None => {
            let problem = "all readings are equal: a gain needs references at different readings";
            Err(FitError::column(pairs.columns()[0].name(), problem))
        }
    }
}

/// The weighted least-squares line. About the weighted mean of x, level and gain are independent.
fn line(references: &[Reference], scatter: f64) -> Prior {
    let weight = |one: &Reference| 1.0 / (scatter * scatter + one.u * one.u);
    let sum =
        |term: &dyn Fn(&Reference) -> f64| references.iter().map(|one| weight(one) * term(one)).sum::<f64>();
    let total = sum(&|_| 1.0);
    let centre = sum(&|one| one.x) / total;
    let level = sum(&|one| one.y) / total;
    let spread = sum(&|one| (one.x - centre).powi(2));
    let gain = sum(&|one| (one.x - centre) * (one.y - level)) / spread;
    Prior { centre, level, gain, covariance: [[1.0 / total, 0.0], [0.0, 1.0 / spread]] }
}
