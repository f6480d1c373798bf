use bytes::Bytes;
use http::StatusCode;
use poem::error::ResponseError;
use poem::{Error, Response, Result};

use crate::adapter::errors::{for_each_error, problem_of};
use crate::endpoints::Problem;
use crate::problem::Hook;

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
    let (refused, data) = (problem.auth_error().cloned(), problem.clone());
    let mut error = Error::from(problem);
    if let Some(refused) = refused {
        error.set_data(refused);
    }
    error.set_data(data);
    error
}

/// An answer from inside, rendered anew if it carries a problem.
pub(super) fn render(hook: &Hook, mut response: Response) -> Response {
    if let Some(rendered) = hook.replacement(response.status(), response.headers(), response.extensions()) {
        let (head, body) = rendered.into_parts();
        response.set_status(head.status);
        *response.headers_mut() = head.headers;
        response.extensions_mut().extend(head.extensions);
        response.set_body(body);
    }
    response
}

/// As [`render`], for what a handler, an extractor or a middleware inside returned as an error.
pub(super) fn render_error(hook: &Hook, error: Error) -> Result<Response> {
    let Some(problem) = problem_of!(error, downcast_ref) else { return Err(error) };
    let mut response = error.into_response();
    response.extensions_mut().insert(problem);
    Ok(render(hook, response))
}

pub(super) fn convert(response: http::Response<Bytes>) -> Response {
    let (parts, body) = response.into_parts();
    let mut converted = Response::from(body);
    converted.set_status(parts.status);
    *converted.headers_mut() = parts.headers;
    *converted.extensions_mut() = parts.extensions;
    converted
}
