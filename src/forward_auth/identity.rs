use http::header::{CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::session::Session;

/// The header with the user id of the session, percent-encoded.
pub const USER_ID: HeaderName = HeaderName::from_static("x-user-id");

/// The header with the handle of the session, percent-encoded; empty where tokens name none.
pub const SESSION_HANDLE: HeaderName = HeaderName::from_static("x-session-handle");

/// The header with the tenant of the session, percent-encoded; empty where tokens name none.
pub const TENANT_ID: HeaderName = HeaderName::from_static("x-tenant-id");

/// What a header cannot hold or a proxy would change, and `%`, so that no two users look alike. Bytes beyond ASCII are
/// always encoded.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// Every answer has all three names, since a proxy replaces what a client sent under a name only if the answer has it.
pub(super) fn headers(session: Option<&Session>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(USER_ID, value(session.map(|session| session.user_id().as_str())));
    headers.insert(SESSION_HANDLE, value(session.and_then(Session::handle)));
    headers.insert(TENANT_ID, value(session.and_then(Session::tenant_id)));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers
}

fn value(text: Option<&str>) -> HeaderValue {
    let text = utf8_percent_encode(text.unwrap_or_default(), ENCODED).to_string();
    // Encoded text is visible ASCII, which a header can hold.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::user_id::UserId;

    fn sent(user: &str) -> String {
        let session = Session::assertion(UserId::new(user).expect("an id"), UNIX_EPOCH).build();
        headers(Some(&session))[USER_ID].to_str().expect("ASCII").to_owned()
    }

    #[test]
    fn ids_are_readable_and_no_two_look_alike() {
        for plain in ["0192f5a1-7b3c-7d1e-9f00-3c2b1a098765", "auth0|12,3", "a@b.example", "\"'\\"] {
            assert_eq!(sent(plain), plain);
        }
        assert_eq!(sent("a b"), "a%20b");
        assert_eq!(sent("a%20b"), "a%2520b");
        assert_eq!(sent("\u{fc}\u{feff}x"), "%C3%BC%EF%BB%BFx");
    }

    #[test]
    fn every_name_is_there_also_for_nobody() {
        let headers = headers(None);
        for name in [USER_ID, SESSION_HANDLE, TENANT_ID] {
            assert_eq!(headers[name], "");
        }
    }
}
