//! Sessions for services that cannot use this crate: a proxy asks here before it lets a request through.
//!
//! [`ForwardAuth`] answers the checks of nginx's `auth_request` (also by ingress-nginx), Traefik's `ForwardAuth`, Caddy's
//! `forward_auth` and Envoy's `ext_authz` over HTTP. The program `user-metadata-auth` (feature `sidecar`) serves it; a service
//! of yours mounts it like any Tower service.
//!
#![doc = include_str!("docs.md")]

mod demand;
mod identity;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::Service;

pub use self::identity::{SESSION_HANDLE, TENANT_ID, USER_ID};

use self::demand::{Check, Demand, Method};
use crate::authenticator::{Authenticated, Authenticator, log};
use crate::problem::Problem;
use crate::session::claims::PrimitiveArrayClaim;

/// Answers whether a request that a proxy holds has a session, and whose; see the [module](crate::forward_auth).
///
/// ```
/// use http::Request;
/// use tower::Service;
/// use tower_user_metadata::forward_auth::{ForwardAuth, USER_ID};
/// # use tower_user_metadata::session::{Session, SessionVerifier, Verdict, VerifyInput};
/// use tower_user_metadata::{Authenticator, UserId, store::MemoryStore};
/// # #[derive(Debug)]
/// # struct Trusting;
/// # impl SessionVerifier for Trusting {
/// #     fn verify(&self, input: VerifyInput<'_>) -> Verdict {
/// #         let user = UserId::new(input.token).expect("a test");
/// #         Verdict::Ready(Ok(Some(Session::assertion(user, input.now + std::time::Duration::from_secs(60)).build())))
/// #     }
/// # }
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let verifier = Trusting;
/// let mut checks = ForwardAuth::new(Authenticator::new(verifier, MemoryStore::new()));
/// # let token = "alice";
/// let check = Request::get("/auth").header("authorization", format!("Bearer {token}")).body(())?;
/// let answer = checks.call(check).await?;
/// assert_eq!(answer.status(), 200);
/// assert_eq!(answer.headers()[USER_ID], "alice");
/// assert_eq!(checks.call(Request::get("/auth").body(())?).await?.status(), 401);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ForwardAuth {
    authenticator: Authenticator,
}

impl ForwardAuth {
    /// Checks sessions with this authenticator; what it demands, every path demands too. Refusals are rendered by its
    /// [`with_problem_response`](Authenticator::with_problem_response); nginx sends its clients no more than the status.
    #[must_use]
    pub fn new(authenticator: Authenticator) -> Self {
        Self { authenticator }
    }

    async fn answer(self, check: Request<()>) -> Response<Full<Bytes>> {
        // Any other path is a mistake in the proxy's configuration, which must not let anybody in.
        let Some(Check { demand, method }) = Check::from_path(check.uri().path()) else {
            return status(StatusCode::NOT_FOUND);
        };
        let method = match method {
            Method::Own => Ok(check.method().as_str()),
            Method::Forwarded => demand::forwarded_method(check.headers()),
        };
        let authenticator = match demand {
            Demand::Session => self.authenticator,
            Demand::Optional => self.authenticator.with_optional_sessions(),
            Demand::All { roles, permissions } => {
                let role = |role: String| PrimitiveArrayClaim::USER_ROLE.includes(role);
                let permission = |permission: String| PrimitiveArrayClaim::PERMISSION.includes(permission);
                let demands = roles.into_iter().map(role).chain(permissions.into_iter().map(permission));
                demands.fold(self.authenticator, Authenticator::with_claim_validator)
            }
        };
        let outcome = match method {
            Ok(method) => authenticator.authenticate(method, check.headers()).await,
            Err(error) => {
                log(&error);
                Err(error)
            }
        };
        match outcome {
            Ok(authenticated) => {
                let session = authenticated.map(|Authenticated { session, .. }| session);
                let mut response = status(StatusCode::OK);
                *response.headers_mut() = identity::headers(session.as_ref());
                response
            }
            Err(error) => authenticator.render(Problem::from(error).into_response()).map(Full::new),
        }
    }
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

impl<B> Service<Request<B>> for ForwardAuth {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    /// Ignores the body: proxies send none, or that of the request that they hold.
    fn call(&mut self, check: Request<B>) -> Self::Future {
        let (checks, check) = (self.clone(), check.map(drop));
        Box::pin(async move { Ok(checks.answer(check).await) })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::BodyExt;
    use tower::util::ServiceExt;

    use super::*;
    use crate::session::{AuthError, AuthErrorKind, Session, SessionVerifier, Verdict, VerifyInput};
    use crate::store::MemoryStore;
    use crate::user_id::UserId;

    /// Sessions that a database keeps.
    #[derive(Debug)]
    struct Kept;

    impl SessionVerifier for Kept {
        fn verify(&self, input: VerifyInput<'_>) -> Verdict {
            let (id, expires) = (input.token.to_owned(), input.now + Duration::from_secs(60));
            Verdict::Pending(Box::pin(async move {
                match id.as_str() {
                    "alices" => Ok(Some(Session::assertion(UserId::new("alice").expect("an id"), expires).build())),
                    "nobodys" => Ok(None),
                    "any" => Err(AuthError::new(AuthErrorKind::SessionsUnavailable)),
                    _ => Err(AuthError::new(AuthErrorKind::UnknownSession)),
                }
            }))
        }
    }

    #[tokio::test]
    async fn sessions_of_ones_own_are_answered_as_by_the_layer() {
        let checks = ForwardAuth::new(Authenticator::new(Kept, MemoryStore::new()));
        for (path, id, status, user) in [
            ("/auth", "alices", 200, Some("alice")),
            ("/auth/optional", "alices", 200, Some("alice")),
            ("/auth", "nobodys", 401, None),
            ("/auth/optional", "nobodys", 200, Some("")),
            ("/auth/role/admin", "nobodys", 401, None),
            ("/auth/optional", "ended", 401, None),
            ("/auth/optional", "any", 503, None),
        ] {
            let check = Request::get(path).header("authorization", format!("Bearer {id}")).body(()).expect("a request");
            let answer = checks.clone().oneshot(check).await.expect("infallible");
            assert_eq!(answer.status(), StatusCode::from_u16(status).expect("a status"), "{path} {id}");
            let told = answer.headers().get(USER_ID).map(|user| user.to_str().expect("ASCII"));
            assert_eq!(told, user, "{path} {id}");
        }
    }

    #[tokio::test]
    async fn refusals_are_rendered_by_the_function_of_the_application() {
        let authenticator = Authenticator::new(Kept, MemoryStore::new());
        let authenticator =
            authenticator.with_problem_response(|problem, answer| answer.map(|_| format!("told: {problem}").into()));
        for (token, told) in [(None, "told: unauthorised"), (Some("Bearer x"), "told: unauthorised")] {
            let mut check = Request::get("/auth");
            if let Some(token) = token {
                check = check.header("authorization", token);
            }
            let check = check.body(()).expect("a request");
            let answer = ForwardAuth::new(authenticator.clone()).call(check).await.expect("infallible");
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
            assert_eq!(answer.into_body().collect().await.expect("in memory").to_bytes(), told);
        }
    }
}
