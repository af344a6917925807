//! `POST /v1/sensors/{id}/maintenance`

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::answer::{Answer, Problem, json, to_its_end};
use super::gateway::Gateway;
use super::given::{Given, text};
use super::peer::Peer;
use super::readings::known;
use crate::domain::id::SensorId;
use crate::store;
use crate::wire::control::{Maintain, Maintained, SessionState, Upkeep};

/// How long it lasts unless asked otherwise, and at most.
const USUAL: Duration = Duration::from_secs(2 * 3600);
const LONGEST: Duration = Duration::from_secs(30 * 86_400);
/// The longest reason, in characters.
const LONGEST_REASON: usize = 500;

/// Begins, changes or ends the maintenance of a sensor.
pub async fn set(
    State(gateway): State<Gateway>,
    Path(name): Path<String>,
    peer: Peer,
    Given(wanted): Given<Maintain>,
) -> Answer {
    let length = length(&wanted)?;
    let sensor = known(&gateway, &name).await?;
    if !wanted.on {
        without_session(&gateway, &sensor).await?;
    }
    to_its_end(async move {
        let (maintenance, actor) = (&gateway.maintenance, peer.actor());
        let now = if wanted.on {
            Some(maintenance.begin(sensor.clone(), length, wanted.reason, actor).await?)
        } else {
            maintenance.end(sensor.clone(), actor).await?;
            None
        };
        json(&Maintained { sensor, maintenance: now.map(shown) })
    })
    .await
}

/// A session keeps its sensor in maintenance, whoever began it: it would be back in a moment.
async fn without_session(gateway: &Gateway, sensor: &SensorId) -> Result<(), Problem> {
    match gateway.session_at(sensor).await? {
        None => Ok(()),
        Some(SessionState { id, .. }) => Err(Problem::with(
            StatusCode::CONFLICT,
            format!(
                "{sensor} stays in maintenance until its recalibration session {id} ends: go on with that by `calibctl recalibrate {sensor} --resume`, or end it by `calibctl recalibrate {sensor} --abort`"
            ),
        )),
    }
}

fn length(wanted: &Maintain) -> Result<Duration, Problem> {
    let Maintain { on, for_seconds, reason } = wanted;
    if !on && (for_seconds.is_some() || reason.is_some()) {
        return Err(Problem::bad("for_seconds and reason are for the begin of a maintenance, not its end"));
    }
    if let Some(reason) = reason {
        text("reason", reason, LONGEST_REASON)?;
    }
    let length = for_seconds.map_or(USUAL, Duration::from_secs);
    if length.is_zero() || length > LONGEST {
        let days = LONGEST.as_secs() / 86_400;
        return Err(Problem::bad(format!(
            "a maintenance lasts from a second to {days} days; say it again then"
        )));
    }
    Ok(length)
}

/// A maintenance as it is shown.
pub fn shown(upkeep: store::Upkeep) -> Upkeep {
    let store::Upkeep { since, until, reason, actor, .. } = upkeep;
    Upkeep { since, until, reason, actor }
}
