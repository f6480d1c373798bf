//! An update from the body of a request.

use std::error::Error;

use http::StatusCode;
use http::header::{HeaderName, HeaderValue};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::problem::Problem;
use crate::metadata::{InvalidMetadata, InvalidMetadataKind, Limits, MetadataUpdate};
use crate::session::Headers;

/// RFC 5789 section 3.1: tells a client which patch format is taken.
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// Reads an update from the body of a request, for handlers that are written for no framework.
///
/// ```
/// use bytes::Bytes;
/// use http::{HeaderMap, HeaderValue};
/// use http_body_util::Full;
/// use tower_user_metadata::Limits;
/// use tower_user_metadata::endpoints::read_update;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
/// let body = Full::<Bytes>::from(r#"{"theme":"dark","todos":null}"#);
/// let update = read_update(&headers, body, Limits::default()).await?;
/// assert_eq!(update.fields().count(), 2);
///
/// let body = Full::<Bytes>::from(vec![b' '; 1_000_000]);
/// let refused = read_update(&headers, body, Limits::default()).await.unwrap_err();
/// assert_eq!(refused.status(), 413);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// The content type is not `application/json`, the body is larger than
/// [`Limits::document_bytes`] (no more than that is read), or it is not an update that can be kept.
pub async fn read_update<B>(headers: &(dyn Headers + Sync), body: B, limits: Limits) -> Result<MetadataUpdate, Problem>
where
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>>,
{
    check_content_type(headers)?;
    // A length that is announced is refused before anything is read.
    if body.size_hint().lower() > u64::try_from(limits.document_bytes()).unwrap_or(u64::MAX) {
        return Err(too_large(limits));
    }
    let body = Limited::new(body, limits.document_bytes()).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            too_large(limits)
        } else {
            Problem::new(StatusCode::BAD_REQUEST, "the body could not be read")
        }
    })?;
    parse_update(&body.to_bytes(), limits)
}

/// Reads an update from a body that has been read, also by a framework with a limit of its own.
pub(crate) fn parse_update(body: &[u8], limits: Limits) -> Result<MetadataUpdate, Problem> {
    if body.len() > limits.document_bytes() {
        return Err(too_large(limits));
    }
    let update = MetadataUpdate::from_json(body)?;
    update.check(&limits)?;
    Ok(update)
}

/// Demands `application/json`, with no charset or UTF-8 (RFC 8259 section 8.1).
fn check_content_type(headers: &dyn Headers) -> Result<(), Problem> {
    let mut values = Vec::new();
    headers.visit("content-type", &mut |value| values.push(value));
    match values.as_slice() {
        [value] if is_json(value) => Ok(()),
        _ => Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the content type must be application/json")
            .with_header(ACCEPT_PATCH, HeaderValue::from_static("application/json"))),
    }
}

pub(crate) fn too_large(limits: Limits) -> Problem {
    InvalidMetadata::new(InvalidMetadataKind::DocumentTooLarge, limits.document_bytes()).into()
}

fn is_json(value: &[u8]) -> bool {
    let mut parts = value.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let json = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case(b"application/json"));
    let utf8 = |parameter: &[u8]| {
        let parameter = parameter.to_ascii_lowercase();
        parameter.strip_prefix(b"charset=").is_none_or(|charset| matches!(charset, b"utf-8" | b"\"utf-8\""))
    };
    json && parts.all(utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// White space counts: a body is refused by its length before anybody looks at what it says.
    #[test]
    fn a_whole_body_is_taken_up_to_the_limit() {
        let limits = Limits::default().with_document_bytes(9);
        let status = |body: &str| {
            parse_update(body.as_bytes(), limits).map(drop).map_err(|problem| problem.into_response().status())
        };
        assert_eq!(status("{\"a\":1}  "), Ok(()));
        assert_eq!(status("{\"a\":1}   "), Err(StatusCode::PAYLOAD_TOO_LARGE));
        assert_eq!(status("          "), Err(StatusCode::PAYLOAD_TOO_LARGE));
    }

    #[test]
    fn only_json_in_utf8_is_taken() {
        for good in ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\"; x=y"] {
            assert!(is_json(good.as_bytes()), "{good}");
        }
        for bad in
            ["", "text/plain", "application/json5", "application/merge-patch+json", "application/json; charset=latin1"]
        {
            assert!(!is_json(bad.as_bytes()), "{bad}");
        }
    }
}
