use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, VARY, WWW_AUTHENTICATE};
use http::{HeaderMap, Response};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::session::{AuthError, AuthErrorKind};

/// Renders a refusal, for applications that want another body than [`JsonRejection`] gives.
///
/// A closure will do. Whatever it renders, the layer puts the [`AuthError`] into the response's extensions.
///
/// ```
/// use bytes::Bytes;
/// use http::Response;
/// use http_body_util::Full;
/// use tower_user_metadata::session::{AuthError, AuthErrorKind};
/// use tower_user_metadata::layer::RejectionResponse;
///
/// /// Problem details (RFC 9457).
/// let problem = |error: &AuthError| {
///     let status = error.kind().status();
///     let body = format!(r#"{{"title":"{}","status":{}}}"#, error.kind().message(), status.as_u16());
///     let mut response = Response::new(Full::<Bytes>::from(body));
///     *response.status_mut() = status;
///     response
/// };
/// let response = problem.response(&AuthError::new(AuthErrorKind::Expired));
/// assert_eq!(response.status(), 401);
/// ```
pub trait RejectionResponse<ResBody> {
    /// The response to a request that is refused.
    fn response(&self, error: &AuthError) -> Response<ResBody>;
}

impl<F, ResBody> RejectionResponse<ResBody> for F
where
    F: Fn(&AuthError) -> Response<ResBody>,
{
    fn response(&self, error: &AuthError) -> Response<ResBody> {
        self(error)
    }
}

/// Renders refusals as SuperTokens does: `{"message":"unauthorised"}`, `{"message":"try refresh token"}`, or
/// `{"message":"invalid claim","claimValidationErrors":[{"id","reason"}]}`.
///
/// With `WWW-Authenticate` (RFC 6750 section 3), `Cache-Control: no-store` and `Vary: Authorization, Cookie`, so that
/// no cache between gives one client's answer to another.
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonRejection;

impl<ResBody: From<Bytes>> RejectionResponse<ResBody> for JsonRejection {
    fn response(&self, error: &AuthError) -> Response<ResBody> {
        let mut response = Response::new(ResBody::from(body(error)));
        *response.status_mut() = error.kind().status();
        *response.headers_mut() = headers(error);
        response
    }
}

pub(crate) fn refuse<ResBody>(rejection: &impl RejectionResponse<ResBody>, error: AuthError) -> Response<ResBody> {
    let mut response = rejection.response(&error);
    response.extensions_mut().insert(error);
    response
}

fn headers(error: &AuthError) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(5);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("Authorization, Cookie"));
    if let Some(challenge) = error.kind().challenge() {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    if let Some(delay) = error.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(delay.as_secs().max(1)));
    }
    headers
}

fn body(error: &AuthError) -> Bytes {
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
    serde_json::to_vec(&Body { message: error.kind().message(), claims }).unwrap_or_default().into()
}
