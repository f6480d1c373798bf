use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::session::{AuthError, AuthErrorKind};

/// The content type of every body that this crate writes.
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

pub(crate) fn json_response(status: StatusCode, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// A refusal in the form of SuperTokens.
pub(crate) fn refusal(error: &AuthError) -> Response<Bytes> {
    let mut response = json_response(error.kind().status(), refusal_body(error));
    response.headers_mut().extend(error.headers());
    response
}

pub(super) fn message_body(message: &str, limit: Option<usize>) -> String {
    #[derive(Serialize)]
    struct Body<'a> {
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        limit: Option<usize>,
    }

    // A string and a number always serialise.
    serde_json::to_string(&Body { message, limit }).unwrap_or_default()
}

fn refusal_body(error: &AuthError) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        message: &'a str,
        #[serde(rename = "claimValidationErrors", skip_serializing_if = "Option::is_none")]
        claims: Option<Vec<Claim<'a>>>,
    }

    #[derive(Serialize)]
    struct Claim<'a> {
        id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'a RawValue>,
    }

    let claims = (error.kind() == AuthErrorKind::InvalidClaims)
        .then(|| error.claims().iter().map(|claim| Claim { id: &claim.id, reason: claim.reason.as_deref() }).collect());
    // Strings and JSON texts always serialise, so the empty body is never sent.
    serde_json::to_vec(&Body { message: error.kind().message(), claims }).unwrap_or_default()
}
