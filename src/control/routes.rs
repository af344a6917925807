//! What can be asked, version 1; `openapi.json` describes it.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use hyper::body::Body as _;

use super::answer::{PLACE, Problem, typed};
use super::erased::{get, post};
use super::gateway::Gateway;
use super::given::{LARGEST, too_large};
use super::openapi::OPENAPI;
use super::peer::{Peer, only};
use super::sockets::Role;
use super::{
    alerts, audit, backup, certificates, drift, health, instruments, maintenance, metrics, priors, readings,
    references, reload, restore, rollups, sensors, sessions, sources, standards, status, transforms, verify,
    watch,
};

/// What has to be answered whatever else goes on.
const STATUS: &str = "/v1/status";
const HEALTH: &str = "/v1/health";

/// All paths. What is not for everybody says so with [`super::peer::only`].
pub fn all() -> Vec<(&'static str, MethodRouter<Gateway>)> {
    vec![
        (STATUS, get(status::show)),
        (HEALTH, get(health::show)),
        ("/v1/sensors", get(sensors::list)),
        ("/v1/sensors/{id}", get(sensors::one)),
        ("/v1/sensors/{id}/instrument", only(Role::Maintenance, post(instruments::mount))),
        ("/v1/sensors/{id}/instruments", get(instruments::history)),
        ("/v1/sensors/{id}/maintenance", only(Role::Maintenance, post(maintenance::set))),
        ("/v1/sensors/{id}/references", only(Role::Maintenance, post(references::add))),
        ("/v1/sensors/{id}/references/withdraw", only(Role::Maintenance, post(references::withdraw))),
        ("/v1/references", get(references::list)),
        ("/v1/standards", get(standards::list).merge(only(Role::Maintenance, post(standards::add)))),
        ("/v1/sessions", get(sessions::list).merge(only(Role::Maintenance, post(sessions::open)))),
        ("/v1/sessions/{id}", get(sessions::one)),
        ("/v1/sessions/{id}/events", get(sessions::events)),
        (
            "/v1/sessions/{id}/certificate",
            only(Role::Maintenance, get(sessions::offer).post(sessions::certify)),
        ),
        ("/v1/sessions/{id}/{command}", only(Role::Maintenance, post(sessions::command))),
        ("/v1/priors", get(priors::list)),
        ("/v1/certificates", get(certificates::list)),
        ("/v1/certificates/{number}", get(certificates::one)),
        ("/v1/readings", get(readings::list)),
        ("/v1/rollups", get(rollups::list)),
        ("/v1/drift", get(drift::list)),
        ("/v1/alerts", get(alerts::list)),
        ("/v1/alerts/{id}", get(alerts::one)),
        ("/v1/alerts/{id}/acknowledge", only(Role::Maintenance, post(alerts::acknowledge))),
        ("/v1/alerts/{id}/silence", only(Role::Maintenance, post(alerts::silence))),
        ("/v1/alerts/missed", only(Role::Maintenance, post(alerts::missed))),
        ("/v1/transforms", get(transforms::list).merge(only(Role::Admin, post(transforms::install)))),
        ("/v1/transforms/{name}", get(transforms::one)),
        ("/v1/sensors/{id}/transforms", get(transforms::of_sensor)),
        ("/v1/sensors/{id}/rollback", only(Role::Admin, post(transforms::roll_back))),
        ("/v1/audit", get(audit::list)),
        ("/v1/audit/verify", get(verify::verify)),
        ("/v1/backup", only(Role::Admin, get(backup::backup))),
        (restore::PATH, only(Role::Admin, post(restore::restore))),
        ("/v1/metrics", get(metrics::show)),
        ("/v1/watch", get(watch::watch)),
        ("/v1/sources/{name}/test", get(sources::test)),
        ("/v1/reload", only(Role::Admin, post(reload::reload))),
        (
            "/v1/openapi.json",
            get(async || typed(StatusCode::OK, "application/json", Bytes::from_static(OPENAPI))),
        ),
    ]
}

/// The interface of a gateway.
pub fn router(gateway: Gateway) -> Router {
    let routes = all().into_iter().fold(Router::new(), |router, (path, route)| router.route(path, route));
    routes
        .fallback(async |request: Request| {
            let path = request.uri().path();
            Problem::unknown(format!("there is no {path}; GET /v1/openapi.json describes what there is"))
        })
        .method_not_allowed_fallback(async |request: Request| {
            let text =
                format!("{} is not possible here; GET /v1/openapi.json says what is", request.method());
            Problem::with(StatusCode::METHOD_NOT_ALLOWED, text)
        })
        .layer(DefaultBodyLimit::max(LARGEST))
        .layer(from_fn_with_state(gateway.clone(), bounded))
        .with_state(gateway)
}

/// Refuses what is too large or too much at a time.
async fn bounded(State(gateway): State<Gateway>, request: Request, next: Next) -> Response {
    if request.body().size_hint().lower() > LARGEST as u64 && request.uri().path() != restore::PATH {
        return too_large().into_response();
    }
    let place = match request.uri().path() {
        HEALTH | STATUS => gateway.vital_place(),
        _ => gateway.place(Peer::of(request.extensions()).role),
    };
    match place {
        Some(place) => PLACE.scope(Arc::new(place), next.run(request)).await,
        None => Problem::unavailable("too many requests at a time; try again").into_response(),
    }
}
