//! How fast a bias walks and how far points scatter: not one guess, but all that the past allows.

use super::model::{Model, Noise, Run, Scale, Seen, State, run};

/// A noise, the state under it, and how probable they are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Node {
    pub weight: f64,
    pub model: Model,
    pub noise: Noise,
    pub state: State,
}

/// How far below and above their scale deviations are sought, in logarithms.
const RANGE: (f64, f64) = (-8.0, 3.0);

/// First and last step of the search.
const STEPS: (f64, f64) = (1.0, 0.1);

/// Most evaluations of the search.
const MOST_RUNS: usize = 120;

/// Places of the grid on either side of the mode, and their distance in standard deviations.
const GRID: (i32, f64) = (3, 0.8);

/// Fewest points that a model learns from before its predictions count.
const FEWEST_FIRST: usize = 4;

/// Standard deviations of the logarithms are taken as between these.
const SPREAD: (f64, f64) = (0.02, 1.5);

/// The logarithms of walk and scatter, over their scales.
type Place = [f64; 2];

struct Search<'a> {
    model: Model,
    points: &'a [Seen],
    scale: Scale,
    /// What a logarithm of 0 stands for.
    unit: Noise,
}

impl Search<'_> {
    fn noise(&self, [walk, scatter]: Place) -> Noise {
        let walk = if self.model.walks() { self.unit.walk * walk.exp() } else { 0.0 };
        Noise { walk, scatter: self.unit.scatter * scatter.exp() }
    }

    fn run(&self, place: Place) -> Run {
        run(self.model, &self.noise(place), &self.scale, self.points, first(self.points.len()))
    }

    /// The logarithm of the prior: both deviations are half-Cauchy (Gelman 2006), here of their logarithms.
    fn prior(&self, place: Place) -> f64 {
        let prior = |log: f64| log - (2.0 * log).exp().ln_1p();
        prior(place[1]) + if self.model.walks() { prior(place[0]) } else { 0.0 }
    }

    fn at(&self, place: Place) -> f64 {
        self.run(place).likelihood + self.prior(place)
    }

    fn axes(&self) -> &'static [usize] {
        if self.model.walks() { &[0, 1] } else { &[1] }
    }

    /// The most probable place, by a compass search.
    fn mode(&self) -> Place {
        let (mut place, mut step, mut runs) = ([-1.0, -1.0], STEPS.0, 1);
        let mut best = self.at(place);
        while step > STEPS.1 && runs < MOST_RUNS {
            let before = best;
            for axis in self.axes() {
                for sign in [step, -step] {
                    let mut tried = place;
                    tried[*axis] = (tried[*axis] + sign).clamp(RANGE.0, RANGE.1);
                    let found = self.at(tried);
                    runs += 1;
                    if found > best {
                        (place, best) = (tried, found);
                    }
                }
            }
            if best <= before {
                step /= 2.0;
            }
        }
        place
    }

    /// Standard deviations about the mode, from the curvature there.
    fn spread(&self, mode: Place) -> Place {
        let step = 0.2;
        let moved = |by: Place| self.at([mode[0] + by[0] * step, mode[1] + by[1] * step]);
        let centre = moved([0.0, 0.0]);
        let bend = |by: Place, back: Place| (2.0 * centre - moved(by) - moved(back)) / (step * step);
        let of = |curvature: f64| {
            if curvature > 0.0 { curvature.sqrt().recip().clamp(SPREAD.0, SPREAD.1) } else { SPREAD.1 }
        };
        let scatter = bend([0.0, 1.0], [0.0, -1.0]);
        if !self.model.walks() {
            return [0.0, of(scatter)];
        }
        let walk = bend([1.0, 0.0], [-1.0, 0.0]);
        let cross = (moved([1.0, -1.0]) + moved([-1.0, 1.0]) - moved([1.0, 1.0]) - moved([-1.0, -1.0]))
            / (4.0 * step * step);
        // of the marginals: what the other one leaves open counts
        let determinant = walk * scatter - cross * cross;
        if walk > 0.0 && scatter > 0.0 && determinant > 0.0 {
            return [of(determinant / scatter), of(determinant / walk)];
        }
        [of(walk), of(scatter)]
    }
}

/// How many points a model may learn from before its predictions count.
pub(super) fn first(points: usize) -> usize {
    (points / 4).max(FEWEST_FIRST)
}

/// What a model makes of the past.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Posterior {
    /// Nodes with weights that add up to 1.
    pub nodes: Vec<Node>,
    /// The logarithm of the probability density of all points but the first, each predicted from those before it.
    pub score: f64,
}

/// What the points (at least two) allow: nodes on a grid about the mode
/// (as Rue, Martino, Chopin 2009 integrate over few parameters).
pub(super) fn posterior(model: Model, points: &[Seen]) -> Posterior {
    let scale = Scale::of(points);
    let span = (points[points.len() - 1].day - points[0].day).max(1.0);
    let unit = Noise { walk: scale.deviation / span.sqrt(), scatter: scale.deviation };
    let search = Search { model, points, scale, unit };
    let mode = search.mode();
    let spread = search.spread(mode);
    let reach = |axis: usize| if search.axes().contains(&axis) { -GRID.0..=GRID.0 } else { 0..=0 };
    let mut tried = Vec::new();
    for walk in reach(0) {
        for scatter in reach(1) {
            let step = [f64::from(walk) * GRID.1 * spread[0], f64::from(scatter) * GRID.1 * spread[1]];
            let place = [mode[0] + step[0], mode[1] + step[1]];
            let run = search.run(place);
            let node = Node { weight: 0.0, model, noise: search.noise(place), state: run.state };
            tried.push((node, search.prior(place) + run.first, search.prior(place) + run.likelihood));
        }
    }
    let all = log_sum(tried.iter().map(|(_, _, all)| *all));
    let score = all - log_sum(tried.iter().map(|(_, first, _)| *first));
    let weighted = tried.into_iter().map(|(node, _, log)| Node { weight: (log - all).exp(), ..node });
    Posterior { nodes: weighted.collect(), score }
}

/// ln of the sum of the exponentials.
pub(super) fn log_sum(logs: impl Iterator<Item = f64> + Clone) -> f64 {
    let most = logs.clone().fold(f64::NEG_INFINITY, f64::max);
    most + logs.map(|log| (log - most).exp()).sum::<f64>().ln()
}
