//! The columns of a linear fit, centred and scaled.

use super::real::Real;
use super::scaling::{Scaled, different, power_of_two_above, range, scaled_weights, too_alike};
use super::twofold::Twofold;
use crate::domain::fit::{Column, FitError, sums};

/// What the parameters multiply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Basis {
    /// 1, z, z^2, ..., z^degree.
    Powers(usize),
    /// 1 if there is an intercept, then the columns.
    Columns { intercept: bool },
}

/// A linear least-squares problem.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Design<'a> {
    pub basis: Basis,
    names: Vec<&'a str>,
    pub columns: Vec<Scaled<'a>>,
    y: Scaled<'a>,
    /// Divided by `weight_scale`.
    weights: Option<Vec<f64>>,
    weight_scale: f64,
}

/// Rows of a design, column by column, the last one y.
#[derive(Debug, Clone)]
pub(super) struct Block<R> {
    pub columns: Vec<Vec<R>>,
}

impl<'a> Design<'a> {
    /// Chooses centres and scales. Fails on a column beyond bounds.
    ///
    /// Powers are centred in the middle of their range, so that |z| <= 1; columns at their mean, so
    /// that they don't correlate with the intercept. Scales are powers of two, so that they cost no
    /// digit (Forsythe, Moler 1967). Nothing is centred without an intercept.
    pub fn new(
        x: &[&'a Column],
        y: &'a Column,
        weights: Option<&[f64]>,
        basis: Basis,
    ) -> Result<Design<'a>, FitError> {
        let (weights, weight_scale) = scaled_weights(weights);
        let mean = |values: &[f64]| match &weights {
            Some(weights) => sums::dot(values, weights) / sums::sum(weights),
            None => sums::sum(values) / values.len() as f64,
        };
        let intercept = basis != Basis::Columns { intercept: false };
        let scaled = |column: &'a Column, of_parameter: bool| {
            let range = range(column)?;
            let center = match basis {
                _ if !intercept => 0.0,
                Basis::Powers(_) if of_parameter => range.0 / 2.0 + range.1 / 2.0,
                _ => mean(column.values()),
            };
            let reach = (range.1 - center).max(center - range.0);
            Ok(Scaled { values: column.values(), center, scale: power_of_two_above(reach) })
        };
        let columns = x.iter().map(|column| scaled(column, true)).collect::<Result<Vec<_>, FitError>>()?;
        let y = scaled(y, false)?;
        let names = x.iter().map(|column| column.name()).collect();
        Ok(Design { basis, names, columns, y, weights, weight_scale })
    }

    /// Fails on a column that can't be told from the intercept, or has too few different values for
    /// its powers.
    pub fn check_variation(&self) -> Result<(), FitError> {
        let wanted = match self.basis {
            Basis::Powers(degree) => degree + 1,
            Basis::Columns { intercept } => 1 + usize::from(intercept),
        };
        for (column, name) in self.columns.iter().zip(&self.names) {
            let found = different(column.values, wanted);
            if found < wanted {
                return Err(FitError::column(name, too_alike(column.values[0], found, wanted)));
            }
        }
        Ok(())
    }

    /// How many parameters there are.
    pub fn width(&self) -> usize {
        match self.basis {
            Basis::Powers(degree) => degree + 1,
            Basis::Columns { intercept } => usize::from(intercept) + self.columns.len(),
        }
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.y.values.len()
    }

    /// The column that parameter `at` multiplies.
    pub fn name(&self, at: usize) -> &'a str {
        let place = match self.basis {
            Basis::Powers(_) => 0,
            Basis::Columns { intercept } => at.saturating_sub(usize::from(intercept)),
        };
        self.names.get(place).copied().unwrap_or("1")
    }

    /// The weights as they are used: those given over [`Design::weight_scale`].
    pub fn weights(&self) -> Option<&[f64]> {
        self.weights.as_deref()
    }

    /// A power of two.
    pub fn weight_scale(&self) -> f64 {
        self.weight_scale
    }

    /// The rows from `from` on, at most `count`, times the roots of the weights if `weighted`.
    pub fn fill<R: Real>(&self, from: usize, count: usize, weighted: bool, block: &mut Block<R>) {
        let rows = from..(from + count).min(self.len());
        block.columns.resize_with(self.width() + 1, Vec::new);
        let Some((last, parameters)) = block.columns.split_last_mut() else { return };
        replace(last, self.y.of(rows.clone()));
        match self.basis {
            Basis::Powers(_) => self.powers(rows.clone(), parameters),
            Basis::Columns { intercept } => {
                let (ones, others) = parameters.split_at_mut(usize::from(intercept));
                ones.iter_mut().for_each(|ones| replace(ones, rows.clone().map(|_| R::from(1.0))));
                for (target, column) in others.iter_mut().zip(&self.columns) {
                    replace(target, column.of(rows.clone()));
                }
            }
        }
        if let (true, Some(weights)) = (weighted, &self.weights) {
            let roots: Vec<R> = weights[rows].iter().map(|weight| R::from(*weight).sqrt()).collect();
            for column in &mut block.columns {
                column.iter_mut().zip(&roots).for_each(|(value, root)| *value = *value * *root);
            }
        }
    }

    fn powers<R: Real>(&self, rows: std::ops::Range<usize>, parameters: &mut [Vec<R>]) {
        for power in 0..parameters.len() {
            let (lower, this) = parameters.split_at_mut(power);
            match lower {
                [] => replace(&mut this[0], rows.clone().map(|_| R::from(1.0))),
                [_] => replace(&mut this[0], self.columns[0].of(rows.clone())),
                [_, z, .., below] => replace(&mut this[0], z.iter().zip(&*below).map(|(z, b)| *z * *b)),
                [_, z] => replace(&mut this[0], z.iter().map(|z| *z * *z)),
            }
        }
    }

    /// From the parameters of the scaled problem to those in the unit of y, still in z.
    pub fn unscale(&self, solved: &[Twofold]) -> Vec<Twofold> {
        let mut inner: Vec<Twofold> =
            solved.iter().map(|value| *value * Twofold::from(self.y.scale)).collect();
        if let (Some(first), true) = (inner.first_mut(), self.y.center != 0.0) {
            *first = *first + Twofold::from(self.y.center);
        }
        inner
    }

    /// The unit of y over that of the scaled problem's y.
    pub fn y_scale(&self) -> f64 {
        self.y.scale
    }

    /// T, where raw parameters = T times those in z.
    pub fn to_raw(&self) -> Vec<Vec<Twofold>> {
        match self.basis {
            Basis::Powers(_) => self.powers_to_raw(),
            Basis::Columns { intercept } => self.columns_to_raw(intercept),
        }
    }

    fn powers_to_raw(&self) -> Vec<Vec<Twofold>> {
        let mut powers = vec![vec![Twofold::from(1.0)]];
        for below in 0..self.width() - 1 {
            powers.push(times_z(&powers[below], &self.columns[0]));
        }
        let coefficient = |power: &Vec<Twofold>, row: usize| power.get(row).copied().unwrap_or_default();
        (0..self.width()).map(|row| powers.iter().map(|power| coefficient(power, row)).collect()).collect()
    }

    fn columns_to_raw(&self, intercept: bool) -> Vec<Vec<Twofold>> {
        let first = usize::from(intercept);
        let mut matrix = vec![vec![Twofold::default(); self.width()]; self.width()];
        if intercept {
            matrix[0][0] = Twofold::from(1.0);
        }
        for (at, column) in self.columns.iter().enumerate() {
            let inverse = Twofold::from(1.0 / column.scale);
            matrix[first + at][first + at] = inverse;
            if intercept {
                matrix[0][1 + at] = -(inverse * Twofold::from(column.center));
            }
        }
        matrix
    }
}

/// p(x) z, as coefficients of x.
fn times_z(power: &[Twofold], column: &Scaled<'_>) -> Vec<Twofold> {
    let zero = Twofold::default();
    let (center, inverse) = (Twofold::from(column.center), Twofold::from(1.0 / column.scale));
    let lower = power.iter().copied().chain([zero]);
    let shifted = std::iter::once(zero).chain(power.iter().copied());
    shifted.zip(lower).map(|(up, same)| (up - same * center) * inverse).collect()
}

fn replace<R>(target: &mut Vec<R>, values: impl Iterator<Item = R>) {
    target.clear();
    target.extend(values);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_taken_of_what_is_centred() {
        let x = Column::new("x", vec![10.0, 11.0, 14.0]);
        let y = Column::new("y", vec![0.0, 4.0, 8.0]);
        let design = Design::new(&[&x], &y, Some(&[4.0, 4.0, 1.0]), Basis::Powers(3)).unwrap();
        assert_eq!((design.columns[0].center, design.columns[0].scale), (12.0, 4.0));
        let mut block = Block { columns: Vec::new() };
        design.fill::<f64>(0, 2, false, &mut block);
        assert_eq!(block.columns[1], [-0.5, -0.25]);
        assert_eq!(block.columns[3], [-0.125, -0.015625]);
        // weights 1/2 and 1/8 after scaling by 8
        design.fill::<f64>(2, 2, true, &mut block);
        assert!((block.columns[0][0] - 0.125f64.sqrt()).abs() < 1e-16);
        // z^2 = x^2 / 16 - 3/2 x + 9
        let column: Vec<f64> = design.to_raw().iter().map(|row| row[2].value()).collect();
        assert_eq!(column, [9.0, -1.5, 0.0625, 0.0]);
    }

    #[test]
    fn columns_without_information_are_named() {
        let y = Column::new("y", vec![0.0, 4.0, 8.0]);
        for (values, wanted) in [
            ([3.0; 3], "all values are equal (3)"),
            ([0.1 + 0.2, 0.3, 0.3], "equal"),
            ([1e151, 0.0, 1.0], "larger unit"),
        ] {
            let x = Column::new("temp", values.to_vec());
            let design = Design::new(&[&x], &y, None, Basis::Powers(1));
            let error = design.and_then(|design| design.check_variation()).unwrap_err().to_string();
            assert!(error.contains("`temp`") && error.contains(wanted), "{error}");
        }
    }
}
