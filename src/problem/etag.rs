use http::HeaderValue;

use crate::metadata::Version;

/// A version as an entity tag (RFC 9110 section 8.8.3).
pub(crate) fn etag(version: Version) -> HeaderValue {
    // Quotes and hexadecimal digits always are a header value.
    HeaderValue::try_from(format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}
