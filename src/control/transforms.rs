//! `/v1/transforms` and what belongs to one sensor of it

use std::time::Duration;

use axum::extract::{Path, Request, State};
use tokio::sync::oneshot;

use super::answer::{Answer, Problem, json};
use super::gateway::Gateway;
use super::given::{Given, bytes};
use super::peer::Peer;
use super::readings::known;
use crate::activation::desk::{Answered, Ask, Declined, RollBack, back};
use crate::domain::id::SensorId;
use crate::domain::session::Stage;
use crate::domain::time::Timestamp;
use crate::domain::trust::envelope::Envelope;
use crate::store::{PastActivation, StoredTransform};
use crate::wire::control::{HeldTransform, InForce, Rollback, SensorTransforms, Transforms};

/// How long the desk may take: longer than a slow disk, shorter than calibctl waits.
const DESK: Duration = Duration::from_secs(8);

/// What is in force.
pub async fn list(State(gateway): State<Gateway>) -> Answer {
    let transforms = gateway.in_force().await?.into_values().collect();
    let rollouts = gateway.rollouts(None).await;
    json(&Transforms { transforms, rollouts })
}

/// One transform that was accepted.
pub async fn one(State(gateway): State<Gateway>, Path(name): Path<String>) -> Answer {
    let unknown = || Problem::unknown(format!("no transform `{name}` was accepted here"));
    let mut found = gateway.store.transforms_named(&name).await?;
    let stored = found.pop().ok_or_else(unknown)?;
    if let Some(other) = found.pop() {
        let text = format!("{} and {} begin with `{name}`; give more digits", other.digest, stored.digest);
        return Err(Problem::bad(text));
    }
    json(&held(&gateway, stored).await?)
}

async fn held(gateway: &Gateway, stored: StoredTransform) -> Result<HeldTransform, Problem> {
    // It was read when it was accepted; another file's bytes in the ledger are no reason to end.
    let spoilt = || Problem::unavailable(format!("{}: the ledger's envelope cannot be read", stored.digest));
    let opened = Envelope::parse(&stored.envelope).map_err(|_| spoilt())?;
    let transform = serde_json::from_slice(&opened.payload).map_err(|_| spoilt())?;
    let envelope = serde_json::from_slice(&stored.envelope).map_err(|_| spoilt())?;
    let in_force = gateway.in_force().await?.into_values();
    let sensors = in_force.filter(|it| it.digest == stored.digest).map(|it| it.sensor).collect();
    let StoredTransform { digest, id, epoch, version, keyids, accepted, .. } = stored;
    Ok(HeldTransform { digest, id, epoch, version, keyids, accepted, sensors, transform, envelope })
}

/// What was in force at a sensor, from the newest.
pub async fn of_sensor(State(gateway): State<Gateway>, Path(name): Path<String>) -> Answer {
    let sensor = named(&name)?;
    known(&gateway, &name).await?;
    let past = gateway.store.activations(sensor.clone()).await?;
    let ends = past.iter().skip(1).map(|next| Some(next.since)).chain([None]);
    let mut transforms: Vec<InForce> = past.iter().zip(ends).map(|(put, until)| shown(put, until)).collect();
    transforms.reverse();
    json(&SensorTransforms { sensor, transforms, previous: back(&past) })
}

fn shown(put: &PastActivation, until: Option<Timestamp>) -> InForce {
    InForce {
        id: put.id.clone(),
        version: put.version,
        digest: put.digest,
        since: put.since,
        until,
        actor: put.actor.clone(),
        rolled_back: put.rolled_back,
    }
}

/// Judges a signed transform, and puts it in force if it passes.
pub async fn install(State(gateway): State<Gateway>, peer: Peer, request: Request) -> Answer {
    let envelope = bytes(request, &gateway).await?;
    if envelope.is_empty() {
        return Err(Problem::bad("the body is empty; send a signed transform"));
    }
    asked(&gateway, |answer| Ask::Install(envelope, peer.actor(), answer)).await
}

/// Goes back to an earlier transform.
pub async fn roll_back(
    State(gateway): State<Gateway>,
    peer: Peer,
    Path(name): Path<String>,
    Given(body): Given<Rollback>,
) -> Answer {
    let sensor = named(&name)?;
    // Of one whose way back fails nothing is measured or certified any more: what runs is for root to say.
    let reverting = gateway.session_at(&sensor).await?.filter(|open| open.stage == Stage::Reverting);
    let session = reverting.map(|open| open.id);
    let order = RollBack { sensor, to: body.digest, actor: peer.actor(), session };
    asked(&gateway, |answer| Ask::RollBack(order, answer)).await
}

/// A sensor, also one that a template has not made yet: a transform can be in force there.
fn named(name: &str) -> Result<SensorId, Problem> {
    SensorId::new(name).map_err(|_| Problem::unknown(format!("there is no sensor `{name}`")))
}

/// Asks the desk, and answers with what it says.
async fn asked(gateway: &Gateway, ask: impl FnOnce(Answered) -> Ask) -> Answer {
    let (sender, answer) = oneshot::channel();
    let asked = async {
        gateway.desk.send(ask(sender)).await.ok()?;
        answer.await.ok()
    };
    let late =
        || Problem::unavailable("the answer takes long; `calibctl transform list` shows whether it was done");
    match tokio::time::timeout(DESK, asked).await.ok().flatten().ok_or_else(late)? {
        Ok(ack) => json(&ack),
        Err(Declined::Unknown(text)) => Err(Problem::unknown(text)),
        Err(Declined::Store(error)) => Err(error.into()),
    }
}
