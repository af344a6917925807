//! Labels: 1 where the event happened, 0 where it did not.

use super::super::error::FitError;
use super::super::pairs::Pairs;
use super::super::sums;

/// Checked labels of pairs; both classes are there.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Labels<'a> {
    /// 0 or 1, one a pair.
    pub values: &'a [f64],
    /// The pairs' weights, 1 where none are given.
    pub weights: Vec<f64>,
    /// Sum of the weights of the pairs with label 1.
    pub positive: f64,
    /// Sum of the weights of the pairs with label 0.
    pub negative: f64,
}

/// Fails where a reference value is neither 0 nor 1.
pub fn check(pairs: &Pairs) -> Result<(), FitError> {
    let values = pairs.y();
    match values.iter().position(|value| *value != 0.0 && *value != 1.0) {
        Some(at) => {
            let problem =
                format!("expected a label, 0 or 1, found {}: correct it or leave the row out", values[at]);
            Err(pairs.fault(at, pairs.reference().name(), problem))
        }
        None => Ok(()),
    }
}

impl Labels<'_> {
    /// Reads the reference values of the pairs as labels.
    ///
    /// Fails where one is neither 0 nor 1, and where all are alike.
    pub(super) fn read(pairs: &Pairs) -> Result<Labels<'_>, FitError> {
        let (values, name) = (pairs.y(), pairs.reference().name());
        check(pairs)?;
        let weights = pairs.given_weights().map_or_else(|| vec![1.0; values.len()], <[f64]>::to_vec);
        let others: Vec<f64> = values.iter().map(|value| 1.0 - value).collect();
        let (positive, negative) = (sums::dot(values, &weights), sums::dot(&others, &weights));
        for (sum, label, other) in [(positive, 1, 0), (negative, 0, 1)] {
            if sum == 0.0 {
                let problem =
                    format!("every label is {other}: add pairs whose label is {label}, over a longer time");
                return Err(FitError::column(name, problem));
            }
        }
        if !(positive + negative).is_finite() {
            return Err(FitError::column("weights", "their sum overflows: scale them down"));
        }
        Ok(Labels { values, weights, positive, negative })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::pairs;
    use super::*;

    #[test]
    fn faults_name_the_place_and_the_remedy() {
        let text = |y: &[f64]| Labels::read(&pairs(&[0.1, 0.2, 0.3], y)).unwrap_err().to_string();
        assert_eq!(
            text(&[0.0, 1.0, 0.5]),
            "line 3, column `label`: expected a label, 0 or 1, found 0.5: correct it or leave the row out"
        );
        assert!(text(&[1.0; 3]).starts_with("column `label`: every label is 1: add pairs whose label is 0"));
        assert!(text(&[0.0; 3]).contains("every label is 0"));
    }
}
