//! A line or a plane with prior knowledge of its parameters: three reference points already help.

use super::error::FitError;
use super::fitted::Fit;
use super::linear::posterior::posterior;
use super::linear::{affine, multilinear};
use super::method::Method;
use super::pairs::Pairs;

/// What is known of the parameters before the pairs are seen.
///
/// Given the variance s^2 of an observation of weight 1, the parameters are normal with this mean and
/// the covariance s^2 times `scale`; 1 / s^2 has a gamma distribution of this shape and rate (the
/// conjugate normal-inverse-gamma prior; Gelman et al., Bayesian Data Analysis, 14.8).
#[derive(Debug, Clone, PartialEq)]
pub struct Prior {
    /// In the order of the parameters: a, b (b1, b2, ...).
    pub mean: Vec<f64>,
    /// Positive definite, in units of the parameters over that of y, squared; `None` knows nothing.
    pub scale: Option<Vec<Vec<f64>>>,
    /// Half as many observations as the knowledge of s is worth.
    pub shape: f64,
    /// Half their sum of squares, in the unit of y squared.
    pub rate: f64,
}

impl Prior {
    /// Knows nothing of `parameters` parameters: the fit is that of least squares.
    pub fn vague(parameters: usize) -> Prior {
        Prior { mean: vec![0.0; parameters], scale: None, shape: -(parameters as f64) / 2.0, rate: 0.0 }
    }

    /// Takes an earlier fit for the prior: its parameters, their covariance and its residuals' spread.
    /// `None` if the fit lacks one of them.
    pub fn from_fit(fit: &Fit) -> Option<Prior> {
        let (covariance, std) = (fit.covariance.as_ref()?, fit.residual_std?);
        let variance = std * std;
        let shape = fit.degrees_of_freedom? / 2.0;
        let scale = covariance.iter().map(|row| row.iter().map(|c| c / variance).collect()).collect();
        Some(Prior { mean: fit.parameters.clone(), scale: Some(scale), shape, rate: shape * variance })
    }
}

/// The names of the parameters that a prior of this method has, for so many columns of sensor values.
pub fn names(method: Method, columns: usize) -> Result<Vec<String>, FitError> {
    match method {
        Method::Affine => Ok(affine::names()),
        Method::Multilinear => Ok(multilinear::names(columns, true)),
        _ => Err(FitError::Unsupported(format!("{method} takes no prior: fit affine or multilinear"))),
    }
}

/// The names of the parameters of a line (one column) or a plane (more of them), as fits with a prior have them.
pub fn parameter_names(columns: usize) -> Vec<String> {
    if columns == 1 { affine::names() } else { multilinear::names(columns, true) }
}

/// The posterior line y = a + b x, as an ordinary fit: the posterior mean, its covariance, and the
/// degrees of freedom 2 a_n of its t distribution.
pub fn affine(pairs: &Pairs, prior: &Prior) -> Result<Fit, FitError> {
    let fit = posterior("affine", affine::names(), pairs, &pairs.columns()[..1], prior)?;
    affine::with_stage(fit, pairs)
}

/// The posterior plane y = a + b1 x1 + b2 x2 + ..., likewise.
pub fn multilinear(pairs: &Pairs, prior: &Prior) -> Result<Fit, FitError> {
    let columns = pairs.columns();
    let fit = posterior("multilinear", multilinear::names(columns.len(), true), pairs, columns, prior)?;
    multilinear::with_stage(fit, pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fit::Column;
    use crate::domain::fit::method::Options;
    use proptest::prelude::*;

    fn pairs(x: &[f64], y: &[f64]) -> Pairs {
        Pairs::new(vec![Column::new("x", x.to_vec())], Column::new("y", y.to_vec())).unwrap()
    }

    fn near(found: f64, right: f64, scale: f64) -> bool {
        (found - right).abs() <= 1e-9 * scale.abs().max(right.abs())
    }

    fn same(found: &Fit, right: &Fit) {
        let errors = right.standard_errors().unwrap();
        for (at, (found, right)) in found.parameters.iter().zip(&right.parameters).enumerate() {
            assert!(near(*found, *right, errors[at]), "{found} instead of {right}");
        }
        for (found, right) in found.standard_errors().unwrap().iter().zip(&errors) {
            assert!(near(*found, *right, 0.0), "{found} instead of {right}");
        }
        assert!(near(found.residual_std.unwrap(), right.residual_std.unwrap(), 0.0));
        assert!(near(found.degrees_of_freedom.unwrap(), right.degrees_of_freedom.unwrap(), 0.0));
    }

    fn identity(size: usize, value: f64) -> Option<Vec<Vec<f64>>> {
        Some((0..size).map(|i| (0..size).map(|j| if i == j { value } else { 0.0 }).collect()).collect())
    }

    /// The formulas as the textbooks have them, in the plain variable, for a line.
    fn by_the_book(x: &[f64], y: &[f64], w: &[f64], prior: &Prior) -> ([f64; 2], [f64; 3], f64, f64) {
        let inverse = |m: [f64; 3]| {
            let det = m[0] * m[2] - m[1] * m[1];
            [m[2] / det, -m[1] / det, m[0] / det]
        };
        let times = |m: [f64; 3], v: [f64; 2]| [m[0] * v[0] + m[1] * v[1], m[1] * v[0] + m[2] * v[1]];
        let scale = prior.scale.as_ref().unwrap();
        let p0 = inverse([scale[0][0], scale[0][1], scale[1][1]]);
        let m0 = [prior.mean[0], prior.mean[1]];
        let sum = |f: &dyn Fn(usize) -> f64| (0..x.len()).map(|at| w[at] * f(at)).sum::<f64>();
        let pn = [p0[0] + sum(&|_| 1.0), p0[1] + sum(&|i| x[i]), p0[2] + sum(&|i| x[i] * x[i])];
        let h0 = times(p0, m0);
        let h = [h0[0] + sum(&|i| y[i]), h0[1] + sum(&|i| x[i] * y[i])];
        let vn = inverse(pn);
        let mn = times(vn, h);
        let dot = |a: [f64; 2], b: [f64; 2]| a[0] * b[0] + a[1] * b[1];
        let shape = prior.shape + x.len() as f64 / 2.0;
        let rate = prior.rate + 0.5 * (sum(&|i| y[i] * y[i]) + dot(m0, h0) - dot(mn, h));
        (mn, vn, shape, rate)
    }

    #[test]
    fn a_vague_prior_is_least_squares() {
        let data = pairs(&[1.0, 2.0, 4.0, 7.0, 9.0], &[2.9, 5.1, 9.3, 14.8, 19.0]);
        let fit = affine(&data, &Prior::vague(2)).unwrap();
        let right = affine::fit(&data, &Options::default()).unwrap();
        same(&fit, &right);
        let wide = Prior { scale: identity(2, 1e24), ..Prior::vague(2) };
        same(&affine(&data, &wide).unwrap(), &right);
        let plane = multilinear(&data, &Prior::vague(2)).unwrap();
        same(&plane, &right);
    }

    #[test]
    fn three_points_correct_what_was_known() {
        // a factory line of gain 2 and offset 0, good to 0.1 and 1 where readings scatter by 0.5
        let scale = Some(vec![vec![4.0, 0.0], vec![0.0, 0.04]]);
        let prior = Prior { mean: vec![0.0, 2.0], scale, shape: 5.0, rate: 1.25 };
        let data = pairs(&[10.0, 10.5, 11.0], &[22.1, 22.8, 24.2]);
        let fit = affine(&data, &prior).unwrap();
        let alone = affine::fit(&data, &Options::default()).unwrap();
        let value = |fit: &Fit, x: f64| fit.parameters[0] + fit.parameters[1] * x;
        assert!((value(&fit, 10.5) - 23.03).abs() < 0.3, "{:?}", fit.parameters);
        assert!((fit.parameters[1] - 2.0).abs() < 0.3);
        assert!(fit.standard_errors().unwrap()[1] < 0.2 && alone.standard_errors().unwrap()[1] > 0.2);
        assert_eq!(fit.degrees_of_freedom, Some(13.0));
        assert!((fit.curve(&data).unwrap().value(&data, 0) - value(&fit, 10.0)).abs() < 1e-12);
    }

    #[test]
    fn one_point_is_enough_with_a_prior_and_not_without() {
        let prior = Prior { mean: vec![0.0, 1.0], scale: identity(2, 1.0), shape: 2.0, rate: 1.0 };
        let one = pairs(&[5.0], &[5.5]);
        assert!(affine(&one, &prior).is_ok());
        assert!(affine(&one, &Prior::vague(2)).is_err());
        assert!(affine(&pairs(&[5.0, 5.0, 5.0], &[5.5, 5.0, 6.0]), &prior).is_ok());
    }

    #[test]
    fn a_fit_is_the_prior_of_the_next() {
        let (x, y) = ([1.0, 2.0, 4.0, 7.0, 9.0, 3.0, 5.0], [2.9, 5.1, 9.3, 14.8, 19.0, 6.9, 11.3]);
        let first = affine(&pairs(&x[..4], &y[..4]), &Prior::vague(2)).unwrap();
        let both = affine(&pairs(&x[4..], &y[4..]), &Prior::from_fit(&first).unwrap()).unwrap();
        same(&both, &affine(&pairs(&x, &y), &Prior::vague(2)).unwrap());
    }

    #[test]
    fn with_weights_the_scatter_is_that_of_the_average_pair() {
        let prior = Prior { mean: vec![0.0, 2.0], scale: identity(2, 1.0), shape: 20.0, rate: 20.0 };
        let plain = pairs(&[1.0, 2.0, 3.0], &[2.9, 3.1, 6.3]);
        let fit = affine(&plain, &prior).unwrap();
        assert_eq!(fit.scatter, fit.residual_std);
        // of weight 4 is what scatters half as far: the residuals' own sum says less than the prior
        let weighted = plain.with_weights(Column::new("w", vec![4.0; 3])).unwrap();
        let fit = affine(&weighted, &prior).unwrap();
        assert!(near(fit.scatter.unwrap(), fit.residual_std.unwrap() / 2.0, 0.0), "{:?}", fit.scatter);
        assert!(fit.scatter.unwrap() > 0.45);
    }

    #[test]
    fn priors_that_say_nothing_sensible_are_refused() {
        let data = pairs(&[1.0, 2.0, 4.0], &[2.9, 5.1, 9.3]);
        let good = Prior { mean: vec![0.0, 1.0], scale: identity(2, 1.0), shape: 2.0, rate: 1.0 };
        let broken = [
            (Prior { mean: vec![0.0], ..good.clone() }, "2 parameters"),
            (Prior { mean: vec![0.0, f64::NAN], ..good.clone() }, "finite"),
            (Prior { scale: identity(2, -1.0), ..good.clone() }, "positive definite"),
            (Prior { scale: identity(3, 1.0), ..good.clone() }, "2 by 2"),
            (Prior { shape: f64::NAN, ..good.clone() }, "shape"),
            (Prior { rate: -1.0, ..good }, "rate"),
        ];
        for (prior, wanted) in broken {
            let error = affine(&data, &prior).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }

    proptest! {
        #[test]
        fn the_posterior_is_that_of_the_textbooks(
            rows in proptest::collection::vec((-5.0..5.0f64, -9.0..9.0f64, 0.2..4.0f64), 1..12),
            mean in proptest::array::uniform2(-3.0..3.0f64),
            deviations in proptest::array::uniform2(0.3..3.0f64),
            r in -0.8..0.8f64,
            shape in 0.5..9.0f64,
            rate in 0.1..9.0f64,
        ) {
            let c = r * deviations[0] * deviations[1];
            let scale = vec![vec![deviations[0].powi(2), c], vec![c, deviations[1].powi(2)]];
            let prior = Prior { mean: mean.to_vec(), scale: Some(scale), shape, rate };
            let of = |f: fn(&(f64, f64, f64)) -> f64| rows.iter().map(f).collect::<Vec<f64>>();
            let (x, y, w) = (of(|r| r.0), of(|r| r.1), of(|r| r.2));
            let data = pairs(&x, &y).with_weights(Column::new("w", w.clone())).unwrap();
            let fit = affine(&data, &prior).unwrap();
            let (mn, vn, an, bn) = by_the_book(&x, &y, &w, &prior);
            let covariance = fit.covariance.as_ref().unwrap();
            for (found, right) in [
                (fit.parameters[0], mn[0]),
                (fit.parameters[1], mn[1]),
                (covariance[0][0], vn[0] * bn / an),
                (covariance[0][1], vn[1] * bn / an),
                (covariance[1][1], vn[2] * bn / an),
                (fit.residual_std.unwrap().powi(2), bn / an),
                (fit.degrees_of_freedom.unwrap(), 2.0 * an),
            ] {
                prop_assert!((found - right).abs() < 1e-9 * right.abs().max(1.0), "{found} instead of {right}");
            }
        }
    }
}
