//! What the fleet knows of sensor models: verified, into the ledger, answered, and there for the fits of few pairs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{Desk, Item};
use crate::domain::digest::Digest;
use crate::domain::sensor::Sensor;
use crate::domain::trust::prior::{self, Accepted, ModelPrior, Standpoint, verify_prior};
use crate::domain::trust::reason::Reason;
use crate::domain::trust::root::Root;
use crate::domain::trust::verify::Refused;
use crate::store::{StoreError, StoredPrior};
use crate::wire::control::Prior;
use crate::wire::message::{Ack, Verdict};

/// What priors are called where nothing says of which model they are.
const NAME: &str = "prior";
/// Models of which no sensor was here, and a prior was refused, that are remembered.
const ELSEWHERE: usize = 256;

/// The newest prior of each model that was accepted, and what of it counts.
#[derive(Debug, Default)]
pub(super) struct Priors {
    held: BTreeMap<String, Held>,
    /// Models whose priors were refused since no sensor here is of them.
    elsewhere: BTreeSet<String>,
}

#[derive(Debug)]
struct Held {
    stored: StoredPrior,
    /// What the installed root lets stand of it.
    counts: Option<ModelPrior>,
}

impl Held {
    fn new(stored: StoredPrior, root: Option<&Root>) -> Held {
        let envelope = stored.envelope.as_deref();
        let kept = envelope.zip(root).and_then(|(bytes, root)| prior::verify_kept(bytes, root).ok());
        Held { counts: kept.map(|(_, prior)| prior), stored }
    }
}

impl Priors {
    /// As the ledger holds them, under the installed root.
    pub fn new(stored: Vec<StoredPrior>, root: Option<&Root>) -> Priors {
        let mut priors = Priors::default();
        priors.raise(stored, root);
        priors
    }

    /// Takes over those that are newer, or unknown.
    pub fn raise(&mut self, stored: Vec<StoredPrior>, root: Option<&Root>) {
        for stored in stored {
            let known = self.held.get(&stored.model);
            if known.is_none_or(|known| known.stored.version < stored.version) {
                self.held.insert(stored.model.clone(), Held::new(stored, root));
            }
        }
    }

    /// Another root counts: what a revoked key signed is no prior any more, though its version stays.
    pub fn judge_again(&mut self, root: Option<&Root>) {
        for held in self.held.values_mut() {
            let counted = held.counts.is_some();
            *held = Held::new(held.stored.clone(), root);
            if counted && held.counts.is_none() {
                let (model, version) = (&held.stored.model, held.stored.version);
                tracing::warn!(model, version, "the trust root does not accept prior {version} of {model}");
            }
        }
    }

    fn floor(&self, model: &str) -> Option<(u64, Digest)> {
        self.held.get(model).map(|held| (held.stored.version, held.stored.digest))
    }
}

impl Desk {
    /// Judges a prior and answers it; an error says why one that may count could not be written down.
    pub(super) async fn judge_prior(&mut self, item: Item) -> Result<Ack, StoreError> {
        let found = match self.verify_prior(&item.arrived.payload) {
            Ok(found) => found,
            Err(refused) => return Ok(self.turn_prior_away(item, refused).await),
        };
        let Accepted { prior, digest, keyids, already_applied } = found;
        let (model, version) = (prior.model.clone(), prior.version);
        let counts = self.priors.held.get(&model).is_some_and(|held| held.counts.is_some());
        if already_applied && counts {
            let text = "it counts already".to_owned();
            return Ok(self.of_document(&model, version, digest, Verdict::AlreadyApplied, text));
        }
        let envelope = Some(item.arrived.payload.to_vec());
        let accepted = self.clock.now();
        let stored = StoredPrior { model: model.clone(), version, digest, envelope, accepted };
        let keyids: Vec<String> = keyids.iter().map(ToString::to_string).collect();
        let detail = json!({ "digest": digest, "version": version, "keyids": keyids }).to_string();
        let actor = item.way.actor().to_owned();
        if let Err(error) = self.store.accept_prior(stored.clone(), actor, detail).await {
            tracing::warn!(model, "prior {version} is verified, but not in the ledger: {error}");
            return Err(error);
        }
        self.events.ledger_works();
        tracing::info!(model, version, %digest, "prior {version} of {model} is accepted");
        let sensors = prior.sensors;
        self.priors.held.insert(model.clone(), Held { stored, counts: Some(prior) });
        let text = format!("prior {version} of {model}, made of {sensors} sensors, counts");
        Ok(self.of_document(&model, version, digest, Verdict::Accepted, text))
    }

    fn verify_prior(&self, envelope: &[u8]) -> Result<Accepted, Refused> {
        let here = |model: &str| self.has_model(model);
        verify_prior(
            envelope,
            &Standpoint {
                root: self.roots.installed(),
                fleet: &self.fleet,
                models: Some(&here),
                time: self.time_view(),
                floors: &|model| self.priors.floor(model),
                accepted: &|digest| self.priors.held.values().any(|held| held.stored.digest == *digest),
            },
        )
    }

    async fn turn_prior_away(&mut self, item: Item, refused: Refused) -> Ack {
        let model = item.arrived.id;
        // Somebody on the gateway brings one without a topic, and is told.
        let elsewhere = refused.refusal.reason == Reason::NotForThisGateway && !model.is_empty();
        if elsewhere && self.priors.elsewhere.len() < ELSEWHERE {
            self.priors.elsewhere.insert(model.clone());
        }
        let name = if model.is_empty() { NAME } else { &model };
        self.refuse_by(name, &item.way, refused).await
    }

    /// After the sensors or their instruments have changed: a prior that was refused before may be for one of them.
    pub(super) fn ask_for_priors(&mut self) {
        let elsewhere = std::mem::take(&mut self.priors.elsewhere);
        let before = elsewhere.len();
        let elsewhere = elsewhere.into_iter().filter(|model| !self.has_model(model)).collect();
        self.priors.elsewhere = elsewhere;
        if self.priors.elsewhere.len() < before {
            self.asking.want();
        }
    }

    /// Whether a sensor here is of this model, or one that a template would make.
    fn has_model(&self, model: &str) -> bool {
        let enrolled = self.enrolled.counts().is_some_and(|enrolment| {
            let mut ours = enrolment.sensors.iter().filter(|(_, it)| it.model.as_deref() == Some(model));
            ours.any(|(sensor, _)| self.sensors.known_or_possible(sensor).is_some())
        });
        enrolled
            || self.sensors.any(|sensor| sensor.model.as_deref() == Some(model))
            || self.sensors.all().iter().any(|sensor| self.is_of(sensor, model))
    }

    /// Whether a sensor is of a model: that of the mounted instrument, or the enrolled one where it is not known.
    fn is_of(&self, sensor: &Sensor, model: &str) -> bool {
        let enrolled = self.enrolled.counts().and_then(|enrolment| enrolment.sensors.get(&sensor.id));
        let enrolled = enrolled.and_then(|enrolled| enrolled.model.as_deref());
        sensor.model.as_deref().or(enrolled) == Some(model)
    }

    /// The prior that fits of a sensor may use.
    pub(super) fn prior_of(&self, sensor: &Sensor) -> Option<ModelPrior> {
        let time = self.time_view();
        let ours = self.priors.held.iter().filter(|(model, _)| self.is_of(sensor, model));
        let mut counts = ours.filter_map(|(_, held)| held.counts.as_ref());
        counts.find(|prior| !time.is_past(prior.expires)).cloned()
    }

    /// The priors, whose fits may use them, and why they may not.
    pub(super) fn priors_held(&self) -> Vec<Prior> {
        let (time, sensors) = (self.time_view(), self.sensors.all());
        let shown = |held: &Held| {
            let Held { stored, counts } = held;
            let reason = match counts {
                None if stored.envelope.is_none() => {
                    Some("the ledger was lost, and the broker has not sent it again".to_owned())
                }
                None => Some("the trust root does not accept it any more".to_owned()),
                Some(prior) if time.is_past(prior.expires) => Some(format!("expired at {}", prior.expires)),
                Some(_) => None,
            };
            let ours = sensors.iter().filter(|sensor| self.is_of(sensor, &stored.model));
            Prior {
                model: stored.model.clone(),
                version: stored.version,
                digest: stored.digest,
                accepted: stored.accepted,
                usable: reason.is_none(),
                reason,
                sensors: ours.map(|sensor| sensor.id.clone()).collect(),
                prior: counts.clone(),
            }
        };
        self.priors.held.values().map(shown).collect()
    }
}
