//! Fit `temperature`: softmax(z / T), z logits.

use super::super::error::FitError;
use super::super::fitted::Fit;
use super::super::pairs::{Column, Pairs};
use super::labels::Labels;
use crate::domain::transform::stage::StageSpec;
use crate::domain::transform::temperature::TemperatureSpec;

/// Fits T of p = 1 / (1 + e^(-z / T)), z the logit of the label 1.
///
/// Guo, Pleiss, Sun, Weinberger (2017): the least negative log likelihood, which is convex in 1 / T
/// and solved there by Newton's method; the variance is that of 1 / T, from the second derivative,
/// times T^4. Fails where labels are not 0 and 1, where every logit has the sign of its label (no
/// finite T is best), and where logits point the wrong way.
pub fn fit(pairs: &Pairs) -> Result<Fit, FitError> {
    let labels = Labels::read(pairs)?;
    let classes: Vec<usize> = labels.values.iter().map(|label| *label as usize).collect();
    let row = |at: usize, logits: &mut Vec<f64>| logits.extend([0.0, pairs.x()[at]]);
    let solution = Problem { classes: &classes, weights: &labels.weights, row }.solve(pairs)?;
    let mut fit = finish(pairs, solution, Vec::new())?;
    if pairs.x().iter().all(|z| (0.0..=1.0).contains(z)) {
        let note =
            "every value of x lies from 0 to 1: temperature takes logits, ln(p / (1 - p)), not probabilities";
        fit.notes.push(note.to_owned());
    }
    Ok(fit)
}

/// Fits T for k classes: the columns of `pairs` are the logits of the classes 0, 1, ..., and the
/// reference values are the classes. The fitted stage gives the probability of class 0, whose logit
/// is its input; the other logits are covariates named like their columns.
///
/// Fails as [`fit`] does, where a label is not the number of a column, and where all labels are equal.
pub fn multiclass(pairs: &Pairs) -> Result<Fit, FitError> {
    let count = pairs.columns().len();
    if count < 2 {
        return fit(pairs);
    }
    let classes = classes(pairs, count)?;
    let weights = pairs.given_weights().map_or_else(|| vec![1.0; pairs.len()], <[f64]>::to_vec);
    let row = |at: usize, logits: &mut Vec<f64>| logits.extend(pairs.row(at));
    let solution = Problem { classes: &classes, weights: &weights, row }.solve(pairs)?;
    finish(
        pairs,
        solution,
        pairs.columns()[1..].iter().map(|column| Column::name(column).to_owned()).collect(),
    )
}

fn classes(pairs: &Pairs, count: usize) -> Result<Vec<usize>, FitError> {
    let name = pairs.reference().name();
    let read = |(at, label): (usize, &f64)| match *label {
        label if label >= 0.0 && label < count as f64 && label.fract() == 0.0 => Ok(label as usize),
        label => {
            let problem = format!(
                "expected a class from 0 to {}, found {label}: correct it or leave the row out",
                count - 1
            );
            Err(pairs.fault(at, name, problem))
        }
    };
    let classes = pairs.y().iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
    if classes.iter().all(|class| *class == classes[0]) {
        let problem = format!("every label is {}: add pairs of other classes", classes[0]);
        return Err(FitError::column(name, problem));
    }
    Ok(classes)
}

/// 1 / T and the second derivative of the loss there.
struct Solution {
    sharpness: f64,
    curvature: f64,
}

fn finish(pairs: &Pairs, solution: Solution, logits: Vec<String>) -> Result<Fit, FitError> {
    let temperature = 1.0 / solution.sharpness;
    let variance = temperature.powi(4) / solution.curvature;
    if !(temperature.is_finite() && temperature > 0.0 && variance.is_finite()) {
        let problem = "the logits are too large or too small to scale: give natural logarithms of odds";
        return Err(FitError::column(pairs.columns()[0].name(), problem));
    }
    let stage = TemperatureSpec { temperature, logits, variance: Some(variance) };
    Ok(Fit {
        method: "temperature".to_owned(),
        names: vec!["T".to_owned()],
        parameters: vec![temperature],
        covariance: Some(vec![vec![variance]]),
        stages: vec![StageSpec::Temperature(stage)],
        n: pairs.len(),
        ..Fit::default()
    })
}

/// The loss: sum of w (ln sum of e^(beta z_j) - beta z_class) over the rows.
struct Problem<'a, R> {
    classes: &'a [usize],
    weights: &'a [f64],
    /// Appends the logits of a row.
    row: R,
}

const MAX_ITERATIONS: usize = 200;

impl<R: Fn(usize, &mut Vec<f64>)> Problem<'_, R> {
    fn solve(&self, pairs: &Pairs) -> Result<Solution, FitError> {
        let column = pairs.columns()[0].name();
        let logits = self.differences();
        let width = logits.len() / self.classes.len();
        // beyond every finite beta each row's loss is w times its largest difference
        let rows = || logits.chunks_exact(width).zip(self.weights);
        if rows().all(|(row, _)| row.iter().all(|z| *z <= 0.0)) {
            let problem = "every logit is on the side of its label, so that no finite temperature is the best: add pairs \
                           until some are wrong, or fit platt";
            return Err(FitError::column(column, problem));
        }
        let (slope, curvature) = look(&logits, width, self.weights, 0.0);
        if slope.is_nan() || slope >= 0.0 {
            let problem = "the logits point away from the labels: exchange the labels or the sign";
            return Err(FitError::column(column, problem));
        }
        let unconverged = || FitError::NotConverged {
            method: "temperature".to_owned(),
            iterations: MAX_ITERATIONS,
            remedy: "look for logits that are far from all others".to_owned(),
        };
        self.newton(&logits, width, -slope / curvature).ok_or_else(unconverged)
    }

    /// z_j - z_class of every row, one row after the other.
    fn differences(&self) -> Vec<f64> {
        let mut logits = Vec::new();
        for (at, class) in self.classes.iter().enumerate() {
            let start = logits.len();
            (self.row)(at, &mut logits);
            let own = logits[start + class];
            logits[start..].iter_mut().for_each(|z| *z -= own);
        }
        logits
    }

    /// Newton's method on the slope, kept between bounds on either side of its zero.
    fn newton(&self, logits: &[f64], width: usize, start: f64) -> Option<Solution> {
        let (mut low, mut high) = (0.0, f64::INFINITY);
        let mut at = start;
        for _ in 0..MAX_ITERATIONS {
            let (slope, curvature) = look(logits, width, self.weights, at);
            if slope < 0.0 {
                low = at;
            } else {
                high = at;
            }
            let step = -slope / curvature;
            let mut next = at + step;
            // written so that NaN is outside
            if !(next > low && next < high) {
                next = if high.is_finite() { low + (high - low) / 2.0 } else { 2.0 * at };
            } else if next > 4.0 * at && high.is_infinite() {
                next = 4.0 * at;
            }
            if (next - at).abs() <= 2e-16 * at || step.abs() <= 1e-8 * at {
                let next = if (at + step).is_finite() { at + step } else { at };
                let (_, curvature) = look(logits, width, self.weights, next);
                return Some(Solution { sharpness: next, curvature });
            }
            at = next;
        }
        None
    }
}

/// First and second derivative of the loss by beta.
fn look(logits: &[f64], width: usize, weights: &[f64], beta: f64) -> (f64, f64) {
    if width == 2 {
        return look_at_two(logits, weights, beta);
    }
    let (mut slope, mut curvature) = (0.0, 0.0);
    for (row, weight) in logits.chunks_exact(width).zip(weights) {
        let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (mut sum, mut first, mut second) = (0.0, 0.0, 0.0);
        for z in row {
            let below = z - top;
            let e = if below == 0.0 { 1.0 } else { (beta * below).exp() };
            sum += e;
            first += e * below;
            second += e * below * below;
        }
        let mean = first / sum;
        slope += weight * (top + mean);
        curvature += weight * (second / sum - mean * mean).max(0.0);
    }
    (slope, curvature)
}

/// [`look`] for two classes, where one term of each sum is 1 or 0.
///
/// Of each row one logit is 0 and the other z; with e = e^(-beta |z|) the sums above are 1 + e, -e |z|
/// and e z^2.
fn look_at_two(logits: &[f64], weights: &[f64], beta: f64) -> (f64, f64) {
    let (mut slope, mut curvature) = (0.0, 0.0);
    for (row, weight) in logits.as_chunks::<2>().0.iter().zip(weights) {
        let z = row[0] + row[1];
        let size = z.abs();
        let e = (-beta * size).exp();
        let share = 1.0 / (1.0 + e);
        slope += weight * (z.max(0.0) - e * size * share);
        curvature += weight * (e * size * share * (size * share));
    }
    (slope, curvature)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{distance, list, pairs, sets};
    use super::*;
    use crate::domain::resample::Seeded;

    #[test]
    fn agrees_with_the_exact_solutions() {
        // with 30 digits, by mpmath: the golden solution of the second set stops at 8e-11
        let solved = [3.837_352_626_384_897_4, 19.253_476_986_429_196];
        for (set, solved) in sets().iter().zip(solved) {
            let fit = fit(&pairs(&set.cal.score, &set.cal.label)).unwrap();
            let exact = &set.golden["temperature_binary"];
            let off = fit.parameters[0] / exact["T_exact_newton"].as_f64().unwrap() - 1.0;
            assert!(off.abs() < 1e-10, "{}: {off:e}", set.name);
            let off = fit.parameters[0] / solved - 1.0;
            assert!(off.abs() < 1e-14, "{}: {off:e}", set.name);
            let test = pairs(&set.test.score, &set.test.label);
            let off = distance(&fit.curve(&test).unwrap().values(&test), &list(&exact["pred_test"]));
            assert!(off < 1e-9, "{}: {off:e}", set.name);
        }
    }

    fn classes(temperature: f64, count: usize) -> Pairs {
        let mut draws = Seeded::new(5);
        let (mut columns, mut labels) = (vec![Vec::new(); 3], Vec::new());
        for _ in 0..count {
            let z: Vec<f64> = (0..3).map(|_| 2.0 * draws.normal()).collect();
            let e: Vec<f64> = z.iter().map(|z| (z / temperature).exp()).collect();
            let drawn = draws.uniform() * e.iter().sum::<f64>();
            labels.push(if drawn < e[0] {
                0.0
            } else if drawn < e[0] + e[1] {
                1.0
            } else {
                2.0
            });
            columns.iter_mut().zip(z).for_each(|(column, z)| column.push(z));
        }
        let columns = columns.into_iter().enumerate();
        let columns = columns.map(|(k, values)| Column::new(format!("z{k}"), values)).collect();
        Pairs::new(columns, Column::new("class", labels)).unwrap()
    }

    #[test]
    fn finds_the_temperature_that_drew_three_classes() {
        let pairs = classes(2.5, 4000);
        let fit = multiclass(&pairs).unwrap();
        let error = fit.standard_errors().unwrap()[0];
        assert!((fit.parameters[0] - 2.5).abs() < 2.5 * error && error < 0.1, "{:?} {error}", fit.parameters);
        let shares: f64 = fit.curve(&pairs).unwrap().values(&pairs).iter().sum::<f64>() / 4000.0;
        let observed = pairs.y().iter().filter(|y| **y == 0.0).count() as f64 / 4000.0;
        assert!((shares - observed).abs() < 0.02);
    }

    #[test]
    fn two_classes_are_the_same_by_either_way() {
        let set = &sets()[0];
        let one = fit(&pairs(&set.cal.score, &set.cal.label)).unwrap();
        let half = |sign: f64| set.cal.score.iter().map(|z| sign * z / 2.0).collect::<Vec<_>>();
        let columns = vec![Column::new("no", half(-1.0)), Column::new("yes", half(1.0))];
        let both = Pairs::new(columns, Column::new("label", set.cal.label.clone())).unwrap();
        let two = multiclass(&both).unwrap();
        assert!((one.parameters[0] / two.parameters[0] - 1.0).abs() < 1e-13);
        let covariances = (one.covariance.as_ref().unwrap()[0][0], two.covariance.as_ref().unwrap()[0][0]);
        assert!((covariances.0 / covariances.1 - 1.0).abs() < 1e-12);
        let p = one
            .curve(&pairs(&set.cal.score, &set.cal.label))
            .unwrap()
            .values(&pairs(&set.cal.score, &set.cal.label));
        let q = two.curve(&both).unwrap().values(&both);
        assert!(p.iter().zip(&q).all(|(p, q)| (p + q - 1.0).abs() < 1e-14));
    }

    #[test]
    fn what_has_no_temperature_is_refused() {
        let text = |x: &[f64], y: &[f64]| fit(&pairs(x, y)).unwrap_err().to_string();
        assert!(text(&[-1.0, 2.0, -3.0], &[0.0, 1.0, 0.0]).contains("no finite temperature"));
        assert!(text(&[1.0, -2.0, 3.0], &[0.0, 1.0, 0.0]).contains("point away"));
        assert!(text(&[0.0, 0.0, 0.0], &[0.0, 1.0, 0.0]).contains("no finite temperature"));
        assert!(text(&[f64::MAX, -f64::MAX, f64::MAX], &[1.0, 0.0, 0.0]).len() > 20);
        let pairs = classes(1.0, 10);
        let bad = Pairs::new(pairs.columns().to_vec(), Column::new("class", vec![3.0; 10])).unwrap();
        assert!(
            multiclass(&bad)
                .unwrap_err()
                .to_string()
                .starts_with("line 1, column `class`: expected a class from 0 to 2")
        );
        let bad = Pairs::new(pairs.columns().to_vec(), Column::new("class", vec![1.0; 10])).unwrap();
        assert!(multiclass(&bad).unwrap_err().to_string().contains("every label is 1"));
    }
}
