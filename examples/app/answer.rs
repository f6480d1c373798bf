use serde::Serialize;
use tower_user_metadata::Metadata;

/// The body of an answer to `POST /updateinfo`.
#[derive(Serialize)]
pub(crate) struct Updated {
    message: &'static str,
    metadata: Metadata,
}

impl Updated {
    pub(crate) fn new(metadata: Metadata) -> Self {
        Self { message: "successfully updated user metadata", metadata }
    }
}

/// The body of an answer to `POST /clearinfo`.
#[derive(Serialize)]
pub(crate) struct Cleared {
    success: bool,
}

impl Cleared {
    pub(crate) fn new() -> Self {
        Self { success: true }
    }
}

/// An answer, to be sent as `application/json`.
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The value of the header `Allow`, which a 405 must have (RFC 9110 section 15.5.6).
    pub(crate) allow: Option<&'static str>,
    pub(crate) body: String,
}

impl Reply {
    /// The answer where no route fits: 405 when the path is one of ours, else 404.
    pub(crate) fn no_route(path: &str) -> Self {
        match path {
            "/userinfo" => Self { allow: Some("GET, HEAD"), ..Self::message(405, "method not allowed") },
            "/updateinfo" | "/clearinfo" | "/login" => {
                Self { allow: Some("POST"), ..Self::message(405, "method not allowed") }
            }
            _ => Self::message(404, "not found"),
        }
    }

    pub(super) fn message(status: u16, message: &str) -> Self {
        #[derive(Serialize)]
        struct Message<'a> {
            message: &'a str,
        }
        Self::json(status, &Message { message })
    }

    pub(crate) fn json<T: Serialize>(status: u16, body: &T) -> Self {
        // Documents and structs of strings always serialise.
        Self { status, allow: None, body: serde_json::to_string(body).unwrap_or_default() }
    }
}
