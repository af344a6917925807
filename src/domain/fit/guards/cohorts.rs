//! The cohorts that are judged: each with enough pairs, or else the parent in its place.

use std::collections::BTreeSet;

use super::reason::Reason;
use super::{CohortScore, Run};

/// The pairs of a cohort and of all cohorts within it.
pub(super) struct Group<'a> {
    cohort: &'a [String],
    pub training: Vec<&'a Run<'a>>,
    pub held_out: Vec<&'a Run<'a>>,
}

/// The cohorts with enough pairs; `needed` are training and held-out ones.
pub(super) fn groups<'a>(
    training: &'a [Run<'a>],
    held_out: &'a [Run<'a>],
    needed: [usize; 2],
) -> Result<Vec<Group<'a>>, Reason> {
    for (kind, runs, needed) in [("training", training, needed[0]), ("held-out", held_out, needed[1])] {
        if runs.len() < needed {
            return Err(Reason::TooFew { kind, found: runs.len(), needed });
        }
    }
    let enough = |cohort: &[String]| {
        within(training, cohort).count() >= needed[0] && within(held_out, cohort).count() >= needed[1]
    };
    let narrowest: BTreeSet<&'a [String]> = held_out.iter().map(|run| run.cohort).collect();
    let judged: BTreeSet<&'a [String]> = narrowest.into_iter().map(|cohort| climb(cohort, &enough)).collect();
    let group = |cohort| Group {
        cohort,
        training: within(training, cohort).collect(),
        held_out: within(held_out, cohort).collect(),
    };
    Ok(judged.into_iter().map(group).collect())
}

fn within<'a>(runs: &'a [Run<'a>], cohort: &[String]) -> impl Iterator<Item = &'a Run<'a>> {
    runs.iter().filter(move |run| run.cohort.starts_with(cohort))
}

/// The narrowest cohort around `cohort` that has enough pairs; all pairs if none has.
fn climb<'a>(cohort: &'a [String], enough: &impl Fn(&[String]) -> bool) -> &'a [String] {
    (0..=cohort.len()).rev().map(|depth| &cohort[..depth]).find(|cohort| enough(cohort)).unwrap_or(&[])
}

impl Group<'_> {
    pub(super) fn score(&self) -> CohortScore {
        let active: Option<Vec<f64>> = self.held_out.iter().map(|run| run.active).collect();
        let errors = |runs: &[&Run<'_>]| runs.iter().map(|run| run.error).collect::<Vec<_>>();
        let held_out = errors(&self.held_out);
        CohortScore {
            cohort: self.cohort.to_vec(),
            held_out: held_out.len(),
            rmse: rmse(&held_out),
            bias: held_out.iter().sum::<f64>() / held_out.len() as f64,
            active_rmse: active.as_deref().map(rmse),
            training_rmse: (!self.training.is_empty()).then(|| rmse(&errors(&self.training))),
        }
    }
}

fn rmse(errors: &[f64]) -> f64 {
    (errors.iter().map(|error| error * error).sum::<f64>() / errors.len() as f64).sqrt()
}
