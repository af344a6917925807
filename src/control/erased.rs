//! Handlers of one type.
//!
//! The framework makes services of its own for each type of handler: with 26 of them some 15 kB of the program.

use std::pin::Pin;
use std::sync::Arc;

use axum::extract::Request;
use axum::handler::Handler;
use axum::response::Response;
use axum::routing::MethodRouter;

use super::gateway::Gateway;

type Answer = Pin<Box<dyn Future<Output = Response> + Send>>;

/// A handler of whatever type.
#[derive(Clone)]
struct Erased(Arc<dyn Fn(Request, Gateway) -> Answer + Send + Sync>);

impl Handler<Erased, Gateway> for Erased {
    type Future = Answer;

    fn call(self, request: Request, gateway: Gateway) -> Answer {
        (self.0)(request, gateway)
    }
}

fn erased<T, H: Handler<T, Gateway>>(handler: H) -> Erased {
    Erased(Arc::new(move |request, gateway| Box::pin(handler.clone().call(request, gateway))))
}

/// Answers GET (and HEAD) with `handler`.
pub fn get<T: 'static, H: Handler<T, Gateway>>(handler: H) -> MethodRouter<Gateway> {
    axum::routing::get(erased(handler))
}

/// Answers POST with `handler`.
pub fn post<T: 'static, H: Handler<T, Gateway>>(handler: H) -> MethodRouter<Gateway> {
    axum::routing::post(erased(handler))
}
