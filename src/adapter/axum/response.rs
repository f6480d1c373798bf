use axum_core::body::Body;
use axum_core::response::{IntoResponse, Response};

use crate::endpoints::Problem;
use crate::metadata::InvalidMetadata;
use crate::session::AuthError;
use crate::store::StoreError;

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        Self::into_response(self).map(Body::from)
    }
}

/// As the ready-made endpoints answer it: 503 when the store is out of reach, 400 or 413 for an update that it refused,
/// 412 for a precondition. The cause goes to the log and not to the client.
impl IntoResponse for StoreError {
    fn into_response(self) -> Response {
        IntoResponse::into_response(Problem::from(self))
    }
}

/// 400, or 413 when the document would be too large.
impl IntoResponse for InvalidMetadata {
    fn into_response(self) -> Response {
        IntoResponse::into_response(Problem::from(self))
    }
}

/// As [`JsonRejection`](crate::layer::JsonRejection) renders it.
impl IntoResponse for AuthError {
    fn into_response(self) -> Response {
        IntoResponse::into_response(Problem::from(self))
    }
}
