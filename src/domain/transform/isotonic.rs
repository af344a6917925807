//! Stage `isotonic`: straight lines between the thresholds of a monotone fit, held at its ends.

use serde::{Deserialize, Serialize};

use super::artifact::ContentError;
use super::check::invalid;
use super::stage::Local;
use super::steps;

/// The stage as written in an artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IsotonicSpec {
    /// The thresholds, strictly increasing; 1 to [`steps::MAX_STEPS`] of them.
    pub x: Vec<f64>,
    /// The values there, as many, rising only or falling only.
    pub y: Vec<f64>,
    /// The pairs behind each value, where values are shares of events: they give the uncertainty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Vec<f64>>,
}

/// The stage as it runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Isotonic {
    /// One from each threshold to the next; the last one is flat.
    pieces: Box<[Piece]>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Piece {
    x: f64,
    y: f64,
    slope: f64,
    /// The smaller and the larger value at the piece's ends: rounding must not leave them.
    low: f64,
    high: f64,
    /// Standard uncertainty at x, and its change per input unit.
    u: f64,
    u_slope: f64,
}

/// Neighbouring thresholds may be closer than what their values differ by allows for in a slope
/// whose square is finite.
const STEEPEST: f64 = 1e150;

impl Isotonic {
    /// dy/dx is the piece's slope, 0 beyond the ends. Values of neighbouring thresholds are taken
    /// as fully correlated, since they often stand for the same pairs: u is interpolated.
    #[inline(always)]
    pub(super) fn at(&self, x: f64) -> Local {
        if !x.is_finite() {
            return Local::inside(f64::NAN, f64::NAN, f64::NAN);
        }
        let after = self.pieces.partition_point(|piece| piece.x <= x);
        if after == 0 {
            let first = self.pieces[0];
            return Local::inside(first.y, 0.0, first.u * first.u);
        }
        let piece = self.pieces[after - 1];
        // an infinite distance times a slope of 0 would be no number
        let beyond = (x - piece.x).min(f64::MAX);
        let value = (piece.y + piece.slope * beyond).max(piece.low).min(piece.high);
        let u = piece.u + piece.u_slope * beyond;
        Local::inside(value, piece.slope, u * u)
    }

    /// x, where only one has this value: not at the ends and not along a flat piece.
    pub(super) fn invert(&self, y: f64) -> Option<f64> {
        let mut pieces = self.pieces.iter().filter(|piece| piece.low <= y && y <= piece.high);
        let piece = pieces.next()?;
        if y == self.pieces[0].y || piece.slope == 0.0 || pieces.any(|piece| piece.slope == 0.0) {
            return None;
        }
        Some(piece.x + (y - piece.y) / piece.slope)
    }

    /// Where the slope changes.
    pub(super) fn knots(&self) -> impl Iterator<Item = f64> {
        self.pieces.iter().map(|piece| piece.x)
    }
}

/// Checks the stage that stands at `path`.
pub(super) fn compile(spec: &IsotonicSpec, path: &str) -> Result<Isotonic, ContentError> {
    steps::inputs(&spec.x, 1, path, "x")?;
    steps::column(&spec.y, spec.x.len(), f64::is_finite, "expected a finite number", path, "y")?;
    let goes = |sign: f64| spec.y.windows(2).all(|y| sign * y[0] <= sign * y[1]);
    if !goes(1.0) && !goes(-1.0) {
        return Err(invalid(path, "y", "expected values that only rise or only fall"));
    }
    if !(spec.y[spec.y.len() - 1] - spec.y[0]).is_finite() {
        return Err(invalid(path, "y", "the first and the last are too far apart"));
    }
    let u = uncertainties(spec, path)?;
    let at = |place: usize| (spec.x[place], spec.y[place], u.as_ref().map_or(0.0, |u| u[place]));
    let piece = |place: usize| {
        let next = at((place + 1).min(spec.x.len() - 1));
        Piece::between(at(place), next)
    };
    Ok(Isotonic { pieces: (0..spec.x.len()).map(piece).collect() })
}

impl Piece {
    fn between((x, y, u): (f64, f64, f64), (next_x, next_y, next_u): (f64, f64, f64)) -> Piece {
        let slope = |change: f64| match change {
            0.0 => 0.0,
            _ => (change / (next_x - x)).clamp(-STEEPEST, STEEPEST),
        };
        Piece {
            x,
            y,
            slope: slope(next_y - y),
            low: y.min(next_y),
            high: y.max(next_y),
            u,
            u_slope: slope(next_u - u),
        }
    }
}

fn uncertainties(spec: &IsotonicSpec, path: &str) -> Result<Option<Vec<f64>>, ContentError> {
    let Some(counts) = &spec.counts else { return Ok(None) };
    let wanted = "expected a number of pairs above 0";
    steps::column(counts, spec.x.len(), steps::weight, wanted, path, "counts")?;
    let wanted = "expected a share of events from 0 to 1, as counts are stated";
    steps::column(&spec.y, spec.x.len(), steps::probability, wanted, path, "y")?;
    Ok(Some(spec.y.iter().zip(counts).map(|(y, n)| steps::binomial(*y, *n)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spec(x: &[f64], y: &[f64], counts: Option<&[f64]>) -> IsotonicSpec {
        IsotonicSpec { x: x.to_vec(), y: y.to_vec(), counts: counts.map(<[f64]>::to_vec) }
    }

    #[test]
    fn runs_along_lines_and_is_held_at_the_ends() {
        let it = compile(&spec(&[1.0, 2.0, 4.0], &[0.2, 0.6, 1.0], None), "").unwrap();
        let values = [-5.0, 1.0, 1.5, 3.0, 4.0, 1e300].map(|x| it.at(x).value);
        for (value, expected) in values.into_iter().zip([0.2, 0.2, 0.4, 0.8, 1.0, 1.0]) {
            assert!((value - expected).abs() < 1e-15, "{value} {expected}");
        }
        assert_eq!((it.at(-5.0).slope, it.at(-5.0).excess, it.at(9.0).slope), (0.0, 0.0, 0.0));
        assert_eq!((it.invert(0.2), it.invert(1.0), it.invert(1.5)), (None, None, None));
    }

    #[test]
    fn counts_give_binomial_uncertainties() {
        let it = compile(&spec(&[1.0, 2.0, 3.0], &[0.2, 0.2, 0.8], Some(&[50.0, 50.0, 20.0])), "").unwrap();
        let u = |x: f64| it.at(x).variance.sqrt();
        assert!((u(1.5) - steps::binomial(0.2, 50.0)).abs() < 1e-15 && u(1.5) == u(-3.0));
        assert!((u(2.5) - (u(2.0) + u(3.0)) / 2.0).abs() < 1e-15 && u(99.0) == u(3.0));
    }

    #[test]
    fn what_is_not_monotone_or_too_far_apart_is_refused() {
        for (x, y, counts, path) in [
            (&[1.0, 1.0][..], &[0.1, 0.2][..], None, "x[1]"),
            (&[], &[], None, "x"),
            (&[1.0, f64::NAN], &[0.1, 0.2], None, "x[1]"),
            (&[-f64::MAX, f64::MAX], &[0.1, 0.2], None, "x"),
            (&[1.0, 2.0], &[-f64::MAX, f64::MAX], None, "y"),
            (&[1.0, 2.0], &[0.1], None, "y"),
            (&[1.0, 2.0, 3.0], &[0.1, 0.3, 0.2], None, "y"),
            (&[1.0, 2.0], &[0.1, 0.2], Some(&[1.0, 0.0][..]), "counts[1]"),
            (&[1.0, 2.0], &[0.1, 1.2], Some(&[1.0, 1.0]), "y[1]"),
        ] {
            assert_eq!(compile(&spec(x, y, counts), "").unwrap_err().path, path, "{x:?} {y:?}");
        }
    }

    proptest! {
        #[test]
        fn values_stay_between_their_neighbours(
            mut x in proptest::collection::btree_set(-1_000_000..1_000_000i64, 1..20), exponent in -320..300i32, at in any::<f64>(),
        ) {
            x.insert(0);
            let scale = 10f64.powi(exponent);
            let x: Vec<f64> = x.into_iter().map(|x| x as f64 * scale).collect();
            prop_assume!(x.windows(2).all(|x| x[0] < x[1]));
            let n = x.len() as f64;
            let y: Vec<f64> = (0..x.len()).map(|at| at as f64 / n).collect();
            let counts = vec![3.0; x.len()];
            let it = compile(&spec(&x, &y, Some(&counts)), "").unwrap();
            for at in x.iter().flat_map(|x| [x.next_down(), *x, x.next_up(), at]).filter(|at| at.is_finite()) {
                let local = it.at(at);
                let place = x.partition_point(|x| *x <= at);
                let (low, high) = (y[place.max(1) - 1], y[place.min(x.len() - 1)]);
                prop_assert!(low <= local.value && local.value <= high, "{at} {local:?}");
                prop_assert!(local.slope >= 0.0 && (local.slope * local.slope).is_finite());
                prop_assert!(local.variance.is_finite() && local.variance >= 0.0);
            }
        }
    }
}
