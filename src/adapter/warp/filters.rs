use bytes::{Buf, Bytes};
use futures_core::Stream;
use http::{HeaderMap, Method};
use warp::reject::Rejection;
use warp::reply::Response;
use warp::{Error, Filter};

use crate::adapter::body::Chunks;
use crate::authenticator::{Authenticated, Authenticator, no_session};
use crate::endpoints::{UserMetadataEndpoints, read_update};
use crate::handle::UserMetadataHandle;
use crate::metadata::{Limits, MetadataUpdate};
use crate::session::Session;

/// Verifies the session and extracts it with its user's metadata; rejects with an [`AuthError`](crate::AuthError).
#[must_use]
pub fn authenticated(
    authenticator: &Authenticator,
) -> impl Filter<Extract = (Session, UserMetadataHandle), Error = Rejection> + Clone + Send + Sync + use<> {
    required(authenticator).map(|Authenticated { session, metadata }| (session, metadata)).untuple_one()
}

/// Verifies the session and extracts it; rejects with an [`AuthError`](crate::AuthError).
#[must_use]
pub fn session(
    authenticator: &Authenticator,
) -> impl Filter<Extract = (Session,), Error = Rejection> + Clone + Send + Sync + use<> {
    required(authenticator).map(|authenticated: Authenticated| authenticated.session)
}

/// Verifies the session and extracts its user's metadata; rejects with an [`AuthError`](crate::AuthError).
#[must_use]
pub fn user_metadata(
    authenticator: &Authenticator,
) -> impl Filter<Extract = (UserMetadataHandle,), Error = Rejection> + Clone + Send + Sync + use<> {
    required(authenticator).map(|authenticated: Authenticated| authenticated.metadata)
}

/// As [`session`], and `None` for a request without credentials; bad credentials are still rejected.
#[must_use]
pub fn optional_session(
    authenticator: &Authenticator,
) -> impl Filter<Extract = (Option<Session>,), Error = Rejection> + Clone + Send + Sync + use<> {
    verified(authenticator.clone().with_optional_sessions())
        .map(|found: Found| found.optional().map(|authenticated| authenticated.session))
}

/// As [`user_metadata`], and `None` for a request without credentials; bad credentials are still rejected.
#[must_use]
pub fn optional_user_metadata(
    authenticator: &Authenticator,
) -> impl Filter<Extract = (Option<UserMetadataHandle>,), Error = Rejection> + Clone + Send + Sync + use<> {
    verified(authenticator.clone().with_optional_sessions())
        .map(|found: Found| found.optional().map(|authenticated| authenticated.metadata))
}

/// Reads an update from the body of the request, within the limits of the authenticator's store; rejects with a
/// [`Problem`](crate::endpoints::Problem).
///
/// It verifies no session, so it belongs behind a filter that does: then strangers are refused before their body is
/// read.
#[must_use]
pub fn metadata_update(
    authenticator: &Authenticator,
) -> impl Filter<Extract = (MetadataUpdate,), Error = Rejection> + Clone + Send + Sync + use<> {
    metadata_update_within(authenticator.limits())
}

/// As [`metadata_update`], within these limits, for an application that [has sessions
/// already](super#you-have-sessions-already): those of its store, which
/// [`capabilities`](crate::store::MetadataStore::capabilities) tells.
#[must_use]
pub fn metadata_update_within(
    limits: Limits,
) -> impl Filter<Extract = (MetadataUpdate,), Error = Rejection> + Clone + Send + Sync + use<> {
    warp::header::headers_cloned()
        .and(warp::body::stream())
        .and_then(move |headers, body| async move { update(&headers, body, limits).await })
}

/// The [ready-made endpoints](crate::endpoints), behind a verified session; rejects with an [`AuthError`](crate::AuthError).
///
/// ```
/// use tower_user_metadata::adapter::warp::{endpoints, recover};
/// use tower_user_metadata::endpoints::UserMetadataEndpoints;
/// # use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
/// # use tower_user_metadata::session::JwtVerifier;
/// # use tower_user_metadata::{Authenticator, store::MemoryStore};
/// use warp::Filter;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let secret = b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*";
/// # let key = VerificationKey::from_secret(Algorithm::HS256, secret)?;
/// # let sessions = Authenticator::new(JwtVerifier::builder(key).with_issuer("https://auth.example.com").build()?, MemoryStore::new());
/// # let claims = serde_json::json!({ "iss": "https://auth.example.com", "sub": "alice", "exp": 4_000_000_000_u64 });
/// # let key = jsonwebtoken::EncodingKey::from_secret(secret)?;
/// # let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key)?;
/// let metadata = warp::path!("metadata").and(endpoints(&sessions, UserMetadataEndpoints::new()));
/// let routes = metadata.recover(recover(&sessions));
///
/// let request = warp::test::request().path("/metadata").method("PATCH").body(r#"{"theme":"dark"}"#);
/// let request = request.header("content-type", "application/json");
/// let patched = request.header("authorization", format!("Bearer {token}")).reply(&routes).await;
/// assert_eq!((patched.status().as_u16(), &patched.body()[..]), (200, &br#"{"theme":"dark"}"#[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn endpoints(
    authenticator: &Authenticator,
    endpoints: UserMetadataEndpoints,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + use<> {
    let renders = authenticator.clone();
    let metadata = verified(authenticator.clone()).and_then(async |found: Found| match found {
        Found::Preflight => Ok(None),
        found => found.required().map(|authenticated| Some(authenticated.metadata)),
    });
    answered(metadata, endpoints, move |answer| renders.render(answer))
}

/// The [ready-made endpoints](crate::endpoints) behind a filter of the application's own, for one that [has sessions
/// already](super#you-have-sessions-already): the filter extracts whose metadata they are about, and `None` is a
/// visitor who is not signed in, who is answered with a 401.
#[must_use]
pub fn endpoints_for<F>(
    metadata: F,
    endpoints: UserMetadataEndpoints,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + use<F>
where
    F: Filter<Extract = (Option<UserMetadataHandle>,), Error = Rejection> + Clone + Send + Sync,
{
    answered(metadata, endpoints, std::convert::identity)
}

fn answered<F, R>(
    metadata: F,
    endpoints: UserMetadataEndpoints,
    render: R,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + use<F, R>
where
    F: Filter<Extract = (Option<UserMetadataHandle>,), Error = Rejection> + Clone + Send + Sync,
    R: Fn(http::Response<Bytes>) -> http::Response<Bytes> + Clone + Send + Sync,
{
    metadata.and(warp::method()).and(warp::header::headers_cloned()).and(warp::body::stream()).then(
        move |metadata: Option<UserMetadataHandle>, method: Method, headers: HeaderMap, body| {
            let render = render.clone();
            async move {
                let answer = endpoints.respond(method.as_str(), &headers, metadata.as_ref(), Chunks::new(body)).await;
                render(answer).map(Into::into)
            }
        },
    )
}

async fn update<B: Buf>(
    headers: &HeaderMap,
    body: impl Stream<Item = Result<B, Error>>,
    limits: Limits,
) -> Result<MetadataUpdate, Rejection> {
    Ok(read_update(headers, Chunks::new(body), limits).await?)
}

fn required(
    authenticator: &Authenticator,
) -> impl Filter<Extract = (Authenticated,), Error = Rejection> + Clone + Send + Sync + use<> {
    verified(authenticator.clone()).and_then(async |found: Found| found.required())
}

enum Found {
    Session(Authenticated),
    Nobody,
    Preflight,
}

impl Found {
    /// A preflight is left to other routes, which a refusal would win over.
    fn required(self) -> Result<Authenticated, Rejection> {
        match self {
            Self::Session(authenticated) => Ok(authenticated),
            Self::Nobody => Err(no_session().into()),
            Self::Preflight => Err(warp::reject::not_found()),
        }
    }

    fn optional(self) -> Option<Authenticated> {
        match self {
            Self::Session(authenticated) => Some(authenticated),
            Self::Nobody | Self::Preflight => None,
        }
    }
}

fn verified(authenticator: Authenticator) -> impl Filter<Extract = (Found,), Error = Rejection> + Clone + Send + Sync {
    warp::method().and(warp::header::headers_cloned()).and_then(move |method: Method, headers: HeaderMap| {
        let preflight = authenticator.passes_preflight(method.as_str(), &headers);
        let authentication = authenticator.authenticate(method.as_str(), &headers);
        async move {
            Ok::<_, Rejection>(match authentication.await? {
                Some(authenticated) => Found::Session(authenticated),
                None if preflight => Found::Preflight,
                None => Found::Nobody,
            })
        }
    })
}
