use std::io::Cursor;

use bytes::Bytes;
use rocket::http::Status;
use rocket::response::{self, Responder};
use rocket::{Request, Response};

use crate::endpoints::Problem;
use crate::metadata::InvalidMetadata;
use crate::session::AuthError;
use crate::store::StoreError;

impl<'r> Responder<'r, 'static> for Problem {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        Ok(convert(self.into_response()))
    }
}

/// As the ready-made endpoints answer it: 503 when the store is out of reach, 400 or 413 for an update that it refused,
/// 412 for a precondition. The cause goes to the log and not to the client.
impl<'r> Responder<'r, 'static> for StoreError {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        Problem::from(self).respond_to(request)
    }
}

/// 400, or 413 when the document would be too large.
impl<'r> Responder<'r, 'static> for InvalidMetadata {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        Problem::from(self).respond_to(request)
    }
}

/// As [`JsonRejection`](crate::layer::JsonRejection) renders it.
impl<'r> Responder<'r, 'static> for AuthError {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        Problem::from(self).respond_to(request)
    }
}

pub(super) fn convert<'r>(answer: http::Response<Bytes>) -> Response<'r> {
    let mut response = Response::new();
    fill(&mut response, answer);
    response
}

/// Leaves the headers that others have set.
pub(super) fn fill(response: &mut Response<'_>, answer: http::Response<Bytes>) {
    let (parts, body) = answer.into_parts();
    response.set_status(Status::new(parts.status.as_u16()));
    for (name, value) in &parts.headers {
        // Those of this crate are ASCII.
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        response.set_raw_header(name.as_str().to_owned(), value);
    }
    response.set_sized_body(body.len(), Cursor::new(body));
}
