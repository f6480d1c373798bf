//! An update from the body of a request.

use std::error::Error;

use http::StatusCode;
use http::header::{ACCEPT_ENCODING, HeaderName, HeaderValue};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::media_type::is_json;
use crate::metadata::{InvalidMetadata, InvalidMetadataKind, Limits, MetadataUpdate};
use crate::problem::Problem;
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
/// The content type is not `application/json`, the body has a content coding such as gzip, it is larger than
/// [`Limits::document_bytes`] (no more than that is read), it broke off before its end, or it is not an update that can be
/// kept.
///
/// # Cancel safety
///
/// A dropped future has read a part of the body and stored nothing.
pub async fn read_update<B>(headers: &(dyn Headers + Sync), body: B, limits: Limits) -> Result<MetadataUpdate, Problem>
where
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>>,
{
    check_format(headers)?;
    let announced = announced_length(headers);
    // A length that is announced is refused before anything is read.
    let length = announced.unwrap_or_default().max(body.size_hint().lower());
    if length > u64::try_from(limits.document_bytes()).unwrap_or(u64::MAX) {
        return Err(too_large(limits));
    }
    let body = Limited::new(body, limits.document_bytes())
        .collect()
        .await
        .map_err(|error| if error.is::<LengthLimitError>() { too_large(limits) } else { unreadable() })?;
    let body = body.to_bytes();
    // A framework may take a connection that breaks off for the end of the body.
    let whole = announced.is_none_or(|length| u64::try_from(body.len()).is_ok_and(|read| read >= length));
    if whole { parse_update(&body, limits) } else { Err(unreadable()) }
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

/// Demands `application/json`, in UTF-8 (RFC 8259 section 8.1), and no content coding.
fn check_format(headers: &dyn Headers) -> Result<(), Problem> {
    let refused = |message, name, value| {
        let value = HeaderValue::from_static(value);
        Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message).with_header(name, value))
    };
    if !matches!(values(headers, "content-type").as_slice(), [value] if is_json(value)) {
        return refused("the content type must be application/json", ACCEPT_PATCH, "application/json");
    }
    let codings = values(headers, "content-encoding");
    let mut codings = codings.iter().flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    // An empty member of a list is none (RFC 9110 section 5.6.1).
    if codings.any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity")) {
        // RFC 9110 section 12.5.3.
        return refused("the body must not have a content coding", ACCEPT_ENCODING, "identity");
    }
    Ok(())
}

/// The length that a request announces, where that is the length of its body: `Transfer-Encoding` overrides it (RFC 9112
/// section 6.3).
fn announced_length(headers: &dyn Headers) -> Option<u64> {
    if !values(headers, "transfer-encoding").is_empty() {
        return None;
    }
    // What is not a number the server has refused, or it does not go by it.
    values(headers, "content-length").last().and_then(|value| std::str::from_utf8(value).ok()?.trim().parse().ok())
}

fn values<'a>(headers: &'a dyn Headers, name: &str) -> Vec<&'a [u8]> {
    let mut values = Vec::new();
    headers.visit(name, &mut |value| values.push(value));
    values
}

fn unreadable() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "the body could not be read")
}

pub(crate) fn too_large(limits: Limits) -> Problem {
    InvalidMetadata::new(InvalidMetadataKind::DocumentTooLarge, limits.document_bytes()).into()
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
}
