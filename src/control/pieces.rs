//! Answers that come in pieces.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::Response;
use hyper::body::Frame;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::answer::with_body;

/// The type of server-sent events.
pub const EVENTS: &str = "text/event-stream";

/// An answer whose body is what comes through a channel; the permit is given back when the client is gone.
pub fn streamed(
    kind: &'static str,
    pieces: mpsc::Receiver<Bytes>,
    permit: Option<OwnedSemaphorePermit>,
) -> Response {
    with_body(StatusCode::OK, kind, Body::new(Pieces { pieces, _permit: permit }))
}

/// A server-sent event.
pub fn event(name: &str, data: &impl Serialize) -> Bytes {
    // Texts, numbers and structs of them always serialise.
    let text = serde_json::to_string(data).unwrap_or_default();
    format!("event: {name}\ndata: {text}\n\n").into()
}

struct Pieces {
    pieces: mpsc::Receiver<Bytes>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.pieces.poll_recv(context).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}
