//! Answers: JSON, or a problem with a sentence.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;

use crate::runtime::task;
use crate::store::StoreError;
use crate::wire::control;

/// A request that is not answered as asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    error: String,
}

/// What a handler gives.
pub type Answer = Result<Response, Problem>;

impl Problem {
    /// The request makes no sense.
    pub fn bad(error: impl Into<String>) -> Problem {
        Problem { status: StatusCode::BAD_REQUEST, error: error.into() }
    }

    /// The thing asked about does not exist.
    pub fn unknown(error: impl Into<String>) -> Problem {
        Problem { status: StatusCode::NOT_FOUND, error: error.into() }
    }

    /// It cannot be answered now.
    pub fn unavailable(error: impl Into<String>) -> Problem {
        Problem { status: StatusCode::SERVICE_UNAVAILABLE, error: error.into() }
    }

    /// Another status.
    pub fn with(status: StatusCode, error: impl Into<String>) -> Problem {
        Problem { status, error: error.into() }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        Problem::unavailable(error.to_string())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Problem {
        let text = rejection.body_text();
        let what = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
        Problem::bad(format!("the query cannot be used: {what}"))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        response(self.status, &control::Problem { error: self.error })
    }
}

tokio::task_local! {
    /// The place of the request that is being answered.
    pub static PLACE: Arc<OwnedSemaphorePermit>;
}

/// Does work to its end even if the client leaves: a change must not be left half made. It keeps the request's
/// place for as long.
pub async fn to_its_end(work: impl Future<Output = Answer> + Send + 'static) -> Answer {
    let fault =
        |_| Problem::with(StatusCode::INTERNAL_SERVER_ERROR, "a fault of the program; please report it");
    let place = PLACE.try_with(Arc::clone).ok();
    let kept = async move {
        let answer = work.await;
        drop(place);
        answer
    };
    task::spawn(kept).await.map_err(fault)?
}

/// An answer in JSON.
pub fn json(value: &impl Serialize) -> Answer {
    Ok(response(StatusCode::OK, value))
}

fn response(status: StatusCode, value: &impl Serialize) -> Response {
    // Texts, numbers and structs of them always serialise.
    let text = serde_json::to_vec(value).unwrap_or_default();
    typed(status, "application/json", text.into())
}

/// An answer of any type that nobody is to keep.
pub fn typed(status: StatusCode, kind: &'static str, bytes: Bytes) -> Response {
    with_body(status, kind, Body::from(bytes))
}

/// An answer of any type and body that nobody is to keep.
pub fn with_body(status: StatusCode, kind: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use tokio::sync::{Semaphore, oneshot};

    use super::*;

    #[tokio::test]
    async fn work_that_goes_on_without_its_client_keeps_the_place() {
        let places = Arc::new(Semaphore::new(1));
        let permit = Arc::new(places.clone().try_acquire_owned().unwrap());
        let (end, ended) = oneshot::channel::<()>();
        let work = to_its_end(async move {
            let _ = ended.await;
            json(&())
        });
        let client = tokio::spawn(PLACE.scope(permit, work));
        tokio::task::yield_now().await;
        client.abort();
        assert!(client.await.unwrap_err().is_cancelled());
        assert_eq!(places.available_permits(), 0);
        end.send(()).unwrap();
        let _free = places.acquire().await.unwrap();
    }
}
