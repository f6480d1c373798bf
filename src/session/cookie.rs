use std::fmt;

use memchr::memchr;
use memchr::memmem::Finder;

use super::headers::Headers;
use super::{AuthError, AuthErrorKind as Kind};

/// The name of a cookie: what looks for it with the equals sign behind it, which no name holds.
#[derive(Clone)]
pub(super) struct CookieName(Box<Finder<'static>>);

impl CookieName {
    pub(super) fn new(name: &str) -> Self {
        Self(Box::new(Finder::new(&format!("{name}=")).into_owned()))
    }

    /// The value of a cookie (RFC 6265 section 5.4): names are compared exactly, and neither names
    /// nor other cookies are decoded. One pass over the bytes.
    pub(super) fn value<'a>(&self, headers: &'a dyn Headers, max_bytes: usize) -> Result<Option<&'a [u8]>, AuthError> {
        let name = &self.0;
        let (mut found, mut times, mut bytes) = (None, 0_usize, 0_usize);
        // HTTP/2 may split the header into several (RFC 9113 section 8.2.3).
        headers.visit("cookie", &mut |line| {
            bytes += line.len();
            if bytes > max_bytes {
                return;
            }
            for (before, rest) in name.find_iter(line).filter_map(|at| line.split_at_checked(at)) {
                let before = before.trim_ascii_end();
                // Where no pair begins, the name is a part of another name or of a value.
                if before.is_empty() || before.ends_with(b";") {
                    let value = rest.get(name.needle().len()..).unwrap_or_default();
                    let end = memchr(b';', value).unwrap_or(value.len());
                    found = value.get(..end).map(<[u8]>::trim_ascii_end);
                    times += 1;
                }
            }
        });
        if bytes > max_bytes {
            return Err(AuthError::because(Kind::MalformedCredentials, "the Cookie header is too large"));
        }
        if times > 1 {
            return Err(AuthError::because(Kind::AmbiguousCredentials, "the session cookie comes more than once"));
        }
        // An empty value is how a cookie that was just cleared may come back.
        Ok(found.filter(|value| !value.is_empty()))
    }
}

impl fmt::Debug for CookieName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.0.needle()))
    }
}
