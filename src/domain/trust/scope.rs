//! Where a role may act.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::enrolment::Enrolment;
use super::root::{Role, RoleName};
use super::target::SensorFacts;
use crate::domain::id::{Id, SensorId};
use crate::domain::uncertainty::decision::Mpe;

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

/// Where scopes and targets are judged.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place<'a> {
    /// The gateway; `None`: away from any.
    pub gateway: Option<&'a Id>,
    /// What the fleet says of it.
    pub enrolment: Option<&'a Enrolment>,
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

/// What a scope lets a transform do at a sensor that it covers.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Allowed {
    /// What it may do at most.
    pub limits: ScopeLimits,
    /// How far it may be from the last transform that the fleet signed, in shares of this error.
    pub share: Option<(f64, Mpe)>,
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

    /// Whether the scope covers `sensor` at `place` for certain. With no gateway given, its fields about
    /// the gateway are taken as met.
    pub fn covers(&self, place: Place<'_>, sensor: &SensorId, facts: &SensorFacts) -> bool {
        let allows = |list: &[Id], id: &Id| list.is_empty() || list.contains(id);
        let Some(gateway) = place.gateway else { return allows(&self.sensors, sensor) };
        allows(&self.gateways, gateway)
            && allows(&self.sensors, sensor)
            && (!self.needs_enrolment() || self.is_proven(place.enrolment, sensor, facts))
    }

    /// Whether the enrolment proves what only it can.
    fn is_proven(&self, enrolment: Option<&Enrolment>, sensor: &SensorId, facts: &SensorFacts) -> bool {
        let Some(enrolment) = enrolment else { return false };
        let in_group =
            self.groups.is_empty() || enrolment.groups.iter().any(|group| self.groups.contains(group));
        if self.models.is_empty() && self.tags.is_empty() && self.mpe_share.is_none() {
            return in_group;
        }
        let Some(enrolled) = enrolment.sensor(sensor, facts) else { return false };
        let model = |model: &String| self.models.contains(model);
        let tagged = |(name, values): (&String, &Vec<String>)| {
            enrolment.tag(enrolled, name).is_some_and(|value| values.iter().any(|allowed| allowed == value))
        };
        in_group
            && (self.mpe_share.is_none() || enrolled.mpe.is_some())
            && (self.models.is_empty() || enrolled.model.as_ref().is_some_and(model))
            && self.tags.iter().all(tagged)
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
    /// Whether a scope of the role covers all sensors of a model.
    pub fn covers_model(&self, model: &str) -> bool {
        let whole = |scope: &Scope| {
            let parts = [scope.gateways.is_empty(), scope.sensors.is_empty(), scope.groups.is_empty()];
            let named = scope.models.is_empty() || scope.models.iter().any(|other| other == model);
            parts.into_iter().all(|free| free) && scope.tags.is_empty() && named
        };
        self.scopes.is_empty() || self.scopes.iter().any(whole)
    }

    /// Whether a scope of the role covers the gateway at `place` as a whole, for certain.
    pub fn covers_gateway(&self, place: Place<'_>) -> bool {
        let whole = |scope: &Scope| {
            let parts = [scope.sensors.is_empty(), scope.models.is_empty(), scope.tags.is_empty()];
            let named = |gateway: &Id| scope.gateways.is_empty() || scope.gateways.contains(gateway);
            let grouped =
                |enrolment: &Enrolment| enrolment.groups.iter().any(|group| scope.groups.contains(group));
            parts.into_iter().all(|free| free)
                && place.gateway.is_none_or(named)
                && (scope.groups.is_empty()
                    || place.gateway.is_none()
                    || place.enrolment.is_some_and(grouped))
        };
        self.scopes.is_empty() || self.scopes.iter().any(whole)
    }

    /// What the role may do with `sensor` at `place` by every scope that covers it, of which any one has to be
    /// kept; `None` where no scope does.
    pub fn limits_for(
        &self,
        place: Place<'_>,
        sensor: &SensorId,
        facts: &SensorFacts,
    ) -> Option<Vec<Allowed>> {
        if self.scopes.is_empty() {
            return Some(vec![Allowed::default()]);
        }
        let mpe = place.enrolment.and_then(|enrolment| enrolment.sensor(sensor, facts)?.mpe);
        let covering = self.scopes.iter().filter(|scope| scope.covers(place, sensor, facts));
        let allowed = covering.map(|scope| {
            let limits = scope.limits.unwrap_or_default();
            Allowed { limits, share: scope.mpe_share.zip(mpe) }
        });
        let allowed: Vec<_> = allowed.collect();
        (!allowed.is_empty()).then_some(allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Id {
        Id::new(text).unwrap()
    }

    fn covers(scope: &Scope, gateway: Option<&str>, sensor: &str) -> bool {
        let gateway = gateway.map(id);
        let place = Place { gateway: gateway.as_ref(), enrolment: None };
        scope.covers(place, &id(sensor), &SensorFacts::default())
    }

    #[test]
    fn fields_are_joined_by_and_values_by_or() {
        let scope =
            Scope { gateways: vec![id("g1"), id("g2")], sensors: vec![id("a"), id("b")], ..Scope::default() };
        assert!(covers(&scope, Some("g2"), "a"));
        assert!(!covers(&scope, Some("g3"), "a"));
        assert!(!covers(&scope, Some("g1"), "c"));
        assert!(covers(&scope, None, "b"));
    }

    #[test]
    fn what_an_enrolment_would_have_to_prove_is_not_covered() {
        let groups = Scope { groups: vec![id("north")], ..Scope::default() };
        let share = Scope { mpe_share: Some(0.5), ..Scope::default() };
        for scope in [groups, share] {
            assert!(!covers(&scope, Some("g1"), "a"));
        }
        assert!(covers(&Scope::default(), Some("g1"), "a"));
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
