//! Method `piecewise:N`: N straight lines that join at N + 1 knots.

use super::distinct::{distinct, sorted, table_fit};
use super::error::FitError;
use super::fitted::{Fit, Table};
use super::line::{Scaled, beyond, check, unknown};
use super::method::CovarianceKind;
use super::pairs::Pairs;
use crate::domain::transform::stage::StageSpec;
use crate::domain::transform::table::{MAX_POINTS, TableSpec};

/// The knots of a fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Knots {
    /// Where the lines join; strictly increasing.
    pub x: Vec<f64>,
    /// The curve there.
    pub y: Vec<f64>,
    /// Roots of the diagonal of (X'WX)^-1: the standard errors of `y` in residual standard deviations, and `y`'s own
    /// where the weights are 1/u^2.
    pub relative_errors: Vec<f64>,
}

/// Fits a continuous curve of `pieces` straight lines by weighted least squares.
///
/// The knots are values of x: those at `pieces` + 1 evenly spaced ranks of the distinct ones, so
/// that equally many distinct x lie between any two and every knot has a pair. The curve is a sum
/// of hat functions (de Boor 2001, ch. XIV), fitted by Givens rotations of sorted rows: O(n log n).
/// Needs `pieces` + 1 different x. The knots' standard uncertainties are those that the residuals tell, or those of the
/// pairs if these are `Known`.
pub fn fit(pairs: &Pairs, pieces: usize, covariance: CovarianceKind) -> Result<Fit, FitError> {
    let method = format!("piecewise:{pieces}");
    if !(1..MAX_POINTS).contains(&pieces) {
        let problem = format!("{method}: expected 1 to {} pieces", MAX_POINTS - 1);
        return Err(FitError::Unsupported(problem));
    }
    check(&method, pairs, pieces + 1)?;
    let weights = pairs.weights();
    let known = covariance == CovarianceKind::Known;
    if known && weights.is_none() {
        return Err(unknown());
    }
    let knots = knots(pairs, pieces, weights.as_deref())?;
    let table = Table { x: knots.x, y: knots.y };
    let stage = |u| StageSpec::Table(TableSpec { x: table.x.clone(), y: table.y.clone(), u });
    let mut fit = table_fit(method, pairs, weights.as_deref(), stage(None), table.clone(), Vec::new())?;
    if let Some(std) = if known { Some(1.0) } else { fit.residual_std } {
        let u: Vec<f64> = knots.relative_errors.iter().map(|relative| relative * std).collect();
        let finite = u.iter().all(|u| u.is_finite());
        fit.stages = vec![stage(finite.then_some(u))];
    }
    Ok(fit)
}

/// The knots and the curve at them.
pub fn knots(pairs: &Pairs, pieces: usize, weights: Option<&[f64]>) -> Result<Knots, FitError> {
    let method = || format!("piecewise:{pieces}");
    let places = sorted(pairs);
    let points = distinct(pairs, &places);
    if points.len() <= pieces {
        return Err(FitError::column(
            pairs.columns()[0].name(),
            format!(
                "piecewise:{pieces} needs {} different values, and there are {}: take fewer pieces or add references at other values",
                pieces + 1,
                points.len()
            ),
        ));
    }
    let x = place_knots(&points, pieces);
    let y = Scaled::new(pairs.y(), weights);
    let mut system = System::new(pieces + 1);
    // weights near 1, so that nothing overflows
    let most = weights.map_or(1.0, |weights| weights.iter().copied().fold(0.0, f64::max));
    let mut piece = 0;
    for at in places {
        let value = pairs.x()[at];
        while piece + 1 < pieces && value > x[piece + 1] {
            piece += 1;
        }
        let root = weights.map_or(1.0, |weights| (weights[at] / most).sqrt());
        // halves, so that the difference of two doubles is one
        let t = (value / 2.0 - x[piece] / 2.0) / (x[piece + 1] / 2.0 - x[piece] / 2.0);
        system.add(piece, [root * (1.0 - t), root * t], root * y.values[at]);
    }
    let (values, variances) = system.solve().ok_or_else(|| beyond(&method()))?;
    Ok(Knots {
        x,
        y: values.iter().map(|value| value * y.scale + y.centre).collect(),
        relative_errors: variances.iter().map(|variance| (variance / most).sqrt()).collect(),
    })
}

/// The values of x at evenly spaced ranks.
fn place_knots(points: &[f64], pieces: usize) -> Vec<f64> {
    let last = points.len() - 1;
    // to the nearest rank; the ranks differ because there are at least as many values as knots
    (0..=pieces).map(|knot| points[(2 * knot * last + pieces) / (2 * pieces)]).collect()
}

/// R and Q'y of the rows so far: each row touches two neighbouring columns, and rows come in the
/// order of their columns, so R has a diagonal and one line above it.
#[derive(Debug, Clone, PartialEq)]
struct System {
    diagonal: Vec<f64>,
    above: Vec<f64>,
    right: Vec<f64>,
}

impl System {
    fn new(size: usize) -> System {
        System { diagonal: vec![0.0; size], above: vec![0.0; size], right: vec![0.0; size] }
    }

    /// Adds a row with two elements, at `column` and after it, by two rotations.
    fn add(&mut self, column: usize, [first, second]: [f64; 2], right: f64) {
        let (second, right) = self.rotate(column, first, second, right);
        self.rotate(column + 1, second, 0.0, right);
    }

    /// Turns `element` into the diagonal; what remains of the rest of the row.
    fn rotate(&mut self, row: usize, element: f64, next: f64, right: f64) -> (f64, f64) {
        let length = length(self.diagonal[row], element);
        if length == 0.0 {
            return (next, right);
        }
        let (cosine, sine) = (self.diagonal[row] / length, element / length);
        let (above, old) = (self.above[row], self.right[row]);
        self.diagonal[row] = length;
        self.above[row] = cosine * above + sine * next;
        self.right[row] = cosine * old + sine * right;
        (cosine * next - sine * above, cosine * right - sine * old)
    }

    /// The solution, and the diagonal of (R'R)^-1.
    fn solve(&self) -> Option<(Vec<f64>, Vec<f64>)> {
        let size = self.diagonal.len();
        let (mut values, mut variances) = (vec![0.0; size], vec![0.0; size]);
        let (mut value, mut variance) = (0.0, 0.0);
        for row in (0..size).rev() {
            let (diagonal, above) = (self.diagonal[row], self.above[row]);
            value = (self.right[row] - above * value) / diagonal;
            // what stands in this row is independent of what stands below
            variance = (1.0 + above * above * variance) / diagonal / diagonal;
            values[row] = value;
            variances[row] = variance;
        }
        let finite = values.iter().chain(&variances).all(|number| number.is_finite());
        finite.then_some((values, variances))
    }
}

/// sqrt(a^2 + b^2). `hypot`, which takes ten times as long, only where the squares could underflow.
fn length(a: f64, b: f64) -> f64 {
    let square = a * a + b * b;
    if square > 1e-200 { square.sqrt() } else { a.hypot(b) }
}

#[cfg(test)]
mod tests {
    use super::super::Column;
    use super::*;
    use crate::domain::fit::method::CovarianceKind::{Independent, Known};
    use crate::domain::resample::Seeded;
    use proptest::prelude::*;

    fn pairs(x: &[f64], y: &[f64]) -> Pairs {
        Pairs::new(vec![Column::new("x", x.to_vec())], Column::new("y", y.to_vec())).unwrap()
    }

    fn bent(n: usize) -> (Vec<f64>, Vec<f64>) {
        let mut draws = Seeded::new(11);
        let x: Vec<f64> = (0..n).map(|_| 10.0 * draws.uniform()).collect();
        let y = x.iter().map(|x| (0.3 * x).exp() + 0.1 * draws.normal()).collect();
        (x, y)
    }

    #[test]
    fn as_many_knots_as_points_go_through_them() {
        let pairs = pairs(&[3.0, 1.0, 2.0, 5.0], &[9.0, 1.0, 4.0, 25.0]);
        let fit = fit(&pairs, 3, Independent).unwrap();
        let table = fit.table.unwrap();
        assert_eq!(table.x, [1.0, 2.0, 3.0, 5.0]);
        for (found, expected) in table.y.iter().zip([1.0, 4.0, 9.0, 25.0]) {
            assert!((found - expected).abs() < 1e-13, "{found}");
        }
        assert!(fit.residual_std.is_none() && fit.notes.is_empty(), "{:?}", fit.notes);
    }

    #[test]
    fn one_piece_is_the_line_of_least_squares() {
        // by hand: through the mean (1, 4/3) with slope 1/2
        let fit = fit(&pairs(&[0.0, 1.0, 2.0], &[1.0, 1.0, 2.0]), 1, Independent).unwrap();
        let table = fit.table.unwrap();
        assert!((table.y[0] - 5.0 / 6.0).abs() < 1e-15 && (table.y[1] - 11.0 / 6.0).abs() < 1e-15);
        let knots = knots(&pairs(&[0.0, 1.0, 2.0], &[1.0, 1.0, 2.0]), 1, None).unwrap();
        // 1/3 + 1/2 at either end
        assert!(knots.relative_errors.iter().all(|u| (u * u - 5.0 / 6.0).abs() < 1e-15), "{knots:?}");
    }

    #[test]
    fn residuals_are_orthogonal_to_every_hat() {
        let (x, y) = bent(500);
        let pairs = pairs(&x, &y);
        let fit = fit(&pairs, 7, Independent).unwrap();
        let StageSpec::Table(spec) = &fit.stages[0] else { panic!("no table") };
        // noise of 0.1 and some 60 pairs a piece
        assert!(spec.u.as_ref().unwrap().iter().all(|u| (0.01..0.05).contains(u)), "{:?}", spec.u);
        let fitted = fit.curve(&pairs).unwrap().values(&pairs);
        let knots = fit.table.unwrap().x;
        for k in 0..knots.len() {
            let hat = |x: f64| {
                let rise = |from: f64, to: f64| (x - from) / (to - from);
                let left = if k > 0 { rise(knots[k - 1], knots[k]) } else { 1.0 };
                let right = if k + 1 < knots.len() { rise(knots[k + 1], knots[k]) } else { 1.0 };
                left.min(right).clamp(0.0, 1.0)
            };
            let sum: f64 = x.iter().zip(&y).zip(&fitted).map(|((x, y), f)| hat(*x) * (y - f)).sum();
            assert!(sum.abs() < 1e-11, "{k}: {sum:e}");
        }
    }

    #[test]
    fn knots_have_the_uncertainties_of_the_pairs_where_these_are_known() {
        let bare = pairs(&[1.0, 2.0, 3.0], &[1.0, 4.0, 9.0]);
        let known = bare.clone().with_uy(Column::new("u", vec![0.08, 0.1, 0.05])).unwrap();
        let StageSpec::Table(spec) = &fit(&known, 2, Known).unwrap().stages[0] else { panic!("no table") };
        for (found, given) in spec.u.as_ref().unwrap().iter().zip([0.08, 0.1, 0.05]) {
            assert!((found / given - 1.0).abs() < 1e-12, "{found} {given}");
        }
        // one line through three: GUM H.3, and not what three residuals happen to say
        let StageSpec::Table(spec) = &fit(&known, 1, Known).unwrap().stages[0] else { panic!("no table") };
        let w = [0.08f64, 0.1, 0.05].map(|u| 1.0 / (u * u));
        let [s, sx, sxx] = [w[0] + w[1] + w[2], w[1] + 2.0 * w[2], w[1] + 4.0 * w[2]];
        let at_first = (sxx / (s * sxx - sx * sx)).sqrt();
        assert!((spec.u.as_ref().unwrap()[0] / at_first - 1.0).abs() < 1e-12);
        assert!(fit(&bare, 2, Known).unwrap_err().to_string().contains("--uy"));
    }

    #[test]
    fn what_the_data_do_not_carry_is_refused() {
        let few = pairs(&[1.0, 1.0, 2.0, 2.0], &[1.0, 2.0, 3.0, 4.0]);
        let error = fit(&few, 2, Independent).unwrap_err().to_string();
        assert!(error.contains("3 different values, and there are 2"), "{error}");
        assert!(matches!(fit(&few, 4, Independent), Err(FitError::TooFew { needed: 5, .. })));
        assert!(fit(&few, 0, Independent).is_err() && fit(&few, MAX_POINTS, Independent).is_err());
        let error = fit(&pairs(&[1.0, 2.0, 3.0], &[4.0; 3]), 1, Independent).unwrap_err().to_string();
        assert!(error.contains("level"), "{error}");
        let turning = fit(&pairs(&[1.0, 2.0, 3.0], &[1.0, 2.0, 1.5]), 2, Independent).unwrap();
        assert_eq!(turning.notes, ["not monotone: the curve turns at x = 2"]);
    }

    proptest! {
        #[test]
        fn weights_are_replication(counts in proptest::collection::vec(1usize..4, 30)) {
            let (x, y) = bent(30);
            let repeat = |v: &[f64]| -> Vec<f64> {
                v.iter().zip(&counts).flat_map(|(v, c)| vec![*v; *c]).collect()
            };
            let weights = counts.iter().map(|c| *c as f64).collect();
            let weighted = pairs(&x, &y).with_weights(Column::new("w", weights)).unwrap();
            let a = fit(&weighted, 4, Independent).unwrap();
            let b = fit(&pairs(&repeat(&x), &repeat(&y)), 4, Independent).unwrap();
            let (p, q) = (a.table.unwrap(), b.table.unwrap());
            prop_assert_eq!(p.x, q.x);
            for (p, q) in p.y.iter().zip(&q.y) {
                prop_assert!((p - q).abs() < 1e-11, "{} {}", p, q);
            }
            prop_assert!((a.rss.unwrap() / b.rss.unwrap() - 1.0).abs() < 1e-10);
        }

        #[test]
        fn never_a_number_that_is_none(
            points in proptest::collection::vec((-4i32..4, any::<f64>(), any::<f64>()), 3..12),
            pieces in 1usize..4,
        ) {
            let finite = |value: f64| if value.is_finite() { value } else { 1.0 };
            let x: Vec<f64> = points.iter().map(|(k, x, _)| if *k < 0 { finite(*x) } else { f64::from(*k) }).collect();
            let y: Vec<f64> = points.iter().map(|(_, _, y)| finite(*y)).collect();
            if let Ok(fit) = fit(&pairs(&x, &y), pieces, Independent) {
                let table = fit.table.unwrap();
                prop_assert!(table.x.iter().chain(&table.y).all(|v| v.is_finite()));
                prop_assert!(table.x.windows(2).all(|x| x[0] < x[1]));
            }
        }
    }
}
