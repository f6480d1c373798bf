use http::Extensions;

use crate::authenticator;
use crate::endpoints::Problem;
use crate::handle::UserMetadataHandle;
use crate::layer::NoSession;
use crate::problem::MISSING_LAYER;
use crate::session::Session;

/// The session and the handle of a request, for handlers in frameworks that use `http` 1 and Tower: bare hyper, AWS
/// Lambda with `lambda_http`, and with the feature `tonic` a `tonic::Request`.
///
/// Its errors answer as the adapters do: 401 for a request that passed the layer without a session, and where there is
/// no layer a 500 that says how to add it. A handle that [a middleware of your
/// own](crate::adapter#you-have-sessions-already) has put into the extensions is found as that of the layer is.
///
/// ```
/// use std::convert::Infallible;
///
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use tower::{Layer, Service, service_fn};
/// use tower_user_metadata::adapter::RequestExt;
/// use tower_user_metadata::endpoints::Problem;
/// # use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
/// # use tower_user_metadata::session::JwtVerifier;
/// # use tower_user_metadata::{UserMetadataLayer, metadata_update, store::MemoryStore};
///
/// async fn forget_notifications(request: Request<()>) -> Result<Bytes, Problem> {
///     let metadata = request.user_metadata()?;
///     Ok(metadata.update(metadata_update! { "notifications": null }).await?.metadata.to_json().into())
/// }
///
/// async fn handler(request: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
///     let answer = forget_notifications(request).await.map(Response::new);
///     Ok(answer.unwrap_or_else(Problem::into_response).map(Full::new))
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let key = VerificationKey::from_secret(Algorithm::HS256, b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*")?;
/// # let layer = UserMetadataLayer::new(JwtVerifier::builder(key).with_issuer("https://auth.example.com").build()?, MemoryStore::new());
/// let mut optional = layer.clone().with_optional_sessions().layer(service_fn(handler));
/// assert_eq!(optional.call(Request::new(())).await?.status(), 401);
/// assert_eq!(service_fn(handler).call(Request::new(())).await?.status(), 500);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait RequestExt {
    /// The extensions of the request, in which the layer put what it found.
    fn request_extensions(&self) -> &Extensions;

    /// The session.
    ///
    /// # Errors
    ///
    /// There is none, or no layer.
    fn session(&self) -> Result<Session, Problem> {
        required(self.request_extensions(), MISSING_LAYER)
    }

    /// The session, or `None` for a request without credentials behind a layer with optional sessions.
    ///
    /// # Errors
    ///
    /// There is no layer.
    fn optional_session(&self) -> Result<Option<Session>, Problem> {
        optional(self.request_extensions(), MISSING_LAYER)
    }

    /// The metadata of the session's user.
    ///
    /// # Errors
    ///
    /// There is no session, or no layer.
    fn user_metadata(&self) -> Result<UserMetadataHandle, Problem> {
        required(self.request_extensions(), MISSING_LAYER)
    }

    /// The metadata of the session's user, or `None` for a request without credentials behind a layer with optional
    /// sessions.
    ///
    /// # Errors
    ///
    /// There is no layer.
    fn optional_user_metadata(&self) -> Result<Option<UserMetadataHandle>, Problem> {
        optional(self.request_extensions(), MISSING_LAYER)
    }
}

impl<B> RequestExt for http::Request<B> {
    fn request_extensions(&self) -> &Extensions {
        self.extensions()
    }
}

impl RequestExt for http::request::Parts {
    fn request_extensions(&self) -> &Extensions {
        &self.extensions
    }
}

/// Where a framework keeps what belongs to a request, by its type.
pub(super) trait Values {
    fn value<T: Clone + Send + Sync + 'static>(&self) -> Option<T>;
}

impl Values for Extensions {
    fn value<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.get().cloned()
    }
}

const NO_SESSION_BESIDE_HANDLE: &str = "this request has a `UserMetadataHandle` of your own middleware and no `Session`: \
                                        take the handle, or insert a `Session` too";

/// Whether anybody has said whose the request is, or that it is nobody's.
#[cfg(feature = "rocket")]
pub(super) fn is_told(values: &impl Values) -> bool {
    values.value::<UserMetadataHandle>().is_some() || values.value::<NoSession>().is_some()
}

/// What a layer or a middleware put there. A request that passed without a session is refused here.
pub(super) fn required<T: Clone + Send + Sync + 'static>(
    values: &impl Values,
    remedy: &'static str,
) -> Result<T, Problem> {
    optional(values, remedy)?.ok_or_else(|| authenticator::no_session().into())
}

/// As [`required`]; `None` where sessions are optional and there is none.
pub(super) fn optional<T: Clone + Send + Sync + 'static>(
    values: &impl Values,
    remedy: &'static str,
) -> Result<Option<T>, Problem> {
    match values.value() {
        Some(found) => Ok(Some(found)),
        None if values.value::<NoSession>().is_some() => Ok(None),
        None if values.value::<UserMetadataHandle>().is_some() => {
            Err(Problem::missing_middleware(NO_SESSION_BESIDE_HANDLE))
        }
        None => Err(Problem::missing_middleware(remedy)),
    }
}
