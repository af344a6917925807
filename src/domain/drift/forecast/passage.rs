//! When a bias crosses a limit for the first time: the share of simulated futures that have by then.

use super::model::STATES;
use super::noise::Node;
use crate::domain::resample::Seeded;

/// Futures that are drawn.
const PATHS: usize = 512;

/// Points of time at which a future is looked at.
const STEPS: usize = 80;

/// Share of the futures that have crossed 1 or -1, by time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Passage {
    /// At the ends of the steps; the first is at once.
    crossed: [f64; STEPS + 1],
    horizon: f64,
}

/// The end of a step in days: short steps first.
fn end(step: usize, horizon: f64) -> f64 {
    let share = step as f64 / STEPS as f64;
    horizon * share * share
}

impl Passage {
    /// Draws futures from `now` on (a day), until `horizon` days later.
    ///
    /// Noise and state are drawn from what the past allows, so that what is not known of them counts. Between two
    /// ends of a step, a walk has crossed a limit with the probability that a Brownian bridge has:
    /// exp(-2 a b / (walk^2 dt)), a and b being the distances from the limit (Karatzas, Shreve 1991, 4.3).
    ///
    /// `shared` is the standard uncertainty that the whole past has in common: each future is off by one draw of it.
    pub(super) fn simulated(nodes: &[Node], shared: f64, now: f64, horizon: f64, seed: u64) -> Passage {
        let mut draws = Seeded::new(seed);
        let mut within = [0.0; STEPS + 1];
        let (mut at, mut reached) = (0, nodes[0].weight);
        let mut root = root(&nodes[0].state.covariance);
        for path in 0..PATHS {
            // as many from each node as it is probable
            while (path as f64 + 0.5) / PATHS as f64 > reached && at + 1 < nodes.len() {
                at += 1;
                reached += nodes[at].weight;
                root = self::root(&nodes[at].state.covariance);
            }
            let state = drawn(&nodes[at], &root, &mut draws);
            let off = if shared > 0.0 { shared * draws.normal() } else { 0.0 };
            follow(&Future { node: &nodes[at], state, off, now, horizon }, &mut draws, &mut within);
        }
        Passage { crossed: within.map(|within| 1.0 - within / PATHS as f64), horizon }
    }

    /// The time in days by which this share has crossed; `None` if that is beyond the horizon.
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        let step = self.crossed.iter().position(|crossed| *crossed >= share)?;
        if step == 0 {
            return Some(0.0);
        }
        let (from, to) = (self.crossed[step - 1], self.crossed[step]);
        let (early, late) = (end(step - 1, self.horizon), end(step, self.horizon));
        Some(early + (late - early) * (share - from) / (to - from))
    }

    /// The share that has crossed by the horizon.
    pub(super) fn within_horizon(&self) -> f64 {
        self.crossed[STEPS]
    }
}

struct Future<'a> {
    node: &'a Node,
    state: [f64; STATES],
    /// By how much the bias is another one than the past shows, all the time.
    off: f64,
    now: f64,
    horizon: f64,
}

/// Adds the probability that this future is still within the limits, step by step.
fn follow(future: &Future<'_>, draws: &mut Seeded, within: &mut [f64; STEPS + 1]) {
    let Future { node, state, off, now, horizon } = future;
    let walk = node.noise.walk;
    let expected = |day: f64| -> f64 {
        off + node.model.row(day).iter().zip(state).map(|(row, state)| row * state).sum::<f64>()
    };
    // what it has walked since the last point
    let mut walked = walk * (now - node.state.day).max(0.0).sqrt() * draws.normal();
    let (mut here, mut stays) = (expected(*now) + walked, 1.0);
    for (step, sum) in within.iter_mut().enumerate() {
        if step > 0 {
            let days = end(step, *horizon) - end(step - 1, *horizon);
            if walk > 0.0 {
                walked += walk * days.sqrt() * draws.normal();
            }
            let there = expected(now + end(step, *horizon)) + walked;
            stays *= bridge(walk * walk * days, here, there);
            here = there;
        }
        // nor does NaN stay within
        if !(here.abs() < 1.0 && stays > 1e-6) {
            return;
        }
        *sum += stays;
    }
}

/// The probability that a walk of this variance crosses neither limit between two places within them.
fn bridge(variance: f64, here: f64, there: f64) -> f64 {
    if variance <= 0.0 {
        return 1.0;
    }
    let crosses = |a: f64, b: f64| (-2.0 * a * b / variance).exp().min(1.0);
    (1.0 - crosses(1.0 - here, 1.0 - there)) * (1.0 - crosses(1.0 + here, 1.0 + there))
}

/// The lower triangle L with L L' = the covariance (Cholesky); columns of nothing stay nothing.
fn root(covariance: &[[f64; STATES]; STATES]) -> [[f64; STATES]; STATES] {
    let mut root = [[0.0; STATES]; STATES];
    for row in 0..STATES {
        for column in 0..=row {
            let known: f64 = (0..column).map(|at| root[row][at] * root[column][at]).sum();
            let rest = covariance[row][column] - known;
            root[row][column] = if row == column {
                rest.max(0.0).sqrt()
            } else if root[column][column] > 0.0 {
                rest / root[column][column]
            } else {
                0.0
            };
        }
    }
    root
}

fn drawn(node: &Node, root: &[[f64; STATES]; STATES], draws: &mut Seeded) -> [f64; STATES] {
    let normal: [f64; STATES] = std::array::from_fn(|_| draws.normal());
    std::array::from_fn(|at| {
        node.state.mean[at] + root[at].iter().zip(&normal).map(|(root, normal)| root * normal).sum::<f64>()
    })
}
