//! Where a role may act.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::root::{Role, RoleName};
use crate::domain::id::{Id, SensorId};

/// One scope of a role: AND across the fields, OR within one; an empty field allows everything.
///
/// Groups, models and tags are proven by the gateway's enrolment; where there is none, a scope that names
/// them covers nothing. Gateways and sensors need no proof: the gateway knows its own name.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scope {
    /// Gateways by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gateways: Vec<Id>,
    /// Sensors by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sensors: Vec<SensorId>,
    /// Groups of gateways.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Id>,
    /// Sensor models.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// Tags with the values allowed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, Vec<String>>,
    /// What a transform signed under this scope may do at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<ScopeLimits>,
    /// Maintenance only: the step allowed, as a share of the sensor's maximum permissible error,
    /// accumulated since the last transform signed by the fleet. The error is proven by the enrolment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mpe_share: Option<f64>,
}

/// Limits of a scope; the stricter of these and the artifact's own holds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScopeLimits {
    /// Largest change of a calibrated value over the whole domain, in the output unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_step: Option<f64>,
    /// Whether the transform must be monotone whatever it says itself.
    pub monotone: bool,
}

impl Scope {
    /// The first thing that makes no sense for a role, with the field's path.
    pub(super) fn check(&self, role: RoleName) -> Result<(), String> {
        let positive = |value: Option<f64>| value.is_none_or(|v| v.is_finite() && v > 0.0);
        if !positive(self.limits.and_then(|limits| limits.max_step)) {
            return Err("limits.max_step: must be above 0".to_owned());
        }
        if !positive(self.mpe_share) {
            return Err("mpe_share: must be above 0".to_owned());
        }
        if self.mpe_share.is_some() && role != RoleName::Maintenance {
            return Err("mpe_share: only maintenance scopes have it".to_owned());
        }
        Ok(())
    }

    /// Whether the scope covers `sensor` on `gateway` for certain. With no gateway given, its fields about
    /// the gateway are taken as met.
    pub fn covers(&self, gateway: Option<&Id>, sensor: &SensorId) -> bool {
        let allows = |list: &[Id], id: &Id| list.is_empty() || list.contains(id);
        let here = gateway.is_none_or(|gateway| allows(&self.gateways, gateway) && !self.needs_enrolment());
        here && allows(&self.sensors, sensor)
    }

    /// Whether only an enrolment can prove that a sensor lies inside.
    pub fn needs_enrolment(&self) -> bool {
        !self.groups.is_empty()
            || !self.models.is_empty()
            || !self.tags.is_empty()
            || self.mpe_share.is_some()
    }
}

impl Role {
    /// What the role may do with `sensor` on `gateway`: the limits of every scope that covers it, of which
    /// any one has to be kept; `None` where no scope does.
    pub fn limits_for(&self, gateway: Option<&Id>, sensor: &SensorId) -> Option<Vec<ScopeLimits>> {
        if self.scopes.is_empty() {
            return Some(vec![ScopeLimits::default()]);
        }
        let covering = self.scopes.iter().filter(|scope| scope.covers(gateway, sensor));
        let limits: Vec<_> = covering.map(|scope| scope.limits.unwrap_or_default()).collect();
        (!limits.is_empty()).then_some(limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Id {
        Id::new(text).unwrap()
    }

    #[test]
    fn fields_are_joined_by_and_values_by_or() {
        let scope =
            Scope { gateways: vec![id("g1"), id("g2")], sensors: vec![id("a"), id("b")], ..Scope::default() };
        assert!(scope.covers(Some(&id("g2")), &id("a")));
        assert!(!scope.covers(Some(&id("g3")), &id("a")));
        assert!(!scope.covers(Some(&id("g1")), &id("c")));
        assert!(scope.covers(None, &id("b")));
    }

    #[test]
    fn what_an_enrolment_would_have_to_prove_is_not_covered() {
        let groups = Scope { groups: vec![id("north")], ..Scope::default() };
        let share = Scope { mpe_share: Some(0.5), ..Scope::default() };
        for scope in [groups, share] {
            assert!(!scope.covers(Some(&id("g1")), &id("a")));
        }
        assert!(Scope::default().covers(Some(&id("g1")), &id("a")));
    }

    #[test]
    fn limits_must_be_positive_and_shares_belong_to_maintenance() {
        let limits = ScopeLimits { max_step: Some(-1.0), monotone: false };
        assert!(Scope { limits: Some(limits), ..Scope::default() }.check(RoleName::Fleet).is_err());
        let share = Scope { mpe_share: Some(0.5), ..Scope::default() };
        assert!(share.check(RoleName::Fleet).is_err());
        assert!(share.check(RoleName::Maintenance).is_ok());
    }
}
