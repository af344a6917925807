//! Linear least squares, right to the last digits of a double.
//!
//! Columns are centred and scaled by powers of two, then factored by Householder reflections, never
//! through normal equations. Small problems, and those whose parameters would lose more than four
//! digits, are factored in twice the precision outright: nothing is left to refine. Large, harmless
//! ones are factored in doubles and corrected once by their residuals (Björck 1967, in the
//! seminormal form of Björck 1987), which are summed in twice the precision unless the columns are
//! nearly orthogonal. Parameters go to the raw variable in twice the precision.

use super::design::{Basis, Block, Design};
use super::qr::Triangle;
use super::real::Real;
use super::twofold::Twofold;
use crate::domain::fit::FitError;

/// Up to so many pairs times squared parameters a problem counts as small: 0.2 ms.
const SMALL: usize = 5_000;
/// Above this inflation doubles would leave fewer than 11 digits.
const ILL_CONDITIONED: f64 = 1e4;
/// Above this one, residuals in doubles would cost a digit or two.
const NEARLY_ORTHOGONAL: f64 = 30.0;
/// Columns that agree to so many digits are the same column with rounding.
const COLLINEAR: f64 = 1e-13;
/// Rows that are factored at a time.
const ROWS: usize = 128;

/// The solution of a [`Design`].
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Solution {
    /// In z.
    pub inner: Vec<Twofold>,
    /// F in z: (Z'WZ)^-1 = F F', the weights those of [`Design::weights`].
    pub root: Vec<Vec<Twofold>>,
    /// y - fitted, unweighted, in the unit of y.
    pub residuals: Vec<f64>,
    /// T: raw parameters = T times those in z.
    pub to_raw: Vec<Vec<Twofold>>,
}

impl Solution {
    /// The parameters in the raw variable.
    pub fn raw(&self) -> Vec<f64> {
        self.to_raw.iter().map(|row| Twofold::dot(row, &self.inner).value()).collect()
    }
}

/// Solves it. `method` is named where pairs are too few.
pub(super) fn solve(design: &Design<'_>, method: &str) -> Result<Solution, FitError> {
    let (n, width) = (design.len(), design.width());
    if n < width {
        return Err(FitError::TooFew { method: method.to_owned(), needed: width, found: n });
    }
    design.check_variation()?;
    if n * width * width > SMALL {
        let triangle = factor::<f64>(design).widen();
        let root = triangle.root();
        let inflation = triangle.inflation(&root);
        if inflation <= NEARLY_ORTHOGONAL {
            return Ok(finish::<f64>(design, &triangle, root));
        }
        if inflation <= ILL_CONDITIONED {
            return Ok(finish::<Twofold>(design, &triangle, root));
        }
    }
    let triangle = factor::<Twofold>(design);
    if let Some(at) = collinear_column(&triangle) {
        return Err(collinear(design, at));
    }
    let root = triangle.root();
    Ok(finish::<Twofold>(design, &triangle, root))
}

/// The first column that follows from those before it.
pub(super) fn collinear_column(triangle: &Triangle<Twofold>) -> Option<usize> {
    (0..triangle.parameters()).find(|at| triangle.independence(*at) <= COLLINEAR)
}

/// The triangle of all rows.
pub(super) fn factor<R: Real>(design: &Design<'_>) -> Triangle<R> {
    let mut triangle = Triangle::new(design.width());
    let mut block = Block { columns: Vec::new() };
    for from in (0..design.len()).step_by(ROWS) {
        design.fill(from, ROWS, true, &mut block);
        triangle.absorb(&mut block);
    }
    triangle
}

/// Solves the triangle, and corrects the solution by its residuals, summed in `R`.
fn finish<R: Real>(design: &Design<'_>, triangle: &Triangle<Twofold>, root: Vec<Vec<Twofold>>) -> Solution {
    let projection = triangle.projection();
    let first: Vec<R> = root.iter().map(|row| R::narrow(Twofold::dot(row, &projection))).collect();
    let (residuals, gradient) = residuals(design, &first);
    let correction = normal_inverse(&root, &gradient);
    let solved: Vec<Twofold> = first.iter().zip(correction).map(|(b, more)| b.widen() + more).collect();
    Solution { inner: design.unscale(&solved), root, residuals, to_raw: design.to_raw() }
}

/// y - fitted, unweighted, in the unit of y.
pub(super) fn residuals_of(design: &Design<'_>, solved: &[Twofold]) -> Vec<f64> {
    residuals(design, solved).0
}

/// r = y - Z b in the unit of y, and Z'W r in that of the scaled problem.
fn residuals<R: Real>(design: &Design<'_>, parameters: &[R]) -> (Vec<f64>, Vec<Twofold>) {
    let mut all = Vec::with_capacity(design.len());
    let mut gradient = vec![Twofold::default(); parameters.len()];
    let mut block = Block { columns: Vec::new() };
    for from in (0..design.len()).step_by(ROWS) {
        design.fill::<R>(from, ROWS, false, &mut block);
        let Some((rest, columns)) = block.columns.split_last_mut() else { break };
        for (column, parameter) in columns.iter().zip(parameters) {
            R::add_multiple(rest, -*parameter, column);
        }
        all.extend(rest.iter().map(|r| r.value() * design.y_scale()));
        if let Some(weights) = design.weights() {
            rest.iter_mut().zip(&weights[from..]).for_each(|(r, w)| *r = *r * R::from(*w));
        }
        for (sum, column) in gradient.iter_mut().zip(columns) {
            *sum = *sum + R::dot(column, rest).widen();
        }
    }
    (all, gradient)
}

/// F F' g.
fn normal_inverse(root: &[Vec<Twofold>], gradient: &[Twofold]) -> Vec<Twofold> {
    let half: Vec<Twofold> = (0..root.len())
        .map(|at| root.iter().zip(gradient).fold(Twofold::default(), |sum, (row, g)| sum + row[at] * *g))
        .collect();
    root.iter().map(|row| Twofold::dot(row, &half)).collect()
}

fn collinear(design: &Design<'_>, at: usize) -> FitError {
    let name = design.name(at);
    FitError::column(
        name,
        match design.basis {
            Basis::Powers(_) => {
                "its values lie so close together that a power follows from the others: take a lower degree, or add readings at other levels"
            }
            Basis::Columns { .. } => {
                "its values follow from those of the columns before it (they are collinear): leave one of them out"
            }
        },
    )
}
