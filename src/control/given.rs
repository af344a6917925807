//! The body of a request.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use super::answer::Problem;
use crate::domain::reference::is_text;

/// A body may have so many bytes: an artifact of the largest size as text in JSON fits.
pub const LARGEST: usize = 512 * 1024;

/// A body in JSON; an empty one counts as `{}`.
#[derive(Debug)]
pub struct Given<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Given<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Given<T>, Problem> {
        let bytes = bytes(request, state).await?;
        let text = if bytes.is_empty() { b"{}" } else { bytes.as_ref() };
        // A list of values would do for serde.
        if text.trim_ascii_start().first() != Some(&b'{') {
            return Err(Problem::bad("the body is no JSON object"));
        }
        let unusable = |fault| Problem::bad(format!("the body cannot be used: {fault}"));
        serde_json::from_slice(text).map(Given).map_err(unusable)
    }
}

/// Checks a text that somebody has written: at most `longest` characters.
pub fn text(name: &str, text: &str, longest: usize) -> Result<(), Problem> {
    if !is_text(text, longest) {
        let wanted = format!("a text of 1 to {longest} characters without control characters");
        return Err(Problem::bad(format!("{name}: give {wanted}, or leave it out where that is possible")));
    }
    Ok(())
}

/// A sequence number that was asked for: at most what the history can hold.
pub fn number(name: &str, given: Option<u64>) -> Result<Option<u64>, Problem> {
    const MOST: u64 = i64::MAX as u64;
    match given {
        Some(number) if number > MOST => {
            Err(Problem::bad(format!("{name} is {number}; the largest is {MOST}")))
        }
        given => Ok(given),
    }
}

/// A body as it came.
pub async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        status => Problem::with(status, format!("the body cannot be read: {}", rejection.body_text())),
    })
}

/// The answer to a body that is too large.
pub fn too_large() -> Problem {
    let text = format!("the body is larger than {LARGEST} bytes; send less");
    Problem::with(StatusCode::PAYLOAD_TOO_LARGE, text)
}
