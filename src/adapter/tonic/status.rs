use bytes::Bytes;
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::Deserialize;
use serde_json::value::RawValue;
use tonic::metadata::{AsciiMetadataValue, BinaryMetadataValue};
use tonic::{Code, Status};

use crate::endpoints::Problem;
use crate::metadata::InvalidMetadata;
use crate::session::AuthError;
use crate::store::StoreError;

/// Who understands gRPC's retries waits so long (gRFC A6, "Pushback").
const PUSHBACK: &str = "grpc-retry-pushback-ms";

const CLAIMS: &str = "claim-validation-errors-bin";

/// The status for what the ready-made endpoints would answer over HTTP, with the same message.
impl From<Problem> for Status {
    fn from(problem: Problem) -> Self {
        let code = match problem.status() {
            StatusCode::UNAUTHORIZED => Code::Unauthenticated,
            StatusCode::FORBIDDEN => Code::PermissionDenied,
            StatusCode::PRECONDITION_FAILED => Code::Aborted,
            StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
            StatusCode::NOT_IMPLEMENTED => Code::Unimplemented,
            status if status.is_client_error() => Code::InvalidArgument,
            _ => Code::Internal,
        };
        let mut status = Self::new(code, problem.to_string());
        let answer = problem.into_response();
        for name in ["www-authenticate", "etag"] {
            let value =
                answer.headers().get(name).and_then(|value| AsciiMetadataValue::try_from(value.as_bytes()).ok());
            if let Some(value) = value {
                status.metadata_mut().insert(name, value);
            }
        }
        let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if let Some(seconds) = seconds {
            status.metadata_mut().insert(PUSHBACK, seconds.saturating_mul(1_000).into());
        }
        if let Some(claims) = claims(answer.body()) {
            status.metadata_mut().insert_bin(CLAIMS, BinaryMetadataValue::from_bytes(claims.get().as_bytes()));
        }
        status
    }
}

/// `UNAUTHENTICATED`, `PERMISSION_DENIED` for a claim, or `UNAVAILABLE` when there are no keys.
impl From<AuthError> for Status {
    fn from(error: AuthError) -> Self {
        Problem::from(error).into()
    }
}

/// `UNAVAILABLE` when the store is out of reach, `INVALID_ARGUMENT` for an update that it refused, `ABORTED` for a
/// precondition. The cause goes to the log and not to the client.
impl From<StoreError> for Status {
    fn from(error: StoreError) -> Self {
        Problem::from(error).into()
    }
}

/// `INVALID_ARGUMENT`.
impl From<InvalidMetadata> for Status {
    fn from(invalid: InvalidMetadata) -> Self {
        Problem::from(invalid).into()
    }
}

/// What the body over HTTP says of claims.
fn claims(body: &Bytes) -> Option<Box<RawValue>> {
    #[derive(Deserialize)]
    struct Refusal {
        #[serde(rename = "claimValidationErrors")]
        claims: Option<Box<RawValue>>,
    }
    serde_json::from_slice::<Refusal>(body).ok()?.claims
}
