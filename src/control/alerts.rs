//! `/v1/alerts`: what is told of sensors, and what people say to it.

use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json as object;

use super::answer::{Answer, Problem, json, to_its_end};
use super::gateway::{Gateway, PATIENCE};
use super::given::{Given, number, text};
use super::peer::Peer;
use super::readings::{checked_limit, known, known_if};
use crate::domain::alert::{Alert, Event, Refused, Silence, Tally};
use crate::domain::id::SensorId;
use crate::domain::order;
use crate::wire::control::{Acknowledge, Alerts, Hush, Miss, Missed};

/// How long an answer or a change may take: longer than a slow disk, shorter than calibctl waits.
const DONE: Duration = Duration::from_secs(8);
/// Alerts that the store reads at a time.
const PAGE: usize = 1000;
/// How long a silence lasts unless asked otherwise, and at most, in seconds.
const USUAL: u64 = 2 * 3600;
const LONGEST: u64 = 30 * 86_400;
/// The longest reason, in characters: as many as an alert keeps.
const LONGEST_REASON: usize = 400;
/// An identifier may be as short as this, and has so many digits when it is whole.
const FEWEST: usize = 4;
const WHOLE: usize = 16;

/// The query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    sensor: Option<String>,
    history: Option<bool>,
    before: Option<u64>,
    limit: Option<usize>,
}

/// The alerts that stand or wait to be acknowledged, or those that are over.
pub async fn list(State(gateway): State<Gateway>, wanted: Result<Query<Wanted>, QueryRejection>) -> Answer {
    let Query(wanted) = wanted?;
    let limit = checked_limit(wanted.limit)?;
    let before = number("before", wanted.before)?;
    let sensor = known_if(&gateway, wanted.sensor.as_deref()).await?;
    let (mut alerts, tally) = standing(&gateway, sensor.clone(), DONE).await?;
    let mut next = None;
    if wanted.history.unwrap_or(false) {
        let limit = limit.min(PAGE);
        let past = gateway.store.past_alerts(before, limit).await?;
        next = past.last().filter(|_| past.len() == limit).map(|stored| stored.number);
        // One that is over has only the sensors that it names.
        let is_of = |alert: &Alert| sensor.as_ref().is_none_or(|sensor| alert.sensors.contains(sensor));
        let over = past.into_iter().map(|stored| stored.alert).filter(|it| it.cleared.is_some());
        alerts = over.filter(is_of).collect();
    } else {
        let place = |alert: &Alert| (alert.cleared.is_some(), alert.severity, alert.raised);
        order::sort_by(&mut alerts, |one, other| place(one).cmp(&place(other)));
    }
    let (precision, automation_success) = (tally.precision(), tally.automation_success());
    json(&Alerts { alerts, tally, precision, automation_success, before: next })
}

/// One alert, also one that is over.
pub async fn one(State(gateway): State<Gateway>, Path(name): Path<String>) -> Answer {
    let (alerts, _) = standing(&gateway, None, DONE).await?;
    if let Some(alert) = named(alerts, &name)? {
        return json(&alert);
    }
    let past = gateway.store.alerts_named(digits(&name)?).await?;
    let unknown = || Problem::unknown(format!("there is no alert `{name}`; see `calibctl alerts --history`"));
    json(&named(past, &name)?.ok_or_else(unknown)?)
}

/// Notes that somebody looked at an alert, and what they say.
pub async fn acknowledge(
    State(gateway): State<Gateway>,
    Path(name): Path<String>,
    peer: Peer,
    Given(wanted): Given<Acknowledge>,
) -> Answer {
    let alert = changeable(&gateway, &name).await?;
    let (actor, verdict) = (peer.actor(), wanted.verdict);
    let detail = object!({ "cause": alert.cause, "verdict": verdict }).to_string();
    let event = Event::Acknowledged { id: alert.id.clone(), by: actor.clone(), verdict };
    to_its_end(async move {
        gateway.store.audit(&actor, "alert.acknowledged", &alert.id, &detail).await?;
        json(&changed(&gateway, event).await?.unwrap_or(alert))
    })
    .await
}

/// Lets the cause of an alert not be published for a while.
pub async fn silence(
    State(gateway): State<Gateway>,
    Path(name): Path<String>,
    peer: Peer,
    Given(wanted): Given<Hush>,
) -> Answer {
    text("reason", &wanted.reason, LONGEST_REASON)?;
    let seconds = wanted.for_seconds.unwrap_or(USUAL);
    if seconds > LONGEST {
        let days = LONGEST / 86_400;
        return Err(Problem::bad(format!("a silence lasts {days} days at most; say it again then")));
    }
    let alert = changeable(&gateway, &name).await?;
    let actor = peer.actor();
    let until = gateway.clock.now().saturating_add_micros(seconds as i64 * 1_000_000);
    let silence = Silence { until, by: actor.clone(), reason: wanted.reason };
    let detail = object!({ "cause": alert.cause, "until": until, "reason": silence.reason }).to_string();
    let event = Event::Silenced { id: alert.id.clone(), silence };
    to_its_end(async move {
        gateway.store.audit(&actor, "alert.silenced", &alert.id, &detail).await?;
        json(&changed(&gateway, event).await?.unwrap_or(alert))
    })
    .await
}

/// Notes that a sensor was found wrong of which no alert told.
pub async fn missed(State(gateway): State<Gateway>, peer: Peer, Given(wanted): Given<Missed>) -> Answer {
    let sensor = known(&gateway, &wanted.sensor).await?;
    let (alerts, _) = standing(&gateway, Some(sensor.clone()), PATIENCE).await?;
    if let Some(alert) = alerts.into_iter().find(|alert| alert.cleared.is_none()) {
        return Err(refused(&Refused::NotMissed(alert.id)));
    }
    let actor = peer.actor();
    to_its_end(async move {
        gateway.store.audit(&actor, "alert.missed", sensor.as_str(), "").await?;
        changed(&gateway, Event::Missed { sensor: sensor.clone() }).await?;
        json(&Miss { sensor, missed: standing(&gateway, None, PATIENCE).await?.1.missed })
    })
    .await
}

/// The alerts that stand or wait to be acknowledged, all or those that tell of one sensor, in the order in which they
/// were raised; fails after `patience`. What has just happened is written first, and a card may take seconds for that.
pub async fn standing(
    gateway: &Gateway,
    sensor: Option<SensorId>,
    patience: Duration,
) -> Result<(Vec<Alert>, Tally), Problem> {
    let found = tokio::time::timeout(patience, gateway.alerting.list(sensor)).await;
    found.ok().flatten().ok_or_else(|| {
        Problem::unavailable("the alerts do not answer; see what the log says of the store and the disk")
    })
}

/// The alert of this name, if it stands or waits to be acknowledged.
async fn changeable(gateway: &Gateway, name: &str) -> Result<Alert, Problem> {
    let (alerts, _) = standing(gateway, None, PATIENCE).await?;
    named(alerts, name)?.ok_or_else(|| refused(&Refused::Unknown(name.to_owned())))
}

async fn changed(gateway: &Gateway, event: Event) -> Result<Option<Alert>, Problem> {
    let done = tokio::time::timeout(DONE, gateway.alerting.command(event)).await;
    let late = || Problem::unavailable("the alerts do not answer; see with `calibctl alerts` what counts");
    done.ok().flatten().ok_or_else(late)?.map_err(|why| refused(&why))
}

fn refused(why: &Refused) -> Problem {
    let status = match why {
        Refused::Unknown(_) => StatusCode::NOT_FOUND,
        Refused::NotMissed(_) | Refused::NotSuppressed | Refused::TooMany => StatusCode::CONFLICT,
    };
    Problem::with(status, why.to_string())
}

/// What an identifier begins with, as it is kept.
fn digits(name: &str) -> Result<String, Problem> {
    let fits = (FEWEST..=WHOLE).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let unusable = || {
        let wanted = format!("{FEWEST} to {WHOLE} hexadecimal digits");
        Problem::unknown(format!(
            "there is no alert `{name}`: give {wanted}, as `calibctl alerts` shows them"
        ))
    };
    if fits { Ok(name.to_ascii_lowercase()) } else { Err(unusable()) }
}

/// The one whose identifier begins so.
fn named(alerts: Vec<Alert>, name: &str) -> Result<Option<Alert>, Problem> {
    let digits = digits(name)?;
    let mut found = alerts.into_iter().filter(|alert| alert.id.starts_with(&digits));
    let first = found.next();
    match (&first, found.next()) {
        (Some(one), Some(other)) => {
            let text = format!("{} and {} begin with `{name}`; give more digits", one.id, other.id);
            Err(Problem::bad(text))
        }
        _ => Ok(first),
    }
}

/// How many stand.
pub fn open(alerts: &[Alert]) -> u64 {
    alerts.iter().filter(|alert| alert.cleared.is_none()).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(id: &str) -> Alert {
        let alert = object!({
            "id": id, "severity": "ticket", "cause": "drift co-1", "sensors": ["co-1"], "count": 1,
            "raised": "2026-11-24T10:00:00Z", "message": "it reads too high", "remedy": "calibrate it",
        });
        serde_json::from_value(alert).unwrap()
    }

    fn some() -> Vec<Alert> {
        ["00aa11bb22cc33dd", "00aa22bb22cc33dd", "ff00000000000000"].map(alert).to_vec()
    }

    #[test]
    fn an_identifier_may_be_short_while_it_is_the_only_one() {
        let found = |name: &str| named(some(), name).map(|found| found.map(|alert| alert.id));
        assert_eq!(found("00aa1"), Ok(Some("00aa11bb22cc33dd".to_owned())));
        assert_eq!(found("FF00"), Ok(Some("ff00000000000000".to_owned())));
        assert_eq!(found("00ab"), Ok(None));
        for (name, says) in [
            ("00aa", "00aa11bb22cc33dd and 00aa22bb22cc33dd begin with `00aa`"),
            ("00a", "give 4 to 16 hexadecimal digits"),
            ("drift", "give 4 to 16 hexadecimal digits"),
            ("00aa11bb22cc33dd0", "give 4 to 16 hexadecimal digits"),
        ] {
            let problem = format!("{:?}", found(name).unwrap_err());
            assert!(problem.contains(says), "{name}: {problem}");
        }
    }
}
