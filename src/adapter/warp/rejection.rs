use warp::reject::{self, Reject, Rejection};
use warp::reply::Response;

use crate::endpoints::Problem;
use crate::metadata::InvalidMetadata;
use crate::session::AuthError;
use crate::store::StoreError;

/// Rendered by [`recover`], as [`JsonRejection`](crate::layer::JsonRejection) does it.
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
/// A refused session wins over whatever other routes rejected the same request with, so that a 401 never becomes the
/// 404 or 405 of a route that did not fit. Without it warp answers 500.
///
/// # Errors
///
/// The rejection is neither an [`AuthError`] nor a [`Problem`].
pub async fn recover(rejection: Rejection) -> Result<Response, Rejection> {
    let refused = rejection.find::<AuthError>().cloned().map(Problem::from);
    match refused.or_else(|| rejection.find().cloned()) {
        Some(problem) => Ok(problem.into_response().map(Into::into)),
        None => Err(rejection),
    }
}
