use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};

use crate::adapter::errors::for_each_error;
use crate::endpoints::Problem;
use crate::session::AuthError;

macro_rules! response_error {
    ($(#[$doc:meta])* $error:ty) => {
        $(#[$doc])*
        impl ResponseError for $error {
            fn status_code(&self) -> StatusCode {
                self.error_response().status()
            }

            fn error_response(&self) -> HttpResponse {
                convert(Problem::from(self).into_response())
            }
        }
    };
}

for_each_error!(response_error);

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
