//! `GET /v1/certificates` and `GET /v1/certificates/{number}`

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use serde::Deserialize;

use super::answer::{Answer, Problem, json};
use super::gateway::Gateway;
use super::given::number;
use super::readings::{checked_limit, known_if};
use crate::store::StoredCertificate;
use crate::wire::control::{CertificateHead, Certificates, OneCertificate};

/// Certificates that the store reads at a time.
const PAGE: usize = 1000;

/// The query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    sensor: Option<String>,
    before: Option<u64>,
    limit: Option<usize>,
}

/// The certificates that this gateway issued.
pub async fn list(State(gateway): State<Gateway>, wanted: Result<Query<Wanted>, QueryRejection>) -> Answer {
    let Query(wanted) = wanted?;
    let limit = checked_limit(wanted.limit)?.min(PAGE);
    let before = number("before", wanted.before)?;
    let sensor = known_if(&gateway, wanted.sensor.as_deref()).await?;
    let found = gateway.store.certificates(sensor, before, limit).await?;
    let before = found.last().filter(|_| found.len() == limit).map(|(place, _)| *place);
    let certificates = found.into_iter().map(|(_, stored)| head(&stored)).collect();
    json(&Certificates { certificates, before })
}

/// One certificate, as it was signed.
pub async fn one(State(gateway): State<Gateway>, Path(name): Path<String>) -> Answer {
    let unknown = || {
        Problem::unknown(format!("there is no certificate `{name}`; `calibctl certificate list` lists them"))
    };
    let stored = gateway.store.certificate(&name).await?.ok_or_else(unknown)?;
    let unreadable = |fault| Problem::unavailable(format!("certificate {name} cannot be read: {fault}"));
    let envelope = serde_json::from_slice(&stored.envelope).map_err(unreadable)?;
    json(&OneCertificate { certificate: head(&stored), envelope })
}

fn head(stored: &StoredCertificate) -> CertificateHead {
    let StoredCertificate { number, digest, sensor, session, issued, as_found, as_left, .. } = stored.clone();
    CertificateHead { number, sensor, session, issued, as_found, as_left, digest }
}
