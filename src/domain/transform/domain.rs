//! The domain of a transform, and the policy for readings outside it.

use super::artifact::{ContentError, DomainSpec, Outside};
use super::check;
use super::compiled::Covariate;
use super::stage::MAX_COVARIATES;
use crate::domain::quality::{ReasonCode, Reasons, State};

/// A checked domain.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Domain {
    input: Option<Range>,
    output: Option<Range>,
    /// In the order of `roles`.
    covariates: Box<[Range]>,
    /// The covariates' names, in the order in which their values are given.
    pub roles: Box<[String]>,
    outside: Outside,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Range {
    low: f64,
    high: f64,
}

impl Range {
    fn new(bounds: [f64; 2]) -> Range {
        Range { low: bounds[0], high: bounds[1] }
    }

    /// How far `value` lies outside, in widths of the range; 0 inside.
    #[inline(always)]
    fn distance(self, value: f64) -> f64 {
        let beyond = (self.low - value).max(value - self.high);
        if beyond > 0.0 { beyond / (self.high - self.low) } else { 0.0 }
    }

    fn clamp(self, value: f64) -> f64 {
        value.max(self.low).min(self.high)
    }
}

/// What was found outside so far.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Excess {
    /// Whether anything is outside.
    pub outside: bool,
    /// The distances, in widths of their ranges, squared and added up.
    pub square: f64,
    /// Whether a covariate is missing.
    pub missing: bool,
}

impl Excess {
    #[inline(always)]
    fn add(&mut self, distance: f64) {
        if distance > 0.0 {
            self.outside = true;
            self.square += distance * distance;
        }
    }
}

/// The verdict on a computed value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Verdict {
    pub value: Option<f64>,
    pub u: Option<f64>,
    pub state: State,
    pub reasons: Reasons,
}

impl Domain {
    /// Checks the artifact's domain.
    pub(super) fn compile(spec: &DomainSpec) -> Result<Domain, ContentError> {
        for (field, bounds) in [("input", spec.input), ("output", spec.output)] {
            bounds.map_or(Ok(()), |bounds| check::range(bounds, "domain", field))?;
        }
        if spec.covariates.len() > MAX_COVARIATES {
            let problem = format!("at most {MAX_COVARIATES} covariates");
            return Err(check::invalid("domain", "covariates", &problem));
        }
        for (role, bounds) in &spec.covariates {
            if role.trim().is_empty() {
                return Err(check::invalid("domain", "covariates", "every covariate needs a role's name"));
            }
            check::range(*bounds, "domain.covariates", role)?;
        }
        Ok(Domain {
            input: spec.input.map(Range::new),
            output: spec.output.map(Range::new),
            covariates: spec.covariates.values().copied().map(Range::new).collect(),
            roles: spec.covariates.keys().cloned().collect(),
            outside: spec.outside,
        })
    }

    /// The range of raw readings, if one is stated.
    pub(super) fn input(&self) -> Option<[f64; 2]> {
        self.input.map(|range| [range.low, range.high])
    }

    /// The range of the covariate at `place`, if one is stated.
    pub(super) fn covariate(&self, place: usize) -> Option<[f64; 2]> {
        self.covariates.get(place).map(|range| [range.low, range.high])
    }

    /// Whether values outside are replaced by the nearest inside.
    #[inline(always)]
    pub(super) fn holds(&self) -> bool {
        self.outside == Outside::Clamp
    }

    /// The reading to compute with, in place of `raw`.
    #[inline(always)]
    pub(super) fn enter(&self, raw: f64, excess: &mut Excess) -> f64 {
        let Some(range) = self.input else { return raw };
        excess.add(range.distance(raw));
        if self.holds() { range.clamp(raw) } else { raw }
    }

    /// Looks at the covariates; one that is absent or not a number is missing.
    #[inline(always)]
    pub(super) fn look_around(&self, covariates: &[Option<Covariate>], excess: &mut Excess) {
        for (at, range) in self.covariates.iter().enumerate() {
            match covariates.get(at).copied().flatten() {
                Some(Covariate { value, .. }) if !value.is_nan() => excess.add(range.distance(value)),
                _ => excess.missing = true,
            }
        }
    }

    /// The value to compute with, in place of the covariate `value` at `place`.
    #[inline(always)]
    pub(super) fn enter_covariate(&self, place: usize, value: f64) -> f64 {
        match self.covariates.get(place) {
            Some(range) if self.holds() => range.clamp(value),
            _ => value,
        }
    }

    /// Looks at the computed value. A bound of exactly 0 is one of nature, not of the calibration:
    /// noise about it, up to 2 u, is not outside.
    #[inline(always)]
    pub(super) fn leave(&self, value: f64, u: Option<f64>, excess: &mut Excess) {
        let Some(range) = self.output else { return };
        let distance = range.distance(value);
        if distance > 0.0 {
            let bound = if value < range.low { range.low } else { range.high };
            if bound != 0.0 || !near_zero(value, u) {
                excess.add(distance);
            }
        }
    }

    /// What becomes of a value about which `excess` is known.
    #[cold]
    pub(super) fn judge(&self, value: f64, u: Option<f64>, excess: Excess) -> Verdict {
        let (mut state, mut reasons) = (State::Valid, Reasons::NONE);
        if excess.missing {
            (state, reasons) = (State::Suspect, reasons.with(ReasonCode::CovariateMissing));
        }
        if !excess.outside || self.outside == Outside::Extrapolate {
            return Verdict { value: Some(value), u, state, reasons };
        }
        reasons = reasons.with(ReasonCode::OutOfDomain);
        if self.outside == Outside::Reject {
            return Verdict { value: None, u: None, state: State::Invalid, reasons };
        }
        let kept = if self.holds() { self.clamp_output(value, u) } else { value };
        let grown = u.map(|u| (u * (1.0 + excess.square.sqrt())).hypot(value - kept));
        Verdict { value: Some(kept), u: grown, state: State::Suspect, reasons }
    }

    /// Never moves a value that may be zero: averages of clamped noise would be biased.
    fn clamp_output(&self, value: f64, u: Option<f64>) -> f64 {
        match self.output {
            Some(range) if !near_zero(value, u) => range.clamp(value),
            _ => value,
        }
    }
}

fn near_zero(value: f64, u: Option<f64>) -> bool {
    u.is_some_and(|u| value.abs() <= 2.0 * u)
}
