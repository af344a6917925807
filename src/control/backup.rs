//! `GET /v1/backup`: a whole copy of the ledger, made while it is in use.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use tokio::io::AsyncReadExt as _;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::answer::{Answer, Problem};
use super::gateway::Gateway;
use super::pieces::streamed;
use super::verify::head;
use crate::runtime::clients::Seat;
use crate::runtime::task;
use crate::wire::control::backup::{AUDIT_HEAD, AUDIT_ROWS, SHA256};

/// Bytes of a piece, and pieces that may wait for a client.
const PIECE: usize = 64 * 1024;
const BEHIND: usize = 4;
/// A client that takes nothing for so long is sent away.
const STUCK: Duration = Duration::from_secs(60);

/// The copy, with its digest and what it holds in the head of the answer.
pub async fn backup(State(gateway): State<Gateway>, Extension(seat): Extension<Arc<Seat>>) -> Answer {
    let turn = gateway.long_work()?;
    seat.stay();
    let broken = |fault| {
        let text = format!("the ledger is not whole, so it is not copied: {fault}; restore an older backup");
        Problem::with(StatusCode::CONFLICT, text)
    };
    let copy = gateway.store.copy().await?.map_err(broken)?;
    let audit = head(&copy.examined);
    let (pieces, taken) = mpsc::channel(BEHIND);
    let mut answer = streamed("application/vnd.sqlite3", taken, None);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(copy.length));
    let mut add = |name, text: String| {
        // Digits always make a header.
        let value = HeaderValue::from_str(&text).ok();
        value.and_then(|value| headers.insert(HeaderName::from_static(name), value));
    };
    add(SHA256, copy.sha256.to_string());
    add(AUDIT_ROWS, audit.rows.to_string());
    add(AUDIT_HEAD, audit.head.to_string());
    task::spawn(send(tokio::fs::File::from_std(copy.file), copy.length, pieces, turn));
    Ok(answer)
}

/// An answer that ends early shows by its length.
async fn send(
    mut file: tokio::fs::File,
    length: u64,
    pieces: mpsc::Sender<Bytes>,
    turn: OwnedSemaphorePermit,
) {
    let (mut left, mut turn) = (length, Some(turn));
    loop {
        let mut piece = vec![0; PIECE];
        match file.read(&mut piece).await {
            Ok(0) => return,
            Ok(read) => {
                piece.truncate(read);
                left = left.saturating_sub(read as u64);
            }
            Err(error) => {
                tracing::warn!("a backup is not sent to its end: {error}");
                return;
            }
        }
        // Whoever has the whole answer may ask for the next at once.
        if left == 0 {
            drop(turn.take());
        }
        match tokio::time::timeout(STUCK, pieces.send(piece.into())).await {
            Ok(Ok(())) => {}
            _ => return,
        }
    }
}
