//! The surroundings in which limits are held: the covariates that the stages look at.

use crate::domain::transform::compiled::Compiled;
use crate::domain::transform::stage::MAX_COVARIATES;

/// With more covariates than this the corners of their ranges are too many to look at.
const MAX_CORNERED: usize = 4;

/// The covariates that some transforms look at, with their ranges.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Conditions<'a> {
    covariates: Vec<(&'a str, [f64; 2])>,
}

impl<'a> Conditions<'a> {
    /// Of two transforms; the first one's domain bounds a covariate if it states a range for it, else
    /// the second one's. `None` if neither does: nothing can be said then.
    pub(super) fn of(first: &'a Compiled, second: Option<&'a Compiled>) -> Option<Conditions<'a>> {
        let mut covariates: Vec<(&str, [f64; 2])> = Vec::new();
        for role in first.needs().chain(second.into_iter().flat_map(Compiled::needs)) {
            if covariates.iter().all(|(known, _)| *known != role) {
                let range = first.range_of(role).or_else(|| second?.range_of(role))?;
                covariates.push((role, range));
            }
        }
        Some(Conditions { covariates })
    }

    /// Every combination of the ranges' ends; with many covariates their centres, and each one's ends
    /// with the others at their centres.
    pub(super) fn all(&self) -> Vec<Vec<f64>> {
        let count = self.covariates.len();
        if count <= MAX_CORNERED {
            let corner = |bits: usize| -> Vec<f64> {
                self.covariates.iter().enumerate().map(|(at, (_, range))| range[bits >> at & 1]).collect()
            };
            return (0..1 << count).map(corner).collect();
        }
        let centre: Vec<f64> =
            self.covariates.iter().map(|(_, [low, high])| low + (high - low) / 2.0).collect();
        let mut out = vec![centre.clone()];
        for (at, end) in (0..count).flat_map(|at| [(at, 0), (at, 1)]) {
            let mut values = centre.clone();
            values[at] = self.covariates[at].1[end];
            out.push(values);
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
    /// The covariates without which the stages have no value.
    fn needs(&self) -> impl Iterator<Item = &str> {
        let needed = |place: usize| self.needed >> place & 1 == 1;
        self.covariates()
            .iter()
            .enumerate()
            .filter(move |(place, _)| needed(*place))
            .map(|(_, role)| role.as_str())
    }

    /// The range in which the domain holds a covariate, if it does.
    fn range_of(&self, role: &str) -> Option<[f64; 2]> {
        let place = self.covariates().iter().position(|known| known == role)?;
        self.domain.covariate(place)
    }
}
