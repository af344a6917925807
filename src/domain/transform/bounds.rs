//! The stated domain of a transform, for those who compare it with what was seen.

use super::compiled::Compiled;

impl Compiled {
    /// The lowest and the highest raw reading of the domain, if it states them.
    pub fn input_bounds(&self) -> Option<[f64; 2]> {
        self.domain.input()
    }

    /// The lowest and the highest value of the covariate that plays `role`, if the domain states them.
    pub fn covariate_bounds(&self, role: &str) -> Option<[f64; 2]> {
        self.domain.covariate(self.domain.roles.iter().position(|name| name == role)?)
    }
}
