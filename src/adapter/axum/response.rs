use axum_core::body::Body;
use axum_core::response::{IntoResponse, Response};

use crate::adapter::errors::for_each_error;
use crate::endpoints::Problem;

macro_rules! response {
    ($(#[$doc:meta])* $error:ty) => {
        $(#[$doc])*
        impl IntoResponse for $error {
            fn into_response(self) -> Response {
                Problem::from(self).into_response().map(Body::from)
            }
        }
    };
}

for_each_error!(response);
