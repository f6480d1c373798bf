use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

#[derive(Debug)]
pub(crate) enum Error {
    Unauthorized,
    /// What is wrong with which field.
    Unprocessable(&'static str, &'static str),
    Internal(Box<dyn std::error::Error + Send + Sync>),
}

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> From<E> for Error {
    fn from(error: E) -> Self {
        Self::Internal(error.into())
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        match self {
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Token")]).into_response(),
            Self::Unprocessable(field, problem) => {
                (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "errors": { field: [problem] } }))).into_response()
            }
            Self::Internal(error) => {
                eprintln!("{error}");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}
