//! `/v1/sessions`: recalibration sessions, and the certificates that they end with.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Path, Query, Request, State};
use axum::http::StatusCode;
use serde::Deserialize;
use tokio::sync::oneshot;

use super::answer::{Answer, Problem, json, to_its_end};
use super::gateway::Gateway;
use super::given::{self, Given};
use super::peer::Peer;
use super::pieces::event;
use super::readings::{checked_limit, known_if};
use super::stream::{self, Shown};
use crate::domain::id::Id;
use crate::domain::session::Session;
use crate::domain::trust::key::KeyId;
use crate::recalibration::{self, Ask, Desire, Refused};
use crate::runtime::clients::Seat;
use crate::wire::control::{OpenSession, SessionCommand, SessionState, Sessions, WholeSession};

/// The query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    sensor: Option<String>,
    all: Option<bool>,
    limit: Option<usize>,
}

/// Whose keys are to sign a certificate: ids with commas between them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signers {
    key: Option<String>,
}

/// Whether the gateway's key is to sign.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    gateway_key: Option<bool>,
}

/// The sessions that are not over, or the last ones at all.
pub async fn list(State(gateway): State<Gateway>, wanted: Result<Query<Wanted>, QueryRejection>) -> Answer {
    let Query(wanted) = wanted?;
    let limit = checked_limit(wanted.limit)?;
    let sensor = known_if(&gateway, wanted.sensor.as_deref()).await?;
    let Sessions { mut sessions, gateway_key } = gateway.recalibration.open(true).await.ok_or_else(gone)?;
    sessions.retain(|state| sensor.as_ref().is_none_or(|sensor| state.sensor == *sensor));
    if wanted.all.unwrap_or(false) {
        let stored = gateway.store.sessions(None, sensor, limit).await?;
        let ended = stored.iter().filter_map(|text| serde_json::from_str::<Session>(text).ok());
        sessions.extend(ended.filter(|session| !session.is_open()).map(|session| SessionState::of(&session)));
    }
    json(&Sessions { sessions, gateway_key })
}

/// One session.
pub async fn one(State(gateway): State<Gateway>, Path(name): Path<String>) -> Answer {
    json(&whole(&gateway, &id(&name)?).await?)
}

async fn whole(gateway: &Gateway, id: &Id) -> Result<WholeSession, Problem> {
    let (ask, answer) = oneshot::channel();
    gateway.recalibration.asks.send(Ask::Show(id.clone(), ask)).await.map_err(|_| gone())?;
    if let Some(whole) = answer.await.map_err(|_| gone())? {
        return Ok(*whole);
    }
    let stored = gateway.store.sessions(Some(id.clone()), None, 1).await?.pop();
    let session = stored.and_then(|text| serde_json::from_str::<Session>(&text).ok());
    let session = session.ok_or_else(|| unknown(id.as_str()))?;
    Ok(WholeSession { state: SessionState::of(&session), session })
}

fn id(name: &str) -> Result<Id, Problem> {
    Id::new(name).map_err(|_| unknown(name))
}

fn unknown(name: &str) -> Problem {
    Problem::unknown(format!("there is no session `{name}`; `GET /v1/sessions?all=true` lists them"))
}

fn gone() -> Problem {
    Problem::unavailable("calibd is ending: try again when it has started")
}

/// Opens a session.
pub async fn open(State(gateway): State<Gateway>, peer: Peer, Given(wanted): Given<OpenSession>) -> Answer {
    asked(gateway, move |answer| Ask::Open(Box::new(wanted), peer.actor(), answer)).await
}

/// Does something with a session.
pub async fn command(
    State(gateway): State<Gateway>,
    Path((name, command)): Path<(String, String)>,
    peer: Peer,
    Given(given): Given<SessionCommand>,
) -> Answer {
    let id = id(&name)?;
    let desire = Desire::ALL.iter().find(|(name, _)| *name == command).map(|(_, desire)| *desire);
    let names = || Desire::ALL.map(|(name, _)| name).join(", ");
    let none = || Problem::unknown(format!("a session has no `{command}`; it has {}", names()));
    let desire = desire.ok_or_else(none)?;
    asked(gateway, move |answer| Ask::Do(id, desire, Box::new(given), peer.actor(), answer)).await
}

/// What is to be signed for a session to end with a certificate.
pub async fn offer(
    State(gateway): State<Gateway>,
    Path(name): Path<String>,
    wanted: Result<Query<Signers>, QueryRejection>,
) -> Answer {
    let id = id(&name)?;
    let Query(Signers { key }) = wanted?;
    let keys: Result<Vec<KeyId>, _> = key.iter().flat_map(|keys| keys.split(',')).map(KeyId::parse).collect();
    let keys = keys.map_err(|fault| Problem::bad(format!("key is no id of a key: {fault}")))?;
    let (answer, answered) = oneshot::channel();
    gateway.recalibration.asks.send(Ask::Offer(id, keys, answer)).await.map_err(|_| gone())?;
    json(&answered.await.map_err(|_| gone())?.map_err(problem)?)
}

/// Ends a session with the certificate that was signed.
pub async fn certify(
    State(gateway): State<Gateway>,
    Path(name): Path<String>,
    peer: Peer,
    wanted: Result<Query<Held>, QueryRejection>,
    request: Request,
) -> Answer {
    let id = id(&name)?;
    let Query(Held { gateway_key }) = wanted?;
    let held = gateway_key.unwrap_or(false);
    let envelope = given::bytes(request, &gateway).await?;
    asked(gateway, move |answer| Ask::Certify(id, envelope, held, peer.actor(), answer)).await
}

async fn asked(gateway: Gateway, ask: impl FnOnce(recalibration::Answer) -> Ask + Send + 'static) -> Answer {
    to_its_end(async move {
        let (answer, answered) = oneshot::channel();
        gateway.recalibration.asks.send(ask(answer)).await.map_err(|_| gone())?;
        json(&answered.await.map_err(|_| gone())?.map_err(problem)?)
    })
    .await
}

/// What is not there is said so; anything else that a session does not take conflicts with what it is.
fn problem(refused: Refused) -> Problem {
    let text = refused.to_string();
    match refused {
        Refused::Unknown(_) => Problem::unknown(text),
        Refused::Store(_) | Refused::Unavailable(_) => Problem::unavailable(text),
        Refused::Bad(_) | Refused::Fault(_) => Problem::with(StatusCode::CONFLICT, text),
    }
}

/// Where a session is, whenever that changes, until it is over.
pub async fn events(
    State(gateway): State<Gateway>,
    Extension(seat): Extension<Arc<Seat>>,
    Path(name): Path<String>,
) -> Answer {
    let id = id(&name)?;
    // Watched before it is looked at: nothing that happens between is lost.
    let live = gateway.recalibration.watch();
    let first = whole(&gateway, &id).await?.state;
    let mut first = Some(first);
    stream::answer(&gateway, seat, live, None, move |outlet, shown| match shown {
        Shown::Begin => {
            if let Some(state) = first.take() {
                outlet.offer(|| told(&state));
            }
        }
        Shown::New(state) if state.id == id => outlet.offer(|| told(&state)),
        Shown::New(_) | Shown::Silence => {}
    })
}

fn told(state: &SessionState) -> Bytes {
    event("session", state)
}
