//! Starting values: what is nonlinear is scanned, the rest is solved for.

use super::frame::Inner;
use super::triangle::Reduction;

/// Pairs that a scan looks at.
pub(super) const LOOKS: usize = 64;

/// Starting values and the sum of squares there.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Start {
    pub parameters: Vec<f64>,
    pub rss: f64,
}

/// The best linear combination of `columns` functions of (t, v), to meet what `basis` returns:
/// coefficients and the sum of squares. `None` where the functions cannot be told apart.
pub(super) fn eliminate(
    inner: &Inner,
    columns: usize,
    basis: impl Fn(usize, f64, f64, &mut [f64]) -> f64,
) -> Option<(Vec<f64>, f64)> {
    let mut row = vec![0.0; columns];
    let mut reduction = Reduction::new(columns);
    for (at, (t, v)) in inner.t.iter().zip(&inner.v).enumerate() {
        let mut target = basis(at, *t, *v, &mut row);
        if let Some(roots) = &inner.root_weights {
            row.iter_mut().for_each(|value| *value *= roots[at]);
            target *= roots[at];
        }
        reduction.push(&row, target);
    }
    let triangle = reduction.finish();
    let coefficients = triangle.step();
    let rss = triangle.rest();
    (rss.is_finite() && coefficients.iter().all(|c| c.is_finite())).then_some((coefficients, rss))
}

/// The `count` best.
pub(super) fn best(mut starts: Vec<Start>, count: usize) -> Vec<Start> {
    starts.retain(|start| start.rss.is_finite());
    starts.sort_by(|a, b| a.rss.total_cmp(&b.rss));
    starts.truncate(count);
    starts
}

/// How much worse than the best is nearly as good.
const NEARLY: f64 = 1.01;
/// Most places of a scan on either side of 0.
const MOST: usize = 100;
/// How much worse than the best a start may be that is worth a try.
const HOPELESS: f64 = 25.0;

/// The best two of the places along a scan that are better than those beside them; plains, where a
/// curve goes through single pairs whatever its bend, are none.
pub(super) fn valleys(scan: &[Start]) -> Vec<Start> {
    let rss = |at: Option<usize>| at.and_then(|at| scan.get(at)).map_or(f64::INFINITY, |start| start.rss);
    let below = |at: usize, other: Option<usize>| rss(Some(at)) < rss(other) * (1.0 - 1e-9);
    let lowest = |at: &usize| below(*at, at.checked_sub(1)) && below(*at, Some(at + 1));
    let least = scan.iter().map(|start| start.rss).fold(f64::INFINITY, f64::min);
    let mut starts = best((0..scan.len()).filter(lowest).map(|at| scan[at].clone()).collect(), 2);
    starts.retain(|start| start.rss <= HOPELESS * least);
    if starts.first().is_none_or(|start| start.rss > NEARLY * least) {
        starts.extend(gentlest(scan, NEARLY * least));
    }
    starts
}

/// The place nearest to the middle of a scan among those with at most this sum.
fn gentlest(scan: &[Start], most: f64) -> Option<Start> {
    let good = scan.iter().enumerate().filter(|(_, start)| start.rss <= most);
    good.min_by_key(|(at, _)| (2 * at).abs_diff(scan.len())).map(|(_, start)| start.clone())
}

/// From -`high` to `high` in factors of 3/2 of `low`.
pub(super) fn both_signs(low: f64, high: f64) -> impl Iterator<Item = f64> {
    let grown = std::iter::successors(Some(low), |value| Some(1.5 * value));
    let above: Vec<f64> = grown.take_while(|value| *value <= high).take(MOST).collect();
    let below: Vec<f64> = above.iter().rev().map(|value| -value).collect();
    below.into_iter().chain(above)
}
