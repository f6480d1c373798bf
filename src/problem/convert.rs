//! The one place that picks a status for an error of a store.

use http::StatusCode;
use http::header::{ETAG, HeaderValue, RETRY_AFTER};

use super::etag::etag;
use super::problem::Problem;
use crate::metadata::{InvalidMetadata, InvalidMetadataKind};
use crate::session::AuthError;
use crate::store_error::{StoreError, StoreErrorKind};

/// The seconds after which a client may try a store again that is out of reach.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("1");

impl From<&Problem> for Problem {
    fn from(problem: &Problem) -> Self {
        problem.clone()
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        Self::refusal(error)
    }
}

impl From<&AuthError> for Problem {
    fn from(error: &AuthError) -> Self {
        error.clone().into()
    }
}

impl From<InvalidMetadata> for Problem {
    fn from(invalid: InvalidMetadata) -> Self {
        let status = match invalid.kind() {
            InvalidMetadataKind::DocumentTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            // The application's own value: nothing that the client could mend.
            InvalidMetadataKind::Unserializable => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        let problem = Self::new(status, invalid.to_string());
        let problem = match invalid.limit() {
            Some(limit) => problem.with_limit(limit),
            None => problem,
        };
        problem.with_invalid_metadata(invalid)
    }
}

impl From<&InvalidMetadata> for Problem {
    fn from(invalid: &InvalidMetadata) -> Self {
        invalid.clone().into()
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        (&error).into()
    }
}

impl From<&StoreError> for Problem {
    fn from(error: &StoreError) -> Self {
        let problem = match error.invalid_metadata() {
            Some(invalid) => invalid.into(),
            None => failure(error),
        };
        problem.with_store_error(error.clone())
    }
}

fn failure(error: &StoreError) -> Problem {
    // Nothing for an error that was logged where it arose; a store of somebody else's may not have done so.
    error.log();
    match error.kind() {
        StoreErrorKind::PreconditionFailed => {
            let problem = Problem::new(StatusCode::PRECONDITION_FAILED, "the metadata has changed");
            match error.current_version() {
                Some(version) => problem.with_header(ETAG, etag(version)),
                None => problem,
            }
        }
        StoreErrorKind::InvalidMetadata => Problem::new(StatusCode::BAD_REQUEST, "the metadata update is invalid"),
        StoreErrorKind::Unsupported => {
            Problem::new(StatusCode::NOT_IMPLEMENTED, "the metadata store has no conditional writes")
        }
        StoreErrorKind::Unavailable | StoreErrorKind::Timeout | StoreErrorKind::Closed => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "metadata unavailable")
                .with_header(RETRY_AFTER, RETRY_SECONDS)
        }
        StoreErrorKind::Corrupt | StoreErrorKind::Internal => {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error")
        }
    }
}
