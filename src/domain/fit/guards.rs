//! Guards on any new transform, from a fit here or from afar: whether it may replace the active one.
//!
//! One pure function, [`judge`], from (active, candidate, pairs) to a [`Verdict`] with every reason
//! against it, in numbers.

mod cohorts;
mod reason;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use reason::Reason;

use crate::domain::transform::limits::{LimitError, is_monotone, max_step};
use crate::domain::transform::{Compiled, Covariate, Input, MAX_COVARIATES};
use crate::domain::uncertainty::distribution::f_distribution;
use crate::domain::units::Conversion;
use cohorts::groups;

/// Probability at which held-out errors so much larger than training errors are no accident.
const SIGNIFICANT: f64 = 0.01;

/// A held-out error below this part of the references' size is rounding.
const NEGLIGIBLE: f64 = 1e-9;

/// One raw reading with its reference.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pair {
    /// The raw reading, in the candidate's input unit.
    pub raw: f64,
    /// The covariates, in the order of [`Evidence::roles`].
    pub covariates: Vec<Option<f64>>,
    /// The reference value, in the candidate's output unit.
    pub reference: f64,
    /// When, in seconds from any origin.
    pub time: f64,
    /// The cohort, from the widest to the narrowest: `["winter", "night"]`; empty for none.
    pub cohort: Vec<String>,
    /// What a fit without this pair gives for it (leave-one-out, k folds). Such a pair may have been
    /// in the candidate's fit; the others may not.
    pub out_of_fold: Option<f64>,
}

/// What the last window has shown.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Seen {
    /// Lowest and highest raw reading, in the candidate's input unit.
    pub input: Option<[f64; 2]>,
    /// Lowest and highest value of each covariate, by its role.
    pub covariates: BTreeMap<String, [f64; 2]>,
}

/// What the judgement rests on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Evidence {
    /// The roles of the pairs' covariates.
    pub roles: Vec<String>,
    /// The pairs that made the candidate; empty if they stayed where it was made.
    pub training: Vec<Pair>,
    /// Pairs that did not, later in time, or with an out-of-fold value.
    pub held_out: Vec<Pair>,
    /// What the last window has shown.
    pub seen: Seen,
}

/// What is asked of a candidate.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Training pairs, in each cohort that is judged by itself; not asked where none are given.
    pub min_training: usize,
    /// Held-out pairs, in each cohort that is judged by itself.
    pub min_held_out: usize,
    /// Largest RMSE on held-out pairs, over that of the active transform.
    pub max_rmse_ratio: f64,
    /// Largest mean error on held-out pairs, in the output unit.
    pub max_bias: Option<f64>,
    /// Largest RMSE on held-out pairs, over that on training pairs.
    pub max_overfit: f64,
    /// Largest change against the active transform over the domain, in the output unit, beside what
    /// the candidate promises itself.
    pub max_step: Option<f64>,
    /// Whether the value may only rise, or only fall, beside what the candidate promises itself.
    pub monotone: bool,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            min_training: 12,
            min_held_out: 12,
            max_rmse_ratio: 1.0,
            max_bias: None,
            max_overfit: 2.0,
            max_step: None,
            monotone: false,
        }
    }
}

/// How a candidate does on one cohort, in the output unit.
#[derive(Debug, Clone, PartialEq)]
pub struct CohortScore {
    /// From the widest to the narrowest; empty for all pairs.
    pub cohort: Vec<String>,
    /// Held-out pairs for which both transforms have a value.
    pub held_out: usize,
    /// Root of the mean squared held-out error of the candidate.
    pub rmse: f64,
    /// Its mean held-out error.
    pub bias: f64,
    /// The same root of the active transform, if there is one.
    pub active_rmse: Option<f64>,
    /// The same root of the candidate on its training pairs, if they are given.
    pub training_rmse: Option<f64>,
}

/// The judgement.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Why not; empty for a candidate that may be used.
    pub reasons: Vec<Reason>,
    /// The scores that were compared.
    pub scores: Vec<CohortScore>,
    /// The largest change against the active transform, if it can be told.
    pub step: Option<f64>,
}

impl Verdict {
    /// Whether nothing speaks against the candidate.
    pub fn is_accepted(&self) -> bool {
        self.reasons.is_empty()
    }
}

/// Judges a candidate. Every guard is looked at, so that all reasons are told at once.
pub fn judge(
    active: Option<&Compiled>,
    candidate: &Compiled,
    evidence: &Evidence,
    policy: &Policy,
) -> Verdict {
    let step = max_step(candidate, active);
    let mut verdict =
        Verdict { reasons: Vec::new(), scores: Vec::new(), step: step.filter(|step| !step.is_nan()) };
    check_shape(active, candidate, policy, step, &mut verdict.reasons);
    check_domain(candidate, &evidence.seen, &mut verdict.reasons);
    check_times(evidence, &mut verdict.reasons);
    if let Err(reason) = score(active, candidate, evidence, policy, &mut verdict) {
        verdict.reasons.push(reason);
    }
    verdict
}

/// Monotone where declared; the step within every limit.
fn check_shape(
    active: Option<&Compiled>,
    candidate: &Compiled,
    policy: &Policy,
    step: Option<f64>,
    reasons: &mut Vec<Reason>,
) {
    let own = candidate.within_limits(active).err();
    let policy_monotone = (policy.monotone && !is_monotone(candidate)).then_some(LimitError::NotMonotone);
    let step = policy.max_step.and_then(|max| match step {
        Some(step) if step <= max => None,
        Some(step) => Some(LimitError::Step { step, max }),
        // a first transform that makes another unit of the raw one has nothing to be compared with
        None if active.is_none() && candidate.input_bounds().is_some() => None,
        None => Some(LimitError::Incomparable),
    });
    for limit in [own, policy_monotone, step].into_iter().flatten() {
        if !reasons.contains(&Reason::Limit(limit)) {
            reasons.push(Reason::Limit(limit));
        }
    }
}

/// The domain holds what the last window has shown.
fn check_domain(candidate: &Compiled, seen: &Seen, reasons: &mut Vec<Reason>) {
    let input = ("raw reading".to_owned(), seen.input, candidate.input_bounds());
    let covariates = seen
        .covariates
        .iter()
        .map(|(role, range)| (role.clone(), Some(*range), candidate.covariate_bounds(role)));
    for (what, seen, domain) in [input].into_iter().chain(covariates) {
        let (Some(seen), Some(domain)) = (seen, domain) else { continue };
        let holds = domain[0] <= seen[0] && seen[1] <= domain[1];
        if !holds {
            reasons.push(Reason::Narrow { what, domain, seen });
        }
    }
}

/// Held-out pairs are later than all training pairs.
fn check_times(evidence: &Evidence, reasons: &mut Vec<Reason>) {
    let last = evidence.training.iter().map(|pair| pair.time).fold(f64::NEG_INFINITY, f64::max);
    let fresh = evidence.held_out.iter().filter(|pair| pair.out_of_fold.is_none());
    let early = fresh.filter(|pair| pair.time <= last).count();
    if early > 0 {
        reasons.push(Reason::NotLater { pairs: early, of: evidence.held_out.len() });
    }
}

fn score(
    active: Option<&Compiled>,
    candidate: &Compiled,
    evidence: &Evidence,
    policy: &Policy,
    verdict: &mut Verdict,
) -> Result<(), Reason> {
    let all = || evidence.training.iter().chain(&evidence.held_out);
    let broken = all().filter(|pair| !is_finite(pair)).count();
    if broken > 0 {
        return Err(Reason::NotFinite { pairs: broken });
    }
    let runs = Runs::new(active, candidate, &evidence.roles)?;
    let training = runs.on(&evidence.training, &mut verdict.reasons);
    let held_out = runs.on(&evidence.held_out, &mut verdict.reasons);
    if held_out.iter().any(|run| !run.has_uncertainty) {
        verdict.reasons.push(Reason::NoUncertainty);
    }
    let needed =
        [if evidence.training.is_empty() { 0 } else { policy.min_training }, policy.min_held_out.max(1)];
    for group in groups(&training, &held_out, needed)? {
        let score = group.score();
        verdict.reasons.extend(compare(&score, group.training.len(), largest(&evidence.held_out), policy));
        verdict.scores.push(score);
    }
    Ok(())
}

fn is_finite(pair: &Pair) -> bool {
    let covariates = pair.covariates.iter().flatten();
    covariates.chain([&pair.raw, &pair.reference, &pair.time]).chain(&pair.out_of_fold).all(|v| v.is_finite())
}

fn largest(pairs: &[Pair]) -> f64 {
    pairs.iter().fold(0.0, |most, pair| pair.reference.abs().max(most))
}

/// The reasons that lie in one cohort's score.
fn compare(score: &CohortScore, training: usize, size: f64, policy: &Policy) -> Vec<Reason> {
    let cohort = || score.cohort.clone();
    let mut reasons = Vec::new();
    if let Some(active) = score.active_rmse
        && score.rmse > policy.max_rmse_ratio * active
    {
        let (rmse, max_ratio) = (score.rmse, policy.max_rmse_ratio);
        reasons.push(Reason::Worse { cohort: cohort(), rmse, active, max_ratio });
    }
    if let Some(max) = policy.max_bias
        && score.bias.abs() > max
    {
        reasons.push(Reason::Biased { cohort: cohort(), bias: score.bias, max });
    }
    if !score.rmse.is_finite() {
        reasons.push(Reason::NotFinite { pairs: score.held_out });
    }
    if let Some(train) = score.training_rmse
        && score.rmse > policy.max_overfit * train
        && score.rmse > NEGLIGIBLE * size
    {
        let ratio = (score.rmse / train).powi(2);
        let p = if train > 0.0 {
            f_distribution(ratio, score.held_out as f64, training as f64).upper
        } else {
            0.0
        };
        if p < SIGNIFICANT {
            reasons.push(Reason::Overfit { cohort: cohort(), train, held_out: score.rmse, p });
        }
    }
    reasons
}

/// What both transforms make of one pair.
#[derive(Debug, Clone, PartialEq)]
struct Run<'a> {
    cohort: &'a [String],
    /// The candidate's value - reference.
    error: f64,
    /// The active transform's.
    active: Option<f64>,
    has_uncertainty: bool,
}

/// Both transforms, made comparable.
struct Runs<'a> {
    active: Option<(&'a Compiled, Conversion, Conversion, Vec<Option<usize>>)>,
    candidate: &'a Compiled,
    places: Vec<Option<usize>>,
}

impl<'a> Runs<'a> {
    fn new(
        active: Option<&'a Compiled>,
        candidate: &'a Compiled,
        roles: &[String],
    ) -> Result<Runs<'a>, Reason> {
        let places = |of: &Compiled| -> Vec<Option<usize>> {
            of.covariates().iter().map(|role| roles.iter().position(|name| name == role)).collect()
        };
        let incomparable = |_| Reason::Limit(LimitError::Incomparable);
        let active = match active {
            None => None,
            Some(active) => {
                let entry = candidate.input_unit().conversion(active.input_unit()).map_err(incomparable)?;
                let exit = active.output_unit().conversion(candidate.output_unit()).map_err(incomparable)?;
                Some((active, entry, exit, places(active)))
            }
        };
        Ok(Runs { active, candidate, places: places(candidate) })
    }

    /// Runs the pairs for which both have a value; a reason if only the candidate has none.
    fn on<'p>(&self, pairs: &'p [Pair], reasons: &mut Vec<Reason>) -> Vec<Run<'p>> {
        let mut missing = 0;
        let mut runs = Vec::with_capacity(pairs.len());
        for pair in pairs {
            let active = self.active.as_ref().map(|(active, entry, exit, places)| {
                apply(active, entry.apply(pair.raw), pair, places)
                    .0
                    .map(|value| exit.apply(value) - pair.reference)
            });
            let (value, has_uncertainty) = apply(self.candidate, pair.raw, pair, &self.places);
            let value = pair.out_of_fold.or(value);
            match (value, active) {
                (_, Some(None)) => {}
                (None, _) => missing += 1,
                (Some(value), active) => runs.push(Run {
                    cohort: &pair.cohort,
                    error: value - pair.reference,
                    active: active.flatten(),
                    has_uncertainty,
                }),
            }
        }
        if missing > 0 {
            reasons.push(Reason::NoValue { pairs: missing, of: pairs.len() });
        }
        runs
    }
}

/// The value for a pair, and whether an uncertainty comes with it without one of the reading.
fn apply(transform: &Compiled, raw: f64, pair: &Pair, places: &[Option<usize>]) -> (Option<f64>, bool) {
    let mut covariates = [None; MAX_COVARIATES];
    for (covariate, place) in covariates.iter_mut().zip(places) {
        let value = place.and_then(|place| pair.covariates.get(place).copied().flatten());
        *covariate = value.map(|value| Covariate { value, u: None });
    }
    let count = places.len().min(MAX_COVARIATES);
    let input = Input { raw, u_raw: None, covariates: &covariates[..count], age_days: 0.0 };
    let output = transform.apply(&input);
    (output.value, output.value.is_none() || output.u.is_some())
}
