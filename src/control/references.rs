//! `GET /v1/references`, `POST /v1/sensors/{id}/references` and `.../references/withdraw`

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use tokio::sync::oneshot;

use super::answer::{Answer, Problem, json, to_its_end};
use super::gateway::Gateway;
use super::given::{self, number, text};
use super::peer::Peer;
use super::readings::{checked_limit, known, known_if};
use crate::domain::id::SensorId;
use crate::domain::reference::{Given, Origin, Reference};
use crate::domain::time::Timestamp;
use crate::store::{Added, ReferenceRange, StoredReference};
use crate::tracking::about::{About, Came};
use crate::tracking::{self, Ask};
use crate::wire::control::{
    self, AddReferences, AddedReference, AddedReferences, References, Withdraw, Withdrawal, Withdrawn,
};
use crate::wire::message::ClockState;

/// References that one request may add or withdraw.
const MOST: usize = 1000;
/// The longest reason, in characters.
const LONGEST_REASON: usize = 500;

/// The query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    sensor: Option<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    automatic: Option<bool>,
    all: Option<bool>,
    after: Option<u64>,
    limit: Option<usize>,
}

/// References of a time range, from the first that was entered.
pub async fn list(State(gateway): State<Gateway>, wanted: Result<Query<Wanted>, QueryRejection>) -> Answer {
    let Query(wanted) = wanted?;
    let limit = checked_limit(wanted.limit)?;
    let sensor = known_if(&gateway, wanted.sensor.as_deref()).await?;
    let Wanted { since, until, automatic, all, .. } = wanted;
    let after = number("after", wanted.after)?.unwrap_or(0);
    let (automatic, all) = (automatic.unwrap_or(false), all.unwrap_or(false));
    let range =
        ReferenceRange { automatic, sensor, since, until, all, after, limit, ..ReferenceRange::default() };
    let page = gateway.store.references(range).await?;
    json(&References { references: page.references.into_iter().map(shown).collect(), after: page.after })
}

fn shown(stored: StoredReference) -> control::Reference {
    let StoredReference { number, reference, revision, superseded, actor, withdrawn } = stored;
    control::Reference {
        number,
        overdue: reference.is_overdue(),
        sensor: reference.sensor,
        id: reference.id,
        revision,
        superseded,
        since: reference.span.begin(),
        until: reference.span.end(),
        value: reference.value,
        u: reference.u,
        unit: reference.unit.to_string(),
        standard: reference.standard,
        flag: reference.flag.as_str().to_owned(),
        origin: reference.origin.as_str().to_owned(),
        event: reference.event.map(|event| event.to_string()),
        received: reference.received,
        actor,
        withdrawn: withdrawn.map(|it| Withdrawal { time: it.at, actor: it.actor, reason: it.reason }),
    }
}

/// Adds references of a sensor; each is taken or refused on its own.
pub async fn add(
    State(gateway): State<Gateway>,
    Path(name): Path<String>,
    peer: Peer,
    given::Given(wanted): given::Given<AddReferences>,
) -> Answer {
    if wanted.references.is_empty() || wanted.references.len() > MOST {
        return Err(Problem::bad(format!("give 1 to {MOST} references at a time")));
    }
    let sensor = known(&gateway, &name).await?;
    to_its_end(async move { added(&gateway, sensor, wanted, peer.actor()).await }).await
}

async fn added(gateway: &Gateway, sensor: SensorId, wanted: AddReferences, actor: String) -> Answer {
    let transform = gateway.in_force().await?.remove(&sensor);
    // One that a template made before the last start may not have been seen again yet.
    let configured = gateway.sensors.known_or_possible(&sensor);
    let unit = transform.as_ref().map(|transform| transform.unit.as_str());
    let came = Came {
        standards: gateway.store.standards().await?.into_iter().map(|kept| kept.standard).collect(),
        now: gateway.clock.now(),
        trusted: gateway.time.of(&gateway.clock) != ClockState::Untrusted,
        origin: if wanted.import { Origin::Import } else { Origin::Manual },
    };
    let about = About::new(sensor.clone(), configured.as_deref(), unit, came);
    let checked: Vec<_> = wanted.references.iter().map(|given| check(&about, given)).collect();
    let sound: Vec<_> = checked.iter().flatten().map(|(reference, _)| reference.clone()).collect();
    let outcomes = gateway.store.add_references(sound.clone(), &actor).await?;
    let is_new = |added: &Added| matches!(added, Added::New | Added::Revised(_));
    let new = sound.into_iter().zip(&outcomes).filter(|(_, added)| is_new(added)).map(|(it, _)| it).collect();
    // An error means that it has ended: they are paired after the next start.
    let _ = gateway.tracking.send(Ask::References(new)).await;
    let mut outcomes = outcomes.into_iter();
    let result = |checked: Result<(Reference, Option<String>), String>| match checked {
        Ok((reference, message)) => AddedReference {
            id: Some(reference.id),
            // One for each that was sound.
            outcome: outcomes.next().map_or("refused", Added::as_str).to_owned(),
            message,
        },
        Err(message) => AddedReference { id: None, outcome: "refused".to_owned(), message: Some(message) },
    };
    json(&AddedReferences { sensor, results: checked.into_iter().map(result).collect() })
}

/// The reference, and what else is to be known of it.
fn check(about: &About, given: &Given) -> Result<(Reference, Option<String>), String> {
    let reference = about.check(given).map_err(|error| error.to_string())?;
    let message = match &reference.standard {
        Some(id) if about.standard(given).is_none() => Some(format!(
            "there is no standard `{id}` here, so its due date is not known: add it with `calibctl standard add {id}`"
        )),
        Some(id) if reference.is_overdue() => Some(format!("the standard `{id}` was overdue")),
        _ => None,
    };
    Ok((reference, message))
}

/// Withdraws references of a sensor, with the pairs made of them.
pub async fn withdraw(
    State(gateway): State<Gateway>,
    Path(name): Path<String>,
    peer: Peer,
    given::Given(wanted): given::Given<Withdraw>,
) -> Answer {
    let Withdraw { ids, reason } = wanted;
    if ids.is_empty() || ids.len() > MOST {
        return Err(Problem::bad(format!("name 1 to {MOST} references at a time")));
    }
    reason.as_ref().map_or(Ok(()), |reason| text("reason", reason, LONGEST_REASON))?;
    let sensor = known(&gateway, &name).await?;
    to_its_end(async move {
        let (answer, answered) = oneshot::channel();
        let gone = || Problem::unavailable("calibd is ending: withdraw them again when it has started");
        let order = tracking::Withdraw { sensor: sensor.clone(), ids, actor: peer.actor(), reason };
        gateway.tracking.send(Ask::Withdraw(order, answer)).await.map_err(|_| gone())?;
        let withdrawn = answered.await.map_err(|_| gone())??;
        json(&Withdrawn { sensor, withdrawn })
    })
    .await
}
