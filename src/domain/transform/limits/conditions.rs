//! The surroundings in which limits are held: the covariates that the stages look at.

use crate::domain::transform::compiled::{Branch, Compiled};
use crate::domain::transform::stage::MAX_COVARIATES;

/// Most combinations to look at: all corners of four ranges, and a few cohorts.
const MAX_COMBINATIONS: usize = 40;

/// The covariates that some transforms look at, with the values to look at.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Conditions<'a> {
    covariates: Vec<(&'a str, Vec<f64>)>,
}

impl<'a> Conditions<'a> {
    /// Of two transforms; the first one's domain bounds a covariate if it states a range for it, else
    /// the second one's. `None` if neither does: nothing can be said then.
    pub(super) fn of(first: &'a Compiled, second: Option<&'a Compiled>) -> Option<Conditions<'a>> {
        let mut covariates: Vec<(&str, Vec<f64>)> = Vec::new();
        for role in first.needs().chain(second.into_iter().flat_map(Compiled::needs)) {
            if covariates.iter().all(|(known, _)| *known != role) {
                let [low, high] = first.range_of(role).or_else(|| second?.range_of(role))?;
                let turns = first.turns(role).chain(second.into_iter().flat_map(|second| second.turns(role)));
                let inside = turns.filter(|turn| low < *turn && *turn < high);
                covariates.push((role, [low, high].into_iter().chain(inside).collect()));
            }
        }
        Some(Conditions { covariates })
    }

    /// Every combination of the ranges' ends, and of both sides of where a cohort begins or ends. If
    /// they are many, the ranges' centres, and each covariate's values with the others at theirs.
    pub(super) fn all(&self) -> Vec<Vec<f64>> {
        let combinations =
            self.covariates.iter().try_fold(1usize, |all, (_, values)| all.checked_mul(values.len()));
        if combinations.is_some_and(|count| count <= MAX_COMBINATIONS) {
            return self.covariates.iter().fold(vec![Vec::new()], |all, (_, values)| {
                let extended = |before: &Vec<f64>, value: &f64| [before.as_slice(), &[*value]].concat();
                all.iter()
                    .flat_map(|before| values.iter().map(move |value| extended(before, value)))
                    .collect()
            });
        }
        let centre: Vec<f64> =
            self.covariates.iter().map(|(_, values)| values[0] / 2.0 + values[1] / 2.0).collect();
        let mut out = vec![centre.clone()];
        for (at, (_, values)) in self.covariates.iter().enumerate() {
            for value in values {
                let mut condition = centre.clone();
                condition[at] = *value;
                out.push(condition);
            }
        }
        out
    }

    /// One of the combinations in the order in which `transform` takes its covariates.
    pub(super) fn around(&self, values: &[f64], transform: &Compiled) -> [f64; MAX_COVARIATES] {
        let mut out = [f64::NAN; MAX_COVARIATES];
        for ((place, role), value) in transform.covariates().iter().enumerate().zip(&mut out) {
            let known = self.covariates.iter().position(|(known, _)| known == role);
            if let Some(known) = known.and_then(|at| values.get(at)) {
                *value = transform.domain.enter_covariate(place, *known);
            }
        }
        out
    }
}

impl Compiled {
    /// The covariates without which some stages have no value, and those that choose the stages.
    fn needs(&self) -> impl Iterator<Item = &str> {
        let stages = self.branches.iter().map(|branch| branch.pipeline.needed | 1 << branch.place);
        let needed = stages.fold(self.pipeline.needed, |all, needed| all | needed);
        let roles = self.covariates().iter().enumerate();
        roles.filter(move |(place, _)| needed >> place & 1 == 1).map(|(_, role)| role.as_str())
    }

    /// The range in which the domain holds a covariate, if it does.
    fn range_of(&self, role: &str) -> Option<[f64; 2]> {
        let place = self.covariates().iter().position(|known| known == role)?;
        self.domain.covariate(place)
    }

    /// The values of a covariate on both sides of where other stages take over.
    fn turns(&self, role: &str) -> impl Iterator<Item = f64> {
        let bounds = |branch: &Branch| [branch.above, branch.below];
        let of_role =
            move |branch: &&Branch| self.covariates().get(branch.place).is_some_and(|known| known == role);
        self.branches.iter().filter(of_role).flat_map(bounds).flat_map(|bound| [bound.next_down(), bound])
    }
}
