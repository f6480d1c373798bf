use std::future::{Ready, ready};

use bytes::Bytes;
use warp::reject::{self, Reject, Rejection};
use warp::reply::Response;

use crate::authenticator::Authenticator;
use crate::endpoints::Problem;
use crate::metadata::InvalidMetadata;
use crate::session::AuthError;
use crate::store::StoreError;

/// Rendered by [`recover`].
impl Reject for AuthError {}

/// Rendered by [`recover`].
impl Reject for Problem {}

/// A [`Problem`] as the ready-made endpoints answer it: 503 when the store is out of reach, 400 or 413 for an update
/// that it refused, 412 for a precondition. The cause goes to the log, and not into the rejection: what is not
/// recovered warp prints to the client.
impl From<StoreError> for Rejection {
    fn from(error: StoreError) -> Self {
        reject::custom(Problem::from(error))
    }
}

/// A [`Problem`]: 400, or 413 when the document would be too large.
impl From<InvalidMetadata> for Rejection {
    fn from(invalid: InvalidMetadata) -> Self {
        reject::custom(Problem::from(invalid))
    }
}

/// Renders the rejections of this crate, for [`Filter::recover`](warp::Filter::recover), and passes all others on.
///
/// They are `{"message":"…"}`, or what [`with_problem_response`](Authenticator::with_problem_response) of the authenticator
/// makes of them. A refused session wins over whatever other routes rejected the same request with, so that a 401 never becomes
/// the 404 or 405 of a route that did not fit. Without it warp answers 500.
///
/// ```
/// use tower_user_metadata::adapter::warp::{recover, session};
/// # use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
/// # use tower_user_metadata::session::JwtVerifier;
/// # use tower_user_metadata::{Authenticator, store::MemoryStore};
/// use warp::Filter;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let key = VerificationKey::from_secret(Algorithm::HS256, b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*")?;
/// # let sessions = Authenticator::new(JwtVerifier::builder(key).with_issuer("https://auth.example.com").build()?, MemoryStore::new());
/// let sessions = sessions.with_problem_response(|problem, answer| answer.map(|_| problem.to_string().into()));
/// let routes = session(&sessions).map(|_| "signed in").recover(recover(&sessions));
/// assert_eq!(warp::test::request().reply(&routes).await.body(), "unauthorised");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// The rejection is neither an [`AuthError`] nor a [`Problem`].
pub fn recover(
    authenticator: &Authenticator,
) -> impl Fn(Rejection) -> Ready<Result<Response, Rejection>> + Clone + Send + Sync + 'static + use<> {
    let authenticator = authenticator.clone();
    move |rejection| ready(recovered(rejection, |answer| authenticator.render(answer)))
}

/// As [`recover`], for an application that [has sessions already](super#you-have-sessions-already) and no authenticator: the
/// answers are `{"message":"…"}`.
///
/// # Errors
///
/// The rejection is neither an [`AuthError`] nor a [`Problem`].
pub fn recover_default(rejection: Rejection) -> Ready<Result<Response, Rejection>> {
    ready(recovered(rejection, std::convert::identity))
}

fn recovered(
    rejection: Rejection,
    render: impl Fn(http::Response<Bytes>) -> http::Response<Bytes>,
) -> Result<Response, Rejection> {
    let refused = rejection.find::<AuthError>().map(Problem::from);
    match refused.or_else(|| rejection.find().cloned()) {
        Some(problem) => Ok(render(problem.into_response()).map(Into::into)),
        None => Err(rejection),
    }
}
