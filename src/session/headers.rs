//! The headers of a request, as bytes.

use http::{HeaderMap, HeaderValue, header};

use super::{AuthError, AuthErrorKind as Kind};

/// The headers of a request, whatever types its framework has for them.
///
/// Values are bytes, since clients may send any; a value that is not UTF-8 must not hide the others.
pub trait Headers {
    /// Calls `visit` with each value of the header called `name` (lower case), in the order in which they came.
    fn visit<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8]));
}

impl Headers for HeaderMap {
    fn visit<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8])) {
        let mut visit_all = |values: header::GetAll<'a, HeaderValue>| {
            for value in values {
                visit(value.as_bytes());
            }
        };
        // A text is parsed and looked up among the standard names each time; these two are asked for on every request.
        match name {
            "authorization" => visit_all(self.get_all(header::AUTHORIZATION)),
            "cookie" => visit_all(self.get_all(header::COOKIE)),
            _ => visit_all(self.get_all(name)),
        }
    }
}

/// The only value of a header; several, even if alike, are refused.
pub(crate) fn single<'a>(headers: &'a dyn Headers, name: &str) -> Result<Option<&'a [u8]>, AuthError> {
    let mut values = (None, 0_usize);
    headers.visit(name, &mut |value| values = (Some(value), values.1 + 1));
    match values {
        (_, 2..) => Err(AuthError::because(Kind::MalformedCredentials, "the header of the token comes more than once")),
        (value, _) => Ok(value),
    }
}
