//! `POST /v1/restore`: a backup of the ledger, to take its place at the next start.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use hyper::body::Body as _;
use tokio::io::AsyncWriteExt as _;

use super::answer::{Answer, Problem, json, to_its_end};
use super::gateway::Gateway;
use super::peer::Peer;
use super::verify::head;
use crate::domain::sample::TransformRef;
use crate::runtime::clients::Seat;
use crate::store::{Staging, StoredFloor};
use crate::wire::control::{AuditHead, KeptFloor, Restoring, SensorChange, TransformName};

/// The only path whose bodies may be larger than the others'.
pub const PATH: &str = "/v1/restore";
/// A backup may have so many bytes.
const LARGEST: u64 = 1 << 30;
/// How a database begins (https://www.sqlite.org/fileformat.html, 1.2).
const SQLITE: &[u8] = b"SQLite format 3\0";
/// A client that sends nothing for so long is sent away.
const STUCK: Duration = Duration::from_secs(60);

/// Takes a backup, checks it and lays it ready.
pub async fn restore(
    State(gateway): State<Gateway>,
    Extension(seat): Extension<Arc<Seat>>,
    peer: Peer,
    body: Body,
) -> Answer {
    let turn = gateway.long_work()?;
    seat.stay();
    let (upload, file) = gateway.store.upload()?;
    receive(&gateway, body, tokio::fs::File::from_std(file)).await?;
    to_its_end(async move {
        let _turn = turn;
        let actor = peer.actor();
        let staging = gateway.store.stage(upload, gateway.fleet.clone(), actor.clone()).await?;
        let staging = staging.map_err(refused)?;
        tracing::warn!(actor, "a backup of the ledger takes its place at the next start");
        json(&shown(staging))
    })
    .await
}

fn refused(fault: impl std::fmt::Display) -> Problem {
    Problem::with(StatusCode::CONFLICT, format!("this file cannot be restored: {fault}"))
}

async fn receive(gateway: &Gateway, mut body: Body, mut file: tokio::fs::File) -> Result<(), Problem> {
    let unkept = |fault| Problem::unavailable(format!("the file cannot be kept in store.dir: {fault}"));
    let (mut length, mut head) = (0, Vec::new());
    while let Some(piece) = piece(&mut body).await? {
        // What is no database at all is sent away before it fills the disk.
        if head.len() < SQLITE.len() {
            head.extend(piece.iter().take(SQLITE.len() - head.len()));
            if !SQLITE.starts_with(&head) {
                return Err(refused("it is not a database of SQLite"));
            }
        }
        if !gateway.store.has_room() {
            return Err(Problem::unavailable(
                "the disk of store.dir has no room for it; free some, and try again",
            ));
        }
        length += piece.len() as u64;
        if length > LARGEST {
            let text = format!("the file has more than {LARGEST} bytes; no ledger is that large");
            return Err(Problem::with(StatusCode::PAYLOAD_TOO_LARGE, text));
        }
        file.write_all(&piece).await.map_err(unkept)?;
    }
    file.flush().await.map_err(unkept)
}

async fn piece(body: &mut Body) -> Result<Option<Bytes>, Problem> {
    let cut = |text: String| Problem::bad(format!("the file has not come whole: {text}"));
    loop {
        let next = poll_fn(|context| Pin::new(&mut *body).poll_frame(context));
        let late = |_| cut("nothing came for a minute".to_owned());
        let Some(frame) = tokio::time::timeout(STUCK, next).await.map_err(late)? else { return Ok(None) };
        if let Ok(data) = frame.map_err(|fault| cut(fault.to_string()))?.into_data() {
            return Ok(Some(data));
        }
    }
}

fn shown(staging: Staging) -> Restoring {
    let examined = &staging.examined;
    let height = |floor: &StoredFloor| [floor.epoch, floor.version];
    let floors = staging.floors.iter().map(|(kept, backup)| KeptFloor {
        id: kept.id.clone(),
        kept: height(kept),
        backup: backup.as_ref().map(height),
    });
    let name = |TransformRef { id, version, digest }| TransformName { id, version, digest };
    let changes = staging.changes.into_iter().map(|(sensor, now, then)| SensorChange {
        sensor,
        now: now.map(name),
        then: then.map(name),
    });
    Restoring {
        audit: head(examined),
        last: examined.last,
        root_version: examined.root.as_ref().map(|root| root.version),
        transforms: examined.transforms,
        present: staging.present.map(|(rows, head)| AuditHead { rows, head }),
        floors: floors.collect(),
        changes: changes.collect(),
    }
}
