//! When the prior of a sensor model is used: where the sensor's own pairs are few, and are like those of its model.
//!
//! The limits are from simulations: `cargo bench --bench priors`, and docs/reference/methods.md, "When a prior is used".

use super::bayes::Prior;
use super::fitted::Fit;
use crate::domain::uncertainty::distribution::f_distribution;

/// Up to so many pairs for each parameter are few: beyond, a prior of as few sensors as there may be can do harm.
pub const PAIRS: usize = 5;
/// A prior is made of at least so many sensors for each parameter: of fewer, nobody can tell how far they scatter.
pub const SENSORS: usize = 4;
/// Pairs that are less probable than this by the prior are those of something else.
pub const AT_ODDS: f64 = 0.001;

/// How the method in a transform's provenance ends where the fit was made with a prior: such a fit says little that the
/// prior did not say already.
pub const MARK: &str = " with a prior";

/// Whether a fit with the prior is the one to take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// It is.
    WithPrior,
    /// There are pairs enough for a fit alone.
    Enough,
    /// The pairs are not what the prior expects: so small is the probability of pairs that are as far from it.
    AtOdds(f64),
}

/// Judges a fit that was made with a prior of pairs `n` in number.
pub fn judge(prior: &Prior, with: &Fit, n: usize) -> Verdict {
    if n > PAIRS * prior.mean.len() {
        return Verdict::Enough;
    }
    match probability(prior, with, n) {
        Some(probability) if probability < AT_ODDS => Verdict::AtOdds(probability),
        _ => Verdict::WithPrior,
    }
}

/// The probability, before the pairs are seen, of pairs that are at least as far from the prior as these are.
///
/// By the prior, y is a t vector about X m0 with 2 a0 degrees of freedom and the scale S = b0/a0 (W^-1 + X V0 X'); the
/// square of its distance over n is F with n and 2 a0 degrees of freedom. (y - X m0)' (W^-1 + X V0 X')^-1 (y - X m0) is
/// 2 (bn - b0), with the letters of Gelman et al., 14.8. `None` for a prior that expects nothing.
pub fn probability(prior: &Prior, with: &Fit, n: usize) -> Option<f64> {
    let known = prior.scale.is_some() && prior.shape > 0.0 && prior.rate > 0.0;
    let (std, freedom) = (with.residual_std?, with.degrees_of_freedom?);
    let rate = std * std * freedom / 2.0;
    let squares = (2.0 * (rate - prior.rate)).max(0.0) * prior.shape / prior.rate;
    known.then(|| f_distribution(squares / n as f64, n as f64, 2.0 * prior.shape).upper)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fit::bayes;
    use crate::domain::fit::{Column, Pairs};
    use crate::domain::resample::Seeded;

    /// About y = 2 x, good to 1 and 0.1 where readings scatter by 0.5.
    fn prior() -> Prior {
        let scale = Some(vec![vec![4.0, 0.0], vec![0.0, 0.04]]);
        Prior { mean: vec![0.0, 2.0], scale, shape: 10.0, rate: 2.5 }
    }

    fn line(n: usize, offset: f64) -> Pairs {
        let x: Vec<f64> = (0..n).map(|at| 10.0 + at as f64).collect();
        let wobble = |at: usize| if at.is_multiple_of(2) { 0.3 } else { -0.3 };
        let y = x.iter().enumerate().map(|(at, x)| offset + 2.0 * x + wobble(at)).collect();
        Pairs::new(vec![Column::new("x", x)], Column::new("y", y)).unwrap()
    }

    fn judged(pairs: &Pairs) -> Verdict {
        let with = bayes::affine(pairs, &prior()).unwrap();
        judge(&prior(), &with, pairs.len())
    }

    #[test]
    fn few_pairs_of_a_sensor_like_the_others_are_fitted_with_the_prior() {
        for n in [1, 2, 3, 10] {
            assert_eq!(judged(&line(n, 0.5)), Verdict::WithPrior, "{n}");
        }
    }

    #[test]
    fn many_pairs_and_those_of_another_kind_of_sensor_are_fitted_alone() {
        assert_eq!(judged(&line(11, 0.5)), Verdict::Enough);
        for n in [1, 4] {
            let verdict = judged(&line(n, 30.0));
            assert!(
                matches!(verdict, Verdict::AtOdds(probability) if probability < AT_ODDS),
                "{n}: {verdict:?}"
            );
        }
    }

    /// Of sensors that the prior is true of, the probability is uniform.
    #[test]
    fn the_probability_is_one() {
        let (prior, mut draws) = (prior(), Seeded::new(9));
        let below: Vec<f64> = (0..4000)
            .map(|_| {
                // 1/s^2 is gamma with shape 10 and rate 2.5: a chi-squared with 20 degrees of freedom over 5.
                let precision = (0..20).map(|_| draws.normal().powi(2)).sum::<f64>() / 5.0;
                let s = precision.sqrt().recip();
                let (a, b) = (s * 2.0 * draws.normal(), 2.0 + s * 0.2 * draws.normal());
                let x: Vec<f64> = (0..3).map(|_| 10.0 * draws.uniform()).collect();
                let y = x.iter().map(|x| a + b * x + s * draws.normal()).collect();
                let pairs = Pairs::new(vec![Column::new("x", x)], Column::new("y", y)).unwrap();
                let with = bayes::affine(&pairs, &prior).unwrap();
                probability(&prior, &with, 3).unwrap()
            })
            .collect();
        for level in [0.01, 0.1, 0.5, 0.9] {
            let share = below.iter().filter(|p| **p < level).count() as f64 / 4000.0;
            let by_chance = (level * (1.0 - level) / 4000.0_f64).sqrt();
            assert!((share - level).abs() < 4.0 * by_chance, "{level}: {share}");
        }
    }

    #[test]
    fn what_expects_nothing_is_not_at_odds_with_anything() {
        let pairs = line(3, 1e6);
        let vague = Prior::vague(2);
        let with = bayes::affine(&pairs, &vague).unwrap();
        assert_eq!(judge(&vague, &with, 3), Verdict::WithPrior);
    }
}
