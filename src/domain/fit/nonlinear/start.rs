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

/// `low`, 2 `low`, 4 `low`, ... up to `high`, and the same below 0.
pub(super) fn both_signs(low: f64, high: f64) -> impl Iterator<Item = f64> {
    let doubled = std::iter::successors(Some(low), |value| Some(2.0 * value));
    doubled.take_while(move |value| *value <= high).take(64).flat_map(|value| [value, -value])
}
