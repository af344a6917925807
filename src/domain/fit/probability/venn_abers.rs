//! Fit `venn-abers`: inductive Venn-Abers prediction, worked out beforehand for every score.

use super::super::error::FitError;
use super::super::fitted::{Fit, Table};
use super::super::pairs::Pairs;
use super::labels::Labels;
use super::ties::{Tie, ties};
use crate::domain::transform::stage::StageSpec;
use crate::domain::transform::steps::MAX_STEPS;
use crate::domain::transform::venn_abers::VennAbersSpec;

/// Works out p0 and p1 of every possible score: the values that isotonic fits give it once it is added
/// to the pairs with label 0 and once with label 1.
///
/// Vovk, Petej, Fedorova (2015), section 3: the greatest convex minorant of the cumulative sums is kept
/// while the added point moves from score to score, linear in the pairs once they are sorted. Pairs
/// with one score are taken together, and a new point with them if it has that score. The added point
/// weighs 1. Fails where labels are not 0 and 1.
pub fn fit(pairs: &Pairs) -> Result<Fit, FitError> {
    let labels = Labels::read(pairs)?;
    let ties = ties(pairs, Some(&labels.weights))?.ties;
    let spec = steps(&ties);
    if spec.x.len() > MAX_STEPS {
        let problem = format!(
            "venn-abers gives {} steps, more than the {MAX_STEPS} of a table: take fewer pairs, or isotonic",
            spec.x.len()
        );
        return Err(FitError::Unsupported(problem));
    }
    let merged = spec.p0.iter().zip(&spec.p1).map(|(p0, p1)| p1 / (1.0 - p0 + p1)).collect();
    Ok(Fit {
        method: "venn-abers".to_owned(),
        table: Some(Table { x: spec.x.clone(), y: merged }),
        n: pairs.len(),
        stages: vec![StageSpec::VennAbers(spec)],
        ..Fit::default()
    })
}

/// The steps of p0 and p1, without scores at which neither changes.
fn steps(ties: &[Tie]) -> VennAbersSpec {
    let p1 = never_falling(with_an_event(ties));
    // a non-event is an event of the other label, seen from the other end
    let mirrored: Vec<Tie> =
        ties.iter().rev().map(|tie| Tie { x: -tie.x, sum: tie.weight - tie.sum, ..*tie }).collect();
    let p0 = never_falling(with_an_event(&mirrored).iter().rev().map(|p| 1.0 - p).collect());
    let mut spec = VennAbersSpec { x: Vec::new(), p0: Vec::new(), p1: Vec::new() };
    for (at, tie) in ties.iter().enumerate() {
        let before = if at == 0 { 0.0 } else { p0[at - 1] };
        let after = p1.get(at + 1).copied().unwrap_or(1.0);
        if p0[at] != before || p1[at] != after || at == 0 {
            spec.x.push(tie.x);
            spec.p0.push(p0[at].min(p1[at]));
            spec.p1.push(p1[at]);
        }
    }
    spec
}

/// The same values, which rise but for rounding, without what rounding lets fall.
fn never_falling(mut values: Vec<f64>) -> Vec<f64> {
    let mut highest = 0.0f64;
    for value in &mut values {
        highest = highest.max(*value);
        *value = highest;
    }
    values
}

/// A corner of a convex minorant: weights summed up, and events.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Corner {
    weight: f64,
    events: f64,
}

impl Corner {
    fn slope_to(self, next: Corner) -> f64 {
        (next.events - self.events) / (next.weight - self.weight)
    }

    /// Above 0 where the way from here over `middle` to `end` turns upwards.
    fn turn(self, middle: Corner, end: Corner) -> f64 {
        (middle.weight - self.weight) * (end.events - self.events)
            - (end.weight - self.weight) * (middle.events - self.events)
    }
}

/// For each score, the isotonic value of a further event there.
fn with_an_event(ties: &[Tie]) -> Vec<f64> {
    let mut points = vec![Corner { weight: 0.0, events: 0.0 }];
    for tie in ties {
        let last = points[points.len() - 1];
        points.push(Corner { weight: last.weight + tie.weight, events: last.events + tie.sum });
    }
    let mut corners = minorant(Corner { weight: -1.0, events: -1.0 }, &points);
    let mut start = Corner { weight: -1.0, events: -1.0 };
    let mut out = Vec::with_capacity(ties.len());
    for step in points.windows(2) {
        let [.., next, top] = corners[..] else { break };
        out.push(top.slope_to(next).clamp(0.0, 1.0));
        // the event moves behind this score: the point between them is reached by the score first
        let moved = Corner {
            weight: start.weight + (step[1].weight - step[0].weight),
            events: start.events + (step[1].events - step[0].events),
        };
        start = moved;
        if top.turn(moved, next) > 0.0 {
            corners.pop();
            while let [.., second, first] = corners[..]
                && moved.turn(first, second) <= 0.0
            {
                corners.pop();
            }
            corners.push(moved);
        }
    }
    out
}

/// The corners of the greatest convex minorant of `first` and the points behind it, the first on top.
fn minorant(first: Corner, points: &[Corner]) -> Vec<Corner> {
    let mut corners = vec![first];
    for point in points {
        while let [.., second, last] = corners[..]
            && second.turn(last, *point) <= 0.0
        {
            corners.pop();
        }
        corners.push(*point);
    }
    corners.reverse();
    corners
}

#[cfg(test)]
mod tests;
