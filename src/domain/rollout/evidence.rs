//! What pairs and readings say of a transform beside another one, in a state of constant size.

use serde::{Deserialize, Serialize};

use super::limits::Limits;
use super::looks::Looks;
use super::series::{Estimate, Series, binomial_at_most};
use crate::domain::drift::pair::Pair;

/// How often noise alone may decide wrongly, over all looks.
pub const ALPHA: f64 = 0.05;
/// A transform may lose the value of no more than this share of the readings of which the one beside it has one ...
const MOST_LOST: f64 = 0.05;
/// ... from so many readings on.
const FEWEST_READINGS: u64 = 100;

/// What a transform can fail by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// It is too far from the transform beside it.
    Step,
    /// It has no value where the transform beside it has one.
    Lost,
    /// Its errors are larger than those of the transform beside it.
    Ratio,
    /// Its mean error is too large.
    Bias,
    /// Its uncertainties are stated too small.
    Coverage,
}

/// Readings since the last report of them, computed by both transforms.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Readings {
    /// Of which the transform beside has a value, or all if there is none beside.
    pub readings: u64,
    /// Of these, without a value by the transform in question.
    pub lost: u64,
    /// The largest difference between both values.
    pub largest_step: f64,
}

/// Sums over all that was seen of a transform since it is watched.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// The ratio that squared errors are compared at; `None`: they are not.
    ratio: Option<f64>,
    errors: Series,
    /// Squared error less ratio^2 times the squared error of the transform beside.
    excess: Series,
    /// 1 where a pair agrees within its uncertainties, else 0.
    agrees: Series,
    /// Squared errors where both have a value, of the transform in question and of the one beside.
    squares: [f64; 2],
    seen: Readings,
    against: Looks,
    promotion: Looks,
}

/// What the evidence amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// Pairs that count.
    pub pairs: u64,
    /// How many independent ones they are worth.
    pub n_effective: Option<f64>,
    /// Root mean squared error, where there is one of the transform beside too.
    pub rmse: Option<f64>,
    /// That of the transform beside.
    pub rmse_beside: Option<f64>,
    /// The probability of such squared errors if it were no worse than allowed.
    pub p_worse: Option<f64>,
    /// The probability of such squared errors if it were worse than allowed.
    pub p_no_worse: Option<f64>,
    /// Mean error.
    pub bias: Option<f64>,
    /// Its standard uncertainty.
    pub u_bias: Option<f64>,
    /// Share of the pairs that agree within their uncertainties.
    pub coverage: Option<f64>,
    /// Readings that both transforms computed.
    pub readings: u64,
    /// Of these, without a value.
    pub lost: u64,
    /// The largest difference from the transform beside.
    pub largest_step: f64,
}

impl Evidence {
    /// Nothing was seen yet. `beside`: whether there is another transform to compare with.
    pub fn new(limits: &Limits, beside: bool) -> Evidence {
        Evidence { ratio: limits.max_rmse_ratio.filter(|_| beside), ..Evidence::default() }
    }

    /// Adds a pair with the value that the transform beside gives for it.
    ///
    /// For probabilities the squared error is the Brier score of the pair.
    pub fn pair(&mut self, pair: &Pair, beside: Option<f64>) {
        let error = pair.error();
        self.errors.push(error);
        if let Some(en) = pair.en() {
            self.agrees.push(f64::from(u8::from(en.abs() <= 1.0)));
        }
        let Some(beside) = beside else { return };
        self.step((pair.value - beside).abs());
        let before = beside - pair.reference;
        self.squares = [bounded(self.squares[0] + error * error), bounded(self.squares[1] + before * before)];
        let ratio = self.ratio.unwrap_or(1.0);
        self.excess.push(error * error - ratio * ratio * before * before);
    }

    /// Adds readings.
    pub fn readings(&mut self, seen: Readings) {
        self.seen.readings = self.seen.readings.saturating_add(seen.readings);
        self.seen.lost = self.seen.lost.saturating_add(seen.lost);
        self.step(seen.largest_step);
    }

    fn step(&mut self, step: f64) {
        // What is no number is as far as can be.
        let step = if step.is_nan() { f64::MAX } else { bounded(step) };
        self.seen.largest_step = self.seen.largest_step.max(step);
    }

    /// Pairs so far.
    pub fn pairs(&self) -> u64 {
        self.errors.count()
    }

    /// At how many pairs the evidence for a promotion is looked at next.
    pub fn next_look(&self, limits: &Limits) -> u64 {
        self.promotion.next(limits.min_pairs)
    }

    /// What is shown against the transform. What needs no reference shows at once; the rest when a look is due, at
    /// [`ALPHA`] over all looks and gates together.
    pub fn fault(&mut self, limits: &Limits) -> Option<Fault> {
        if limits.max_step.is_some_and(|most| self.seen.largest_step > most) {
            return Some(Fault::Step);
        }
        if self.seen.readings >= FEWEST_READINGS && self.lost() > MOST_LOST {
            return Some(Fault::Lost);
        }
        let part = self.against.due(self.pairs(), limits.min_pairs)?;
        let found = [
            (Fault::Ratio, self.p_worse()),
            (Fault::Bias, self.p_biased(limits)),
            (Fault::Coverage, self.p_covered(limits)),
        ];
        let gates = found.iter().filter(|(_, p)| p.is_some()).count();
        let level = ALPHA * part / gates.max(1) as f64;
        found.into_iter().find(|(_, p)| p.is_some_and(|p| p < level)).map(|(fault, _)| fault)
    }

    /// Whether the transform is shown to be good enough, when a look is due: each gate by itself at [`ALPHA`] over all
    /// looks, so that one which is bad by any of them is taken for good no more often than that (Berger,
    /// Technometrics 24:295, 1982). Coverage needs more pairs than anybody has to be shown; it only objects.
    pub fn is_good(&mut self, limits: &Limits) -> bool {
        let Some(part) = self.promotion.due(self.pairs(), limits.min_pairs) else { return false };
        let level = ALPHA * part;
        let ratio = self.ratio.is_none() || self.p_no_worse().is_some_and(|p| p < level);
        let bias = limits.max_bias.is_none() || self.p_unbiased(limits).is_some_and(|p| p < level);
        ratio && bias
    }

    /// Whether readings alone say nothing against it, and there are some.
    pub fn is_sane(&self, limits: &Limits) -> bool {
        let step = limits.max_step.is_none_or(|most| self.seen.largest_step <= most);
        self.seen.readings > 0 && step && self.lost() <= MOST_LOST
    }

    fn lost(&self) -> f64 {
        self.seen.lost as f64 / self.seen.readings.max(1) as f64
    }

    fn p_worse(&self) -> Option<f64> {
        self.ratio?;
        Some(self.excess.estimate()?.p_above(0.0))
    }

    fn p_no_worse(&self) -> Option<f64> {
        self.ratio?;
        Some(self.excess.estimate()?.p_below(0.0))
    }

    /// Of a mean error beyond the limit on either side.
    fn p_biased(&self, limits: &Limits) -> Option<f64> {
        let (most, errors) = (limits.max_bias?, self.errors.estimate()?);
        Some((2.0 * errors.p_above(most).min(errors.p_below(-most))).min(1.0))
    }

    /// Of a mean error within the limit: two one-sided tests (Schuirmann 1987).
    fn p_unbiased(&self, limits: &Limits) -> Option<f64> {
        let (most, errors) = (limits.max_bias?, self.errors.estimate()?);
        Some(errors.p_below(most).max(errors.p_above(-most)))
    }

    /// Of so few pairs that agree, if the uncertainties were right; of as many trials as they are worth.
    fn p_covered(&self, limits: &Limits) -> Option<f64> {
        let (least, agrees) = (limits.min_coverage?, self.agrees.estimate()?);
        Some(binomial_at_most(agrees.mean * agrees.n_effective, agrees.n_effective, least))
    }

    /// What it amounts to.
    pub fn findings(&self) -> Findings {
        let errors: Option<Estimate> = self.errors.estimate();
        let both = self.excess.count();
        let root = |square: f64| (both > 0).then(|| (square / both as f64).sqrt());
        Findings {
            pairs: self.pairs(),
            n_effective: errors.map(|errors| errors.n_effective),
            rmse: root(self.squares[0]),
            rmse_beside: root(self.squares[1]),
            p_worse: self.p_worse(),
            p_no_worse: self.p_no_worse(),
            bias: (self.pairs() > 0).then(|| self.errors.mean()),
            u_bias: errors.map(|errors| errors.u),
            coverage: (self.agrees.count() > 0).then(|| self.agrees.mean()),
            readings: self.seen.readings,
            lost: self.seen.lost,
            largest_step: self.seen.largest_step,
        }
    }
}

/// JSON has no infinity.
fn bounded(value: f64) -> f64 {
    value.min(f64::MAX)
}
