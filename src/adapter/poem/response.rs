use bytes::Bytes;
use http::StatusCode;
use poem::error::ResponseError;
use poem::{Error, Response};

use crate::endpoints::Problem;
use crate::metadata::InvalidMetadata;
use crate::session::AuthError;
use crate::store::StoreError;

macro_rules! response_error {
    ($($(#[$doc:meta])* $error:ty => $problem:expr,)*) => {$(
        $(#[$doc])*
        impl ResponseError for $error {
            fn status(&self) -> StatusCode {
                let problem: fn(&Self) -> Problem = $problem;
                problem(self).status()
            }

            fn as_response(&self) -> Response {
                let problem: fn(&Self) -> Problem = $problem;
                convert(problem(self).into_response())
            }
        }
    )*};
}

response_error! {
    Problem => |problem| problem.clone(),
    /// As the ready-made endpoints answer it: 503 when the store is out of reach, 400 or 413 for an update that it
    /// refused, 412 for a precondition. The cause goes to the log and not to the client.
    StoreError => |error| error.into(),
    /// 400, or 413 when the document would be too large.
    InvalidMetadata => |invalid| invalid.clone().into(),
    /// As [`JsonRejection`](crate::layer::JsonRejection) renders it.
    AuthError => |error| error.clone().into(),
}

/// An error that leaves a refusal in the extensions of its response: poem takes those from the data of the error, and not
/// from the response that the error is rendered as.
pub(super) fn refuse(problem: Problem) -> Error {
    let refused = problem.auth_error().cloned();
    let mut error = Error::from(problem);
    if let Some(refused) = refused {
        error.set_data(refused);
    }
    error
}

pub(super) fn convert(response: http::Response<Bytes>) -> Response {
    let (parts, body) = response.into_parts();
    let mut converted = Response::from(body);
    converted.set_status(parts.status);
    *converted.headers_mut() = parts.headers;
    *converted.extensions_mut() = parts.extensions;
    converted
}
