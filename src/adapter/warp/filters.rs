use bytes::Buf;
use futures_core::Stream;
use http::{HeaderMap, Method};
use warp::reject::Rejection;
use warp::reply::Response;
use warp::{Error, Filter};

use crate::adapter::body::Chunks;
use crate::authenticator::{Authenticated, Authenticator};
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
    verified(authenticator.clone().optional()).map(|found: Option<Authenticated>| found.map(|found| found.session))
}

/// As [`user_metadata`], and `None` for a request without credentials; bad credentials are still rejected.
#[must_use]
pub fn optional_user_metadata(
    authenticator: &Authenticator,
) -> impl Filter<Extract = (Option<UserMetadataHandle>,), Error = Rejection> + Clone + Send + Sync + use<> {
    verified(authenticator.clone().optional()).map(|found: Option<Authenticated>| found.map(|found| found.metadata))
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
    let limits = authenticator.limits();
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
/// # use tower_user_metadata::{Authenticator, JwtVerifier, store::MemoryStore};
/// use warp::Filter;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let secret = b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*";
/// # let key = VerificationKey::from_secret(Algorithm::HS256, secret)?;
/// # let sessions = Authenticator::new(JwtVerifier::builder(key).with_issuer("https://auth.example.com").build()?, MemoryStore::new());
/// # let claims = serde_json::json!({ "sub": "alice", "exp": 4_000_000_000_u64 });
/// # let key = jsonwebtoken::EncodingKey::from_secret(secret);
/// # let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key)?;
/// let metadata = warp::path!("metadata").and(endpoints(&sessions, UserMetadataEndpoints::new()));
/// let routes = metadata.recover(recover);
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
    let parts = warp::method().and(warp::header::headers_cloned()).and(warp::body::stream());
    user_metadata(authenticator).and(parts).then(
        move |metadata: UserMetadataHandle, method: Method, headers: HeaderMap, body| async move {
            let body = Chunks::new(&headers, body);
            endpoints.respond(method.as_str(), &headers, &metadata, body).await.map(Into::into)
        },
    )
}

async fn update<B: Buf>(
    headers: &HeaderMap,
    body: impl Stream<Item = Result<B, Error>>,
    limits: Limits,
) -> Result<MetadataUpdate, Rejection> {
    Ok(read_update(headers, Chunks::new(headers, body), limits).await?)
}

fn required(
    authenticator: &Authenticator,
) -> impl Filter<Extract = (Authenticated,), Error = Rejection> + Clone + Send + Sync + use<> {
    verified(authenticator.clone()).and_then(async |found| Authenticated::required(found).map_err(Rejection::from))
}

fn verified(
    authenticator: Authenticator,
) -> impl Filter<Extract = (Option<Authenticated>,), Error = Rejection> + Clone + Send + Sync {
    warp::method().and(warp::header::headers_cloned()).and_then(move |method: Method, headers: HeaderMap| {
        let authentication = authenticator.authenticate(method.as_str(), &headers);
        async { authentication.await.map_err(Rejection::from) }
    })
}
