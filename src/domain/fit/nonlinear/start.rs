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

/// How much worse than the best a start may be that is worth a try.
const HOPELESS: f64 = 25.0;

/// The best two of the places along a scan that are better than those beside them.
pub(super) fn valleys(scan: &[Start]) -> Vec<Start> {
    let rss = |at: Option<usize>| at.and_then(|at| scan.get(at)).map_or(f64::INFINITY, |start| start.rss);
    let lowest = |at: &usize| rss(Some(*at)) <= rss(at.checked_sub(1)).min(rss(Some(at + 1)));
    let mut starts = best((0..scan.len()).filter(lowest).map(|at| scan[at].clone()).collect(), 2);
    let most = HOPELESS * starts.first().map_or(0.0, |start| start.rss);
    starts.retain(|start| start.rss <= most);
    starts
}

/// From -`high` to `high` in factors of 2 of `low`.
pub(super) fn both_signs(low: f64, high: f64) -> impl Iterator<Item = f64> {
    let doubled = std::iter::successors(Some(low), |value| Some(2.0 * value));
    let above: Vec<f64> = doubled.take_while(|value| *value <= high).take(64).collect();
    let below: Vec<f64> = above.iter().rev().map(|value| -value).collect();
    below.into_iter().chain(above)
}
