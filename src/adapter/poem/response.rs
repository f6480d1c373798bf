use bytes::Bytes;
use http::StatusCode;
use poem::error::ResponseError;
use poem::{Error, Response};

use crate::adapter::errors::for_each_error;
use crate::endpoints::Problem;

macro_rules! response_error {
    ($(#[$doc:meta])* $error:ty) => {
        $(#[$doc])*
        impl ResponseError for $error {
            fn status(&self) -> StatusCode {
                Problem::from(self).status()
            }

            fn as_response(&self) -> Response {
                convert(Problem::from(self).into_response())
            }
        }
    };
}

for_each_error!(response_error);

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
