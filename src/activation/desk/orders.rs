//! Orders of the fleet: judged, followed at the sensors that hold their transform, answered.

use serde_json::json;
use tokio::sync::mpsc;

use super::turn::Turn;
use super::waiting::order_about;
use super::{Desk, Item, Reach};
use crate::domain::digest::Digest;
use crate::domain::id::{Id, SensorId};
use crate::domain::rollout::{self, Event, Refused as NoEffect};
use crate::domain::trust::order::{Ordered, Standpoint, verify_order};
use crate::domain::trust::reason::{Reason, Refusal};
use crate::domain::trust::scope::Place;
use crate::domain::trust::target::SensorFacts;
use crate::domain::trust::verify::Refused;
use crate::pipeline::run::Request;
use crate::store::{StoreError, StoredOrder};
use crate::sync::downlink::Artifact as Kind;
use crate::wire::message::{Ack, CommandReply, Verdict};

impl Desk {
    /// Judges an order and answers it, to whoever asked, too; an error says why one that is to be followed could not be
    /// written down.
    pub(super) async fn judge_order(
        &mut self,
        item: Item,
        pipeline: &mpsc::Sender<Request>,
    ) -> Result<Ack, StoreError> {
        let correlation = item.arrived.correlation.clone();
        let ordered = self.verify_order(&item.arrived.payload);
        let (action, sensors) = match &ordered {
            Ok(ordered) => (Some(ordered.order.action.as_str()), ordered.sensors.clone()),
            Err(_) => (None, Vec::new()),
        };
        let ack = self.decide_order(item, ordered, pipeline).await?;
        if correlation.is_some() {
            let Ack { digest, version, verdict, reason, message, time, .. } = ack.clone();
            let command = action.filter(|_| verdict != Verdict::Refused);
            let serial = version;
            let reply = CommandReply { digest, command, serial, verdict, reason, message, sensors, time };
            self.reports.reply(&reply, correlation);
        }
        Ok(ack)
    }

    async fn decide_order(
        &mut self,
        item: Item,
        ordered: Result<Ordered, Refused>,
        pipeline: &mpsc::Sender<Request>,
    ) -> Result<Ack, StoreError> {
        let ordered = match ordered {
            Ok(ordered) if ordered.already_applied => {
                let text = "this order was followed before".to_owned();
                return Ok(self.answer_order(&ordered, Verdict::AlreadyApplied, text));
            }
            Ok(ordered) => ordered,
            Err(refused) => return Ok(self.turn_order_away(item, refused).await),
        };
        self.waiting.retain(|waiting| waiting.arrived.id != order_about(&ordered.order.id));
        let outcome = self.follow_order(&ordered, item.way.actor(), pipeline).await;
        match outcome {
            Ok(Ok(sentence)) => Ok(self.answer_order(&ordered, Verdict::Accepted, sentence)),
            Ok(Err(why)) => {
                let refused = refusal(&ordered, &why);
                Ok(self.refuse(ordered.order.id.as_str(), item.way.actor(), refused).await)
            }
            Err(error) => {
                self.not_written(item, order_about(&ordered.order.id), &ordered.order.id, &error);
                Err(error)
            }
        }
    }

    /// Whether an order that waits could be followed now, or would be refused for another reason.
    pub(super) fn order_goes_on(&self, payload: &[u8]) -> bool {
        let outcome = self.verify_order(payload);
        outcome.map_or_else(|refused| refused.refusal.reason != Reason::UnknownSensor, |_| true)
    }

    fn verify_order(&self, payload: &[u8]) -> Result<Ordered, Refused> {
        let standpoint = Standpoint {
            root: self.roots.installed(),
            fleet: &self.fleet,
            place: Place { gateway: Some(&self.gateway), enrolment: self.enrolled.counts() },
            time: self.time_view(),
            holding: &|id, digest| self.holding(id, digest),
            last: &|id| self.orders.get(id).copied(),
        };
        verify_order(payload, &standpoint)
    }

    /// The sensors that hold a transform in some way, under the id that an order names.
    fn holding(&self, id: &Id, digest: &Digest) -> Vec<(SensorId, SensorFacts)> {
        let facts = Reach::of(self).sensors;
        let mut sensors = self.rollouts.holding(id, digest);
        sensors.retain(|sensor| {
            let active = self.installed.get(sensor).map(|installed| &installed.active.reference);
            active.is_none_or(|active| active.digest != *digest || active.id == *id)
        });
        sensors.into_iter().filter_map(|sensor| Some((sensor.clone(), facts(&sensor)?))).collect()
    }

    /// Has an order followed at its sensors; what came of it, or why it has no effect at any.
    async fn follow_order(
        &mut self,
        ordered: &Ordered,
        actor: &str,
        pipeline: &mpsc::Sender<Request>,
    ) -> Result<Result<String, NoEffect>, StoreError> {
        let Ordered { order, sensors, .. } = ordered;
        let actor = format!("{actor}:fleet");
        let by = format!("the fleet (order {})", order.serial);
        let mut turn = Turn::new(self.clock.now(), actor.clone());
        let (id, serial, digest) = (order.id.clone(), order.serial, ordered.digest);
        turn.step.order = Some(StoredOrder { id, serial, digest });
        let detail = json!({ "action": order.action, "digest": order.digest, "percent": order.percent,
            "serial": serial, "sensors": sensors, "order": digest });
        let row = [actor.as_str(), "order.followed", order.id.as_str(), &detail.to_string()];
        turn.step.audits.push(row.map(str::to_owned));
        let (mut why, mut followed) = (None, 0);
        for sensor in sensors {
            let wanted =
                rollout::Order { action: order.action, digest: order.digest, percent: order.percent };
            match self.tell(&mut turn, sensor, Event::Ordered { order: wanted, by: by.clone() }).await? {
                Ok(()) => followed += 1,
                Err(refused) => why = Some(refused),
            }
        }
        match why {
            Some(why) if followed == 0 => return Ok(Err(why)),
            _ => {}
        }
        let sentence = turn.said.last().map(|said| said.sentence.clone());
        self.carry_out(turn, pipeline).await?;
        self.orders.insert(order.id.clone(), (serial, digest));
        Ok(Ok(sentence.unwrap_or_else(|| "followed: it changes nothing here".to_owned())))
    }

    async fn turn_order_away(&mut self, mut item: Item, mut refused: Refused) -> Ack {
        let (way, known) = (item.way.clone(), refused.by_known_key);
        let topic_id = item.arrived.id.clone();
        // Its transform may be on its way.
        let waits = refused.refusal.reason == Reason::UnknownSensor;
        if let Some(id) = refused.id.as_ref().filter(|_| known && waits) {
            item.arrived.id = order_about(id);
            if self.wait(item) {
                refused.refusal.message.push_str("; it waits here until then");
            }
        }
        self.refuse_by(&topic_id, &way, refused).await
    }

    fn answer_order(&mut self, ordered: &Ordered, verdict: Verdict, message: String) -> Ack {
        let stages = ordered.sensors.iter().filter_map(|sensor| self.stage(sensor, ordered.order.digest));
        let stage = super::place::least(stages);
        let ack = Ack {
            digest: Some(ordered.digest),
            id: ordered.order.id.to_string(),
            version: Some(ordered.order.serial),
            verdict,
            reason: None,
            message,
            stage: stage.map(|stage| stage.as_str().into()),
            time: self.clock.now(),
        };
        self.reports.ack(ack.clone(), &[]);
        ack
    }
}

impl Item {
    /// Whether it is an order that waits for its transform.
    pub(super) fn is_order(&self) -> bool {
        self.arrived.what == Kind::Order
    }
}

fn refusal(ordered: &Ordered, why: &NoEffect) -> Refused {
    let reason = match why {
        NoEffect::Older(..) | NoEffect::Ended(..) => Reason::RolledBackVersion,
        NoEffect::Unknown(_) => Reason::UnknownSensor,
        NoEffect::NoShare(_) => Reason::InvalidContent,
        NoEffect::Settled(_) | NoEffect::NothingBefore(_) => Reason::Conflict,
    };
    let (id, version) = (Some(ordered.order.id.clone()), Some(ordered.order.serial));
    let refusal = Refusal::new(reason, why.to_string());
    Refused { refusal, digest: Some(ordered.digest), id, version, by_known_key: true }
}
