//! Who is at the other end of a connection, and what the socket lets them do.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{Extensions, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;

use super::answer::Problem;
use super::gateway::Gateway;
use super::sockets::Role;

/// Who is at the other end, as the kernel says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The user's number, where the kernel gives it.
    pub uid: Option<u32>,
    /// The socket that was used.
    pub role: Role,
}

impl Peer {
    /// Who it is by a request's extensions. Every connection notes its peer; without one nothing but reading is allowed.
    pub fn of(extensions: &Extensions) -> Peer {
        extensions.get().copied().unwrap_or(Peer { uid: None, role: Role::Control })
    }

    /// How the audit names the user: `user:NAME`, or `uid:NUMBER` for a number without a name.
    pub fn actor(self) -> String {
        let Some(uid) = self.uid else { return "unknown".to_owned() };
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        name_in(&users, uid).map_or_else(|| format!("uid:{uid}"), |name| format!("user:{name}"))
    }
}

/// The name of a user in the text of passwd(5).
fn name_in(users: &str, uid: u32) -> Option<&str> {
    let mut lines = users.lines().map(|line| line.split(':'));
    lines.find_map(|mut fields| {
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Peer, Infallible> {
        Ok(Peer::of(&parts.extensions))
    }
}

/// The route for those only who came in by the socket of `role`, or by one that may do more.
pub fn only(role: Role, route: MethodRouter<Gateway>) -> MethodRouter<Gateway> {
    route.route_layer(from_fn(move |peer, request, next| admit(role, peer, request, next)))
}

async fn admit(role: Role, peer: Peer, request: Request, next: Next) -> Response {
    if peer.role >= role {
        return next.run(request).await;
    }
    let (here, there) = (peer.role.file_name(), role.file_name());
    let text = format!("{here} does not allow this; use {there}");
    Problem::with(StatusCode::FORBIDDEN, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_named_where_they_have_a_name() {
        let users = "root:x:0:0::/:\nbroken\nann:x:1000:1000::/home/ann:/bin/sh\n:x:7:7::/:\n";
        assert_eq!(name_in(users, 1000), Some("ann"));
        assert_eq!((name_in(users, 7), name_in(users, 10)), (None, None));
        assert_eq!(Peer { uid: Some(u32::MAX - 7), role: Role::Admin }.actor(), "uid:4294967288");
    }
}
