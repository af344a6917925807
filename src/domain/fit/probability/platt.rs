//! Fit `platt`: p = 1 / (1 + e^(a f + b)), with smoothed targets.

use super::super::error::FitError;
use super::super::fitted::Fit;
use super::super::pairs::Pairs;
use super::labels::Labels;
use super::logistic::Model;
use crate::domain::transform::platt::PlattSpec;
use crate::domain::transform::stage::StageSpec;

/// Fits the logistic curve of labels over scores, any real numbers.
///
/// Platt (1999): maximum likelihood with the targets (n+ + 1) / (n+ + 2) for the label 1 and
/// 1 / (n- + 2) for 0, which is finite even where the scores separate the classes. Solved by Newton's
/// method with a line search (Lin, Lin, Weng 2007); the covariance is the inverse of the Hessian.
/// Fails where labels are not 0 and 1, or scores all alike.
pub fn fit(pairs: &Pairs) -> Result<Fit, FitError> {
    let labels = Labels::read(pairs)?;
    let high = (labels.positive + 1.0) / (labels.positive + 2.0);
    let low = 1.0 / (labels.negative + 2.0);
    let targets: Vec<f64> =
        labels.values.iter().map(|label| if *label == 1.0 { high } else { low }).collect();
    let columns = [pairs.x().to_vec(), vec![1.0; pairs.len()]];
    let found =
        Model { columns, targets: &targets, weights: &labels.weights }.maximum().map_err(|problem| {
            let too_few = "all scores are equal: they say nothing about the labels, add pairs with others";
            problem.of(
                "platt",
                pairs.columns()[0].name(),
                too_few,
                "the curve is too steep for the scores' digits",
            )
        })?;
    let [a, b] = found.parameters.map(|it| -it);
    if a == 0.0 {
        return Err(FitError::column(pairs.columns()[0].name(), "the scores say nothing about the labels"));
    }
    // both signs turn: the covariance stays
    let covariance: Vec<Vec<f64>> = found.covariance.iter().map(|row| row.to_vec()).collect();
    Ok(Fit {
        method: "platt".to_owned(),
        names: vec!["a".to_owned(), "b".to_owned()],
        parameters: vec![a, b],
        stages: vec![StageSpec::Platt(PlattSpec { a, b, covariance: Some(covariance.clone()) })],
        covariance: Some(covariance),
        n: pairs.len(),
        ..Fit::default()
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{distance, list, pairs, sets, weighted};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn agrees_with_the_exact_solutions() {
        for set in sets() {
            let fit = fit(&pairs(&set.cal.score, &set.cal.label)).unwrap();
            let exact = &set.golden["platt"]["exact_smoothed_targets"];
            for (ours, theirs) in fit.parameters.iter().zip(["A", "B"]) {
                let off = ours / exact[theirs].as_f64().unwrap() - 1.0;
                assert!(off.abs() < 1e-13, "{} {theirs}: {off:e}", set.name);
            }
            let test = pairs(&set.test.score, &set.test.label);
            let off = distance(&fit.curve(&test).unwrap().values(&test), &list(&exact["pred_test"]));
            assert!(off < 1e-14, "{}: {off:e}", set.name);
        }
    }

    #[test]
    fn classes_that_scores_separate_have_a_finite_curve() {
        let fit = fit(&pairs(&[-2.0, -1.0, 1.0, 2.0], &[0.0, 0.0, 1.0, 1.0])).unwrap();
        assert!(fit.parameters[0] < 0.0 && fit.parameters[0] > -2.0, "{:?}", fit.parameters);
        let skewed: Vec<f64> = (0..4000).map(f64::from).collect();
        let labels: Vec<f64> = (0..4000).map(|i| f64::from(i >= 3990)).collect();
        assert!(super::fit(&pairs(&skewed, &labels)).is_ok());
    }

    #[test]
    fn scores_that_are_equal_or_overflow_are_refused() {
        let text = |x: &[f64]| fit(&pairs(x, &[0.0, 1.0, 0.0, 1.0])).unwrap_err().to_string();
        assert!(text(&[3.0; 4]).starts_with("column `score`: all scores are equal"));
        assert!(text(&[f64::MAX, -f64::MAX, -f64::MAX, -f64::MAX]).contains("scale them down"));
        // subnormal numbers are numbers
        let tiny = fit(&pairs(&[1e-300, 3e-300, 2e-300, 4e-300], &[0.0, 1.0, 0.0, 1.0])).unwrap();
        assert!(tiny.parameters[0] < 0.0);
    }

    /// Two classes that overlap.
    fn data() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
        proptest::collection::vec((-5.0..5.0f64, any::<bool>()), 6..40).prop_map(|rows| {
            let (mut x, y): (Vec<f64>, Vec<f64>) = rows.into_iter().map(|(x, y)| (x, f64::from(y))).unzip();
            let mut y = y;
            x.extend([-6.0, -1.0, 1.0, 6.0]);
            y.extend([0.0, 1.0, 0.0, 1.0]);
            (x, y)
        })
    }

    proptest! {
        #[test]
        fn a_weight_is_as_good_as_as_many_rows((x, y) in data(), seed in any::<u64>()) {
            let weights: Vec<f64> = (0..x.len()).map(|i| f64::from(1 + (seed >> (i % 60) & 3) as u32)).collect();
            let (mut rx, mut ry) = (Vec::new(), Vec::new());
            for i in 0..x.len() {
                rx.extend(std::iter::repeat_n(x[i], weights[i] as usize));
                ry.extend(std::iter::repeat_n(y[i], weights[i] as usize));
            }
            let (a, b) = (fit(&weighted(&x, &y, &weights)).unwrap(), fit(&pairs(&rx, &ry)).unwrap());
            prop_assert!(distance(&a.parameters, &b.parameters) < 1e-11);
            let (a, b) = (a.standard_errors().unwrap(), b.standard_errors().unwrap());
            prop_assert!(distance(&a, &b) < 1e-9);
        }

        #[test]
        fn the_order_of_rows_and_the_scale_of_scores_do_not_matter(
            (x, y) in data(), scale in 1e-6..1e6f64
        ) {
            let original = fit(&pairs(&x, &y)).unwrap();
            let (rx, ry): (Vec<f64>, Vec<f64>) =
                x.iter().zip(&y).rev().map(|(x, y)| (x * scale, *y)).unzip();
            let other = fit(&pairs(&rx, &ry)).unwrap();
            let error = original.standard_errors().unwrap();
            prop_assert!((other.parameters[0] * scale - original.parameters[0]).abs() < 1e-10 * error[0]);
            prop_assert!((other.parameters[1] - original.parameters[1]).abs() < 1e-10 * error[1]);
        }
    }
}
