use bytes::Bytes;
use salvo_core::Response;
use salvo_core::writing::Scribe;

use crate::endpoints::Problem;
use crate::metadata::InvalidMetadata;
use crate::session::AuthError;
use crate::store::StoreError;

impl Scribe for Problem {
    fn render(self, response: &mut Response) {
        render(self, response);
    }
}

/// As the ready-made endpoints answer it: 503 when the store is out of reach, 400 or 413 for an update that it refused,
/// 412 for a precondition. The cause goes to the log and not to the client.
impl Scribe for StoreError {
    fn render(self, response: &mut Response) {
        render(self.into(), response);
    }
}

/// 400, or 413 when the document would be too large.
impl Scribe for InvalidMetadata {
    fn render(self, response: &mut Response) {
        render(self.into(), response);
    }
}

/// As [`JsonRejection`](crate::layer::JsonRejection) renders it, with the error in the response's extensions.
impl Scribe for AuthError {
    fn render(self, response: &mut Response) {
        render(self.into(), response);
    }
}

pub(super) fn render(problem: Problem, response: &mut Response) {
    fill(response, problem.into_response());
}

/// Leaves the headers that other hoops have set.
pub(super) fn fill(response: &mut Response, answer: http::Response<Bytes>) {
    let (parts, body) = answer.into_parts();
    response.status_code(parts.status);
    for (name, value) in &parts.headers {
        response.headers_mut().insert(name, value.clone());
    }
    response.extensions.extend(parts.extensions);
    response.replace_body(body.into());
}
