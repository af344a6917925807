//! Data with which every method can compute, and results that are numbers.

use super::error::FitError;
use super::fitted::Fit;
use super::line::beyond;
use super::method::Method;
use super::pairs::{Column, Pairs};

/// The largest value, and the reciprocal of the smallest range: squares and their ratios stay doubles.
const LARGEST: f64 = 1e150;
/// The same for weights and uncertainties, whose products with squares stay doubles.
const HEAVIEST: f64 = 1e100;

/// Refuses data that no method can take, and columns that tell this method nothing.
pub(super) fn check(method: Method, pairs: &Pairs) -> Result<(), FitError> {
    refuse_extremes(pairs)?;
    level(method, pairs)
}

/// Refuses data that no method can take.
pub(super) fn refuse_extremes(pairs: &Pairs) -> Result<(), FitError> {
    for column in pairs.columns().iter().chain([pairs.reference()]) {
        extremes(pairs, column)?;
    }
    for column in pairs.known() {
        let fits = |value: f64| (HEAVIEST.recip()..=HEAVIEST).contains(&value);
        if let Some(at) = column.values().iter().position(|value| !fits(*value)) {
            let problem = format!(
                "{:e} is beyond 1e-100 to 1e100 and leaves no room to calculate: mend it, or take another unit",
                column.values()[at]
            );
            return Err(pairs.fault(at, column.name(), problem));
        }
    }
    Ok(())
}

fn extremes(pairs: &Pairs, column: &Column) -> Result<(), FitError> {
    let values = column.values();
    if let Some(at) = values.iter().position(|value| value.abs() > LARGEST) {
        let problem = format!(
            "{:e} is beyond 1e150 and leaves no room to calculate: mend it, or take a larger unit",
            values[at]
        );
        return Err(pairs.fault(at, column.name(), problem));
    }
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if low < high && high - low < LARGEST.recip() {
        let problem = format!(
            "its values differ by {:e} at most, which leaves no room to calculate: take a smaller unit",
            high - low
        );
        return Err(FitError::column(column.name(), problem));
    }
    Ok(())
}

/// The methods whose table would have one value for every reading; the others see it themselves.
fn level(method: Method, pairs: &Pairs) -> Result<(), FitError> {
    if !matches!(method, Method::Isotonic | Method::Histogram(_) | Method::VennAbers) {
        return Ok(());
    }
    let equal = |values: &[f64]| values.iter().all(|value| *value == values[0]);
    if let Some(column) = pairs.columns().iter().find(|column| equal(column.values())) {
        let problem = format!(
            "all values are {}, so that they tell nothing: add readings at other values",
            pairs.x()[0]
        );
        return Err(FitError::column(column.name(), problem));
    }
    let is_label = |value: f64| value == 0.0 || value == 1.0;
    if equal(pairs.y()) && !is_label(pairs.y()[0]) {
        let problem = format!(
            "all values are {}, so that the sensor says nothing about them: add references at other values",
            pairs.y()[0]
        );
        return Err(FitError::column(pairs.reference().name(), problem));
    }
    Ok(())
}

/// The fit, if all its numbers are and its stages run; says where nothing is left for an uncertainty.
pub(super) fn sound(mut fit: Fit, pairs: &Pairs) -> Result<Fit, FitError> {
    if !is_sound(&fit) || fit.curve(pairs).is_err() {
        return Err(beyond(&fit.method));
    }
    let note = "as many parameters as pairs: nothing is left to tell an uncertainty from, add pairs";
    // Where the uncertainties of the pairs are known the covariance comes from those.
    let untold = fit.rss.is_some() && fit.degrees_of_freedom.is_none() && fit.covariance.is_none();
    if untold && !fit.notes.iter().any(|text| text == note) {
        fit.notes.push(note.to_owned());
    }
    Ok(fit)
}

fn is_sound(fit: &Fit) -> bool {
    let statistics = [
        fit.residual_std,
        fit.degrees_of_freedom,
        fit.r_squared,
        fit.rss,
        fit.aicc,
        fit.n_effective,
        fit.lag1_autocorrelation,
    ];
    let matrix = fit.covariance.iter().flatten().flatten();
    let table = fit.table.iter().flat_map(|table| table.x.iter().chain(&table.y));
    let mut numbers = fit.parameters.iter().chain(matrix).chain(table).chain(statistics.iter().flatten());
    let mut variances = fit.covariance.iter().flatten().enumerate().filter_map(|(at, row)| row.get(at));
    numbers.all(|number| number.is_finite()) && variances.all(|variance| *variance >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(x: &[f64], y: &[f64]) -> Pairs {
        Pairs::new(vec![Column::new("x", x.to_vec())], Column::new("y", y.to_vec())).unwrap()
    }

    #[test]
    fn what_leaves_no_room_is_refused_at_its_place() {
        let text = |x: &[f64], y: &[f64]| check(Method::Affine, &pairs(x, y)).unwrap_err().to_string();
        assert!(text(&[1.0, 2.0, -1e151], &[1.0; 3]).starts_with("line 3, column `x`: -1e151 is beyond"));
        assert!(text(&[1.0, 2.0], &[1.0, 1e300]).starts_with("line 2, column `y`: 1e300"));
        assert!(text(&[1e-200, 2e-200], &[1.0, 2.0]).starts_with("column `x`: its values differ by 1e-200"));
        let weights = Column::new("w", vec![1.0, 1e-101]);
        let light = pairs(&[1.0, 2.0], &[1.0, 2.0]).with_weights(weights).unwrap();
        assert!(check(Method::Affine, &light).unwrap_err().to_string().starts_with("line 2, column `w`"));
        assert!(check(Method::Affine, &pairs(&[1e-200; 2], &[1e150, -1e150])).is_ok());
    }

    #[test]
    fn tables_of_one_value_are_refused() {
        let of =
            |method, x: &[f64], y: &[f64]| check(method, &pairs(x, y)).map_err(|fault| fault.to_string());
        for method in [Method::Isotonic, Method::Histogram(5), Method::VennAbers] {
            assert!(of(method, &[0.3; 3], &[0.0, 1.0, 1.0]).unwrap_err().contains("all values are 0.3"));
        }
        assert!(of(Method::Isotonic, &[1.0, 2.0], &[2.0, 2.0]).unwrap_err().starts_with("column `y`"));
        assert!(of(Method::Isotonic, &[1.0, 2.0], &[1.0, 2.0]).is_ok());
        assert!(of(Method::Offset, &[1.0, 1.0], &[1.0, 2.0]).is_ok());
    }

    #[test]
    fn no_number_that_is_none_comes_out() {
        let fit = Fit { parameters: vec![1.0], covariance: Some(vec![vec![0.0]]), ..Fit::default() };
        assert!(is_sound(&fit));
        for broken in [
            Fit { parameters: vec![f64::NAN], ..fit.clone() },
            Fit { covariance: Some(vec![vec![-1.0]]), ..fit.clone() },
            Fit { rss: Some(f64::INFINITY), ..fit },
        ] {
            assert!(!is_sound(&broken));
        }
    }
}
