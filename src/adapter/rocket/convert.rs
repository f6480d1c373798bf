use std::io::Cursor;

use bytes::Bytes;
use rocket::Response;
use rocket::http::Status;

pub(super) fn convert<'r>(answer: http::Response<Bytes>) -> Response<'r> {
    let (parts, body) = answer.into_parts();
    let mut response = Response::new();
    response.set_status(Status::new(parts.status.as_u16()));
    for (name, value) in &parts.headers {
        // Those of this crate are ASCII, and Rocket holds text.
        response.adjoin_raw_header(name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    response.set_sized_body(body.len(), Cursor::new(body));
    response
}
