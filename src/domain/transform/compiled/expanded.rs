//! Expanded uncertainty: how far a value may be off at a stated level.

use super::{Compiled, Input};
use crate::domain::transform::stage::Around;
use crate::domain::uncertainty::coverage::{Component, coverage_factor, welch_satterthwaite};

/// A standard uncertainty, how well it is known, and the interval that follows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expanded {
    /// The combined standard uncertainty, in the output unit.
    pub u: f64,
    /// Its effective degrees of freedom; `None` for infinitely many.
    pub degrees_of_freedom: Option<f64>,
    /// The coverage factor.
    pub k: f64,
    /// k u, in the output unit: the value is off by no more, with the level's confidence.
    pub expanded: f64,
}

/// The two parts of a combined uncertainty, before what leaving the domain adds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Components {
    /// Of the fit: residuals and parameters, with the degrees of freedom that the artifact states.
    pub fit: Component,
    /// Of all else: reading, covariates, references, drift; taken as exactly known.
    pub other: Component,
}

impl Compiled {
    /// The parts of a value's uncertainty, in the output unit. `None` where [`Compiled::apply`] gives
    /// no uncertainty.
    ///
    /// u^2 = s^2 (1 + x'(X'X)^-1 x) is one component (GUM H.3, ISO/TS 28037): s and the parameters'
    /// covariance come from one set of residuals.
    pub fn components(&self, input: &Input<'_>) -> Option<Components> {
        self.apply(input).u?;
        let entered = self.domain.enter(input.raw, &mut Default::default());
        let moved = input.raw - entered;
        let (pipeline, _) = self.choose(input.covariates);
        let values = self.surroundings(pipeline, input.covariates)?.values;
        let bare = pipeline.run(entered, 0.0, &Around { covariates: &values, hold: self.domain.holds() });
        let whole = self.run_around(pipeline, entered, moved, input.covariates)?;
        let fit = self.residual_variance + bare.variance;
        let other = self.uncertainty(&whole, input)?.powi(2) - fit;
        let component = |variance: f64, degrees_of_freedom: Option<f64>| Component {
            u: variance.max(0.0).sqrt(),
            sensitivity: 1.0,
            degrees_of_freedom,
        };
        Some(Components { fit: component(fit, self.degrees_of_freedom), other: component(other, None) })
    }

    /// The expanded uncertainty at a level like 0.95: Welch-Satterthwaite's effective degrees of
    /// freedom, and k from Student's t (GUM G.4).
    ///
    /// `None` where [`Compiled::apply`] gives no uncertainty, and where no finite k has the level.
    pub fn expanded(&self, input: &Input<'_>, level: f64) -> Option<Expanded> {
        let u = self.apply(input).u?;
        let parts = self.components(input)?;
        let degrees_of_freedom = welch_satterthwaite(&[parts.fit, parts.other]).degrees_of_freedom;
        let k = coverage_factor(level, degrees_of_freedom);
        let expanded = k * u;
        (k.is_finite() && expanded.is_finite()).then_some(Expanded { u, degrees_of_freedom, k, expanded })
    }
}

#[cfg(test)]
mod tests;
