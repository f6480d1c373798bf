use std::io::Cursor;

use bytes::Bytes;
use rocket::http::Status;
use rocket::response::{self, Responder};
use rocket::{Request, Response};

use crate::adapter::errors::for_each_error;
use crate::endpoints::Problem;

macro_rules! responder {
    ($(#[$doc:meta])* $error:ty) => {
        $(#[$doc])*
        impl<'r> Responder<'r, 'static> for $error {
            fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
                Ok(convert(Problem::from(self).into_response()))
            }
        }
    };
}

for_each_error!(responder);

pub(super) fn convert<'r>(answer: http::Response<Bytes>) -> Response<'r> {
    let (parts, body) = answer.into_parts();
    let mut response = Response::new();
    response.set_status(Status::new(parts.status.as_u16()));
    for (name, value) in &parts.headers {
        // Those of this crate are ASCII.
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        response.set_raw_header(name.as_str().to_owned(), value);
    }
    response.set_sized_body(body.len(), Cursor::new(body));
    response
}
