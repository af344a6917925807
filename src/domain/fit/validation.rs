//! Cross-validation: how well a method predicts pairs that it has not seen.

use std::ops::Range;

use super::error::FitError;
use super::pairs::Pairs;

/// How the pairs are divided into those that fit and those that judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validation {
    /// The pairs stand in the order of time. They are cut into one block more than there are
    /// folds; fold i fits on the first i blocks and judges by the next one. What is measured is
    /// what a transform does: it is fitted on the past and applied to the future.
    Forward {
        /// How many times is fitted and judged.
        folds: usize,
    },
    /// Each pair judges a fit on all others. For the points of one session only: where the pairs
    /// follow each other in time, neighbours tell on each other.
    LeaveOneOut,
}

impl Default for Validation {
    fn default() -> Validation {
        Validation::Forward { folds: 5 }
    }
}

/// Most pairs of which each is left out once: every one of them costs a fit.
const MAX_LEFT_OUT: usize = 500;

impl Validation {
    /// What suits the pairs: points of a session where x never falls or never rises and no times are
    /// known, for folds that lie one after the other would judge each fit beyond the range it saw;
    /// else forward.
    pub fn suited(pairs: &Pairs) -> Validation {
        let x = pairs.x();
        let differ = x.iter().any(|value| *value != x[0]);
        let sorted = x.is_sorted() || x.is_sorted_by(|a, b| a >= b);
        match pairs.times().is_none() && pairs.len() <= MAX_LEFT_OUT && differ && sorted {
            true => Validation::LeaveOneOut,
            false => Validation::default(),
        }
    }
}

/// The squared errors of predictions of unseen pairs, fold by fold.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldOut {
    folds: Vec<Vec<f64>>,
}

impl HeldOut {
    /// Root of the mean of all squared errors, in the unit of y.
    pub fn rmse(&self) -> f64 {
        (self.all().sum::<f64>() / self.count() as f64).sqrt()
    }

    /// Pairs that judged.
    pub fn count(&self) -> usize {
        self.folds.iter().map(Vec::len).sum()
    }

    fn all(&self) -> impl Iterator<Item = f64> + '_ {
        self.folds.iter().flatten().copied()
    }

    /// By how much the mean squared error is larger than the other's, and the standard error of
    /// that difference.
    ///
    /// The differences are taken fold by fold, so that what makes a fold hard for both does not
    /// count. Both must come from the same pairs and the same division.
    pub fn worse_than(&self, other: &HeldOut) -> (f64, f64) {
        let mean = |fold: &[f64]| fold.iter().sum::<f64>() / fold.len() as f64;
        let differences: Vec<f64> =
            self.folds.iter().zip(&other.folds).map(|(a, b)| mean(a) - mean(b)).collect();
        let count = differences.len() as f64;
        let average = differences.iter().sum::<f64>() / count;
        let square = differences.iter().map(|d| (d - average) * (d - average)).sum::<f64>();
        (average, (square / (count - 1.0) / count).sqrt())
    }
}

/// Fits and judges on every division of the pairs: `fit` makes of the pairs it sees a function that
/// predicts the reference of the pair at a place of `pairs`.
///
/// Fails where a part is too small to fit, where a fit fails, and where one has no value at a pair
/// that is to judge it.
pub fn held_out<P: Fn(usize) -> f64>(
    pairs: &Pairs,
    validation: Validation,
    fit: impl Fn(&Pairs) -> Result<P, FitError>,
) -> Result<HeldOut, FitError> {
    let judge = |range: Range<usize>| {
        let seen: Vec<usize> = match validation {
            Validation::Forward { .. } => (0..range.start).collect(),
            Validation::LeaveOneOut => (0..pairs.len()).filter(|at| !range.contains(at)).collect(),
        };
        let predict = fit(&pairs.select(&seen)?)?;
        let square = |at: usize| {
            let error = predict(at) - pairs.y()[at];
            if error.is_finite() {
                return Ok(error * error);
            }
            let problem = "the fit on the other pairs has no value here";
            Err(pairs.fault(at, pairs.columns()[0].name(), problem))
        };
        range.map(square).collect::<Result<Vec<_>, _>>()
    };
    let folds = divide(pairs.len(), validation)?.into_iter().map(judge).collect::<Result<_, _>>()?;
    Ok(HeldOut { folds })
}

/// The pairs that judge, fold by fold; each fold has at least two pairs to fit on.
fn divide(count: usize, validation: Validation) -> Result<Vec<Range<usize>>, FitError> {
    let too_few = |needed| FitError::TooFew { method: "cross-validation".to_owned(), needed, found: count };
    match validation {
        Validation::LeaveOneOut if count < 3 => Err(too_few(3)),
        Validation::LeaveOneOut if count > MAX_LEFT_OUT => Err(FitError::Unsupported(format!(
            "leaving one pair out at a time is for the points of a session, at most {MAX_LEFT_OUT}, and \
             there are {count} pairs: validate forward in time"
        ))),
        Validation::LeaveOneOut => Ok((0..count).map(|at| at..at + 1).collect()),
        Validation::Forward { folds } if folds < 2 || count < 2 * (folds + 1) => {
            Err(too_few(2 * (folds.max(2) + 1)))
        }
        Validation::Forward { folds } => {
            let start = |block: usize| count * block / (folds + 1);
            Ok((1..=folds).map(|block| start(block)..start(block + 1)).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::pairs::Column;
    use super::*;

    fn pairs(y: &[f64]) -> Pairs {
        let x = (0..y.len()).map(|x| x as f64).collect();
        Pairs::new(vec![Column::new("x", x)], Column::new("y", y.to_vec())).unwrap()
    }

    /// x plus the mean difference.
    fn offset(pairs: &Pairs) -> Result<impl Fn(usize) -> f64 + use<>, FitError> {
        let difference: f64 = pairs.y().iter().zip(pairs.x()).map(|(y, x)| y - x).sum();
        let offset = difference / pairs.len() as f64;
        Ok(move |at: usize| at as f64 + offset)
    }

    #[test]
    fn forward_folds_judge_the_future_only_and_use_every_later_pair_once() {
        let folds = divide(14, Validation::Forward { folds: 5 }).unwrap();
        assert_eq!(folds, [2..4, 4..7, 7..9, 9..11, 11..14]);
        let it = held_out(&pairs(&[1.0; 14]), Validation::default(), |seen| {
            assert!(seen.x().iter().enumerate().all(|(at, x)| *x == at as f64));
            offset(seen)
        });
        assert_eq!(it.unwrap().count(), 12);
    }

    #[test]
    fn the_error_is_that_of_unseen_pairs() {
        // differences 0, 0, 0, 6: left out, each of the first three sees a mean of 2, the last one of 0
        let it = held_out(&pairs(&[0.0, 1.0, 2.0, 9.0]), Validation::LeaveOneOut, offset).unwrap();
        assert!((it.rmse() - ((3.0 * 4.0 + 36.0) / 4.0f64).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn differences_are_taken_fold_by_fold() {
        let a = HeldOut { folds: vec![vec![1.0, 3.0], vec![104.0]] };
        let b = HeldOut { folds: vec![vec![1.0, 1.0], vec![101.0]] };
        let (mean, error) = a.worse_than(&b);
        // 1 and 3
        assert!((mean - 2.0).abs() < 1e-12 && (error - 1.0).abs() < 1e-12);
    }

    #[test]
    fn sorted_readings_without_times_are_points_of_a_session() {
        let of = |x: &[f64]| {
            let x = Column::new("x", x.to_vec());
            let y = Column::new("y", x.values().to_vec());
            Pairs::new(vec![x], y).unwrap()
        };
        let suited = |x: &[f64]| Validation::suited(&of(x));
        assert_eq!(suited(&[1.0, 2.0, 2.0, 5.0]), Validation::LeaveOneOut);
        assert_eq!(suited(&[5.0, 2.0, 2.0, 1.0]), Validation::LeaveOneOut);
        assert_eq!(suited(&[1.0, 3.0, 2.0]), Validation::default());
        assert_eq!(suited(&[2.0; 20]), Validation::default(), "one level, again and again");
        let rising: Vec<f64> = (0..501).map(f64::from).collect();
        assert_eq!(suited(&rising[..500]), Validation::LeaveOneOut);
        assert_eq!(suited(&rising), Validation::default());
        let timed = of(&rising[..9]).with_times(rising[..9].to_vec()).unwrap();
        assert_eq!(Validation::suited(&timed), Validation::default());
    }

    #[test]
    fn too_few_pairs_are_told_how_many_it_takes() {
        let short = held_out(&pairs(&[1.0; 11]), Validation::default(), offset).unwrap_err();
        assert!(short.to_string().contains("at least 12 pairs, and there are 11"), "{short}");
        assert!(held_out(&pairs(&[1.0; 2]), Validation::LeaveOneOut, offset).is_err());
        let many = held_out(&pairs(&[1.0; 501]), Validation::LeaveOneOut, offset).unwrap_err();
        assert!(many.to_string().contains("forward in time"), "{many}");
    }
}
