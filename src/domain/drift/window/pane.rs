//! What a pane keeps of its pairs.

use super::Setup;
use super::scores::Scores;
use super::sequence::Sequence;
use crate::domain::drift::pair::Pair;
use crate::domain::stats::Moments;

/// Sums over pairs, which merge.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Pane {
    errors: Sequence,
    raw: Raw,
    agreement: Agreement,
    references: References,
    permitted: Share,
    /// The latest time, in microseconds since 1970.
    latest: i64,
}

/// raw - reference.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Raw {
    /// Of the errors less the first one.
    moments: Moments,
    first: f64,
    /// sum |e_i|.
    sizes: f64,
}

/// Of the pairs that have both uncertainties.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Agreement {
    within_1: Share,
    /// sum E_n.
    en: f64,
}

/// What the references may be off by.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct References {
    u: f64,
    n: u32,
    overdue: u32,
}

/// A part of a whole.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Share {
    part: u32,
    whole: u32,
}

impl Share {
    fn count(&mut self, belongs: bool) {
        self.whole += 1;
        self.part += u32::from(belongs);
    }

    fn merged(self, other: Share) -> Share {
        let sum = |a: u32, b: u32| a.saturating_add(b);
        Share { part: sum(self.part, other.part), whole: sum(self.whole, other.whole) }
    }

    fn share(self) -> Option<f64> {
        (self.whole > 0).then(|| f64::from(self.part) / f64::from(self.whole))
    }
}

impl Raw {
    fn push(&mut self, error: f64) {
        if self.moments.n == 0 {
            self.first = error;
        }
        self.moments.push(error - self.first);
        self.sizes += error.abs();
    }

    fn merged(self, other: Raw) -> Raw {
        if self.moments.n == 0 || other.moments.n == 0 {
            return if self.moments.n == 0 { other } else { self };
        }
        let mean = other.moments.mean + (other.first - self.first);
        let moments = self.moments.merged(Moments { mean, ..other.moments });
        Raw { moments, first: self.first, sizes: self.sizes + other.sizes }
    }
}

impl Pane {
    /// Adds a pair; false if it is earlier than one that is here.
    pub fn add(&mut self, pair: &Pair, setup: &Setup) -> bool {
        let time = pair.time.as_micros();
        let in_order = self.errors.n() == 0 || time >= self.latest;
        self.latest = if in_order { time } else { self.latest };
        let error = pair.error();
        self.errors.push(error);
        if let Some(error) = pair.raw_error() {
            self.raw.push(error);
        }
        if let Some(en) = pair.en() {
            self.agreement.within_1.count(en.abs() <= 1.0);
            self.agreement.en += en;
        }
        // no limit where it would be 0
        if let Some(permitted) = setup.mpe.and_then(|mpe| mpe.permits(pair.reference, error).ok()) {
            self.permitted.count(permitted);
        }
        if let Some(u) = pair.u_reference_alone() {
            self.references.n += 1;
            self.references.u += u;
        }
        self.references.overdue += u32::from(pair.overdue);
        in_order
    }

    /// These pairs followed by others.
    pub fn merged(self, next: &Pane) -> Pane {
        Pane {
            errors: self.errors.followed_by(next.errors),
            raw: self.raw.merged(next.raw),
            agreement: Agreement {
                within_1: self.agreement.within_1.merged(next.agreement.within_1),
                en: self.agreement.en + next.agreement.en,
            },
            references: References {
                u: self.references.u + next.references.u,
                n: self.references.n.saturating_add(next.references.n),
                overdue: self.references.overdue.saturating_add(next.references.overdue),
            },
            permitted: self.permitted.merged(next.permitted),
            latest: self.latest.max(next.latest),
        }
    }

    pub fn count(&self) -> u64 {
        self.errors.n()
    }

    /// Whether the counts can hold no more.
    pub fn is_full(&self) -> bool {
        self.errors.n() >= u64::from(u32::MAX)
    }

    pub fn overdue(&self) -> u64 {
        u64::from(self.references.overdue)
    }

    pub fn scores(&self) -> Scores {
        let errors = &self.errors;
        if errors.n() == 0 {
            return Scores::default();
        }
        Scores {
            n: errors.n(),
            bias: Some(errors.bias()),
            u_bias: self.u_bias(),
            n_effective: Some(errors.n_effective()),
            rmse: Some(errors.mean_square().sqrt()),
            mae: Some(errors.mean_size()),
            std: errors.std(),
            en_mean: self.en_mean(),
            en_within_1: self.agreement.within_1.share(),
            en_pairs: u64::from(self.agreement.within_1.whole),
            within_mpe: self.permitted.share(),
            ..Scores::default()
        }
    }

    pub fn raw_scores(&self) -> Scores {
        let Raw { moments, first, sizes } = self.raw;
        if moments.n == 0 {
            return Scores::default();
        }
        let (n, bias) = (moments.n as f64, first + moments.mean);
        Scores {
            n: moments.n,
            bias: Some(bias),
            rmse: Some((moments.m2 / n + bias * bias).sqrt()),
            mae: Some(sizes / n),
            std: moments.std(),
            ..Scores::default()
        }
    }

    fn en_mean(&self) -> Option<f64> {
        let whole = self.agreement.within_1.whole;
        (whole > 0).then(|| self.agreement.en / f64::from(whole))
    }

    /// sqrt(std^2 / n_eff + u_ref^2), u_ref the mean of what the references may be off by: as they come
    /// from the same standard, it does not average out (GUM 5.2.2, note 1).
    fn u_bias(&self) -> Option<f64> {
        let scatter = self.errors.std()?;
        let References { u, n, .. } = self.references;
        let systematic = if n > 0 { u / f64::from(n) } else { 0.0 };
        Some((scatter * scatter / self.errors.n_effective() + systematic * systematic).sqrt())
    }
}
