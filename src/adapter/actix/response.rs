use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};

use crate::endpoints::Problem;
use crate::metadata::InvalidMetadata;
use crate::session::AuthError;
use crate::store::StoreError;

macro_rules! response_error {
    ($($(#[$doc:meta])* $error:ty => $problem:expr,)*) => {$(
        $(#[$doc])*
        impl ResponseError for $error {
            fn status_code(&self) -> StatusCode {
                self.error_response().status()
            }

            fn error_response(&self) -> HttpResponse {
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
    /// As [`JsonRejection`](crate::layer::JsonRejection) renders it, with the error in the response's extensions.
    AuthError => |error| error.clone().into(),
}

/// A response in the types of actix-web, which are those of `http` 0.2.
pub(super) fn convert(mut response: http::Response<bytes::Bytes>) -> HttpResponse {
    // What is a status or a header in `http` 1 is one in 0.2 too, so nothing is lost.
    let status = StatusCode::from_u16(response.status().as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut builder = HttpResponse::build(status);
    for (name, value) in response.headers() {
        builder.append_header((name.as_str(), value.as_bytes()));
    }
    let refused = response.extensions_mut().remove::<AuthError>();
    let mut converted = builder.body(response.into_body());
    if let Some(error) = refused {
        converted.extensions_mut().insert(error);
    }
    converted
}
