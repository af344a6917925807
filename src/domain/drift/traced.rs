//! What a calibrated value has in common with its reference: the standard that stands behind both.

use crate::domain::id::Id;
use crate::domain::transform::artifact::Transform;

/// What a transform has from its standards.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Traced {
    standards: Vec<String>,
    /// Standard uncertainty that all its values have in common by them, in the output unit.
    u: f64,
}

impl Traced {
    /// As the transform states it: `provenance.standards` and `uncertainty.reference_systematic`.
    pub fn of(transform: &Transform) -> Traced {
        Traced {
            standards: transform.provenance.standards.clone(),
            u: transform.uncertainty.reference_systematic.unwrap_or(0.0),
        }
    }

    /// The standard uncertainty that a value by this transform and a reference by `standard` have in common, in the
    /// output unit: what the standards left in the transform, and no more than value and reference have. `None` where
    /// the standard is not one of the transform's, or an uncertainty is not known.
    pub fn shared(&self, standard: Option<&Id>, u: Option<f64>, u_reference: Option<f64>) -> Option<f64> {
        let standard = standard?.as_str();
        let shared = self.u.min(u?).min(u_reference?);
        (shared > 0.0 && self.standards.iter().any(|known| known == standard)).then_some(shared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_is_of_the_same_standard_and_no_more_than_there_is() {
        let standard = |name| Id::new(name).unwrap();
        let traced = Traced { standards: vec!["bath-1".to_owned(), "bath-2".to_owned()], u: 0.05 };
        let shared = |name, u, reference| traced.shared(Some(&standard(name)), u, reference);
        assert_eq!(shared("bath-2", Some(0.051), Some(0.06)), Some(0.05));
        assert_eq!(shared("bath-2", Some(0.03), Some(0.06)), Some(0.03));
        assert_eq!(shared("bath-2", Some(0.051), Some(0.02)), Some(0.02));
        assert_eq!(shared("bath-3", Some(0.051), Some(0.06)), None);
        assert_eq!(shared("bath-1", None, Some(0.06)), None);
        assert_eq!(shared("bath-1", Some(0.051), None), None);
        assert_eq!(traced.shared(None, Some(0.051), Some(0.06)), None);
        let nothing = Traced { u: 0.0, ..traced.clone() };
        assert_eq!(nothing.shared(Some(&standard("bath-1")), Some(0.05), Some(0.05)), None);
    }
}
