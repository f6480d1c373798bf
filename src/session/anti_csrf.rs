use http::Method;
use subtle::ConstantTimeEq;

use super::headers::{Headers, single};
use super::{AuthError, AuthErrorKind as Kind, Session};

/// The proof against cross-site request forgery that a request with its token in a cookie must bring. Browsers also send
/// cookies with requests that other sites start. Names and rules are those of SuperTokens, whose SDKs exempt `GET` alone.
///
/// `GET`, `HEAD` and `OPTIONS` are exempt, as safe methods (RFC 9110 section 9.2.1): do not change anything in their
/// handlers. Headers that override the method are not looked at, and a method that is not known counts as unsafe. The
/// handshake of a WebSocket is a `GET` that other sites may start as well: compare its `Origin` before you take it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AntiCsrf {
    /// The header `rid` must be there, with any value: a page of another site cannot set it without a CORS preflight,
    /// which the application would have to allow. `VIA_CUSTOM_HEADER` in SuperTokens.
    ViaCustomHeader,
    /// The header `anti-csrf` must have the value of the session's `antiCsrfToken`. `VIA_TOKEN` in SuperTokens.
    ViaToken,
    /// Nothing is demanded. Only right where the cookie is `SameSite=Strict` or `Lax`, no handler of a safe method
    /// changes anything, and every site below the same registrable domain is trusted.
    NoneBecauseCookiesAreSameSite,
}

/// What the request brings as its proof; taken from the headers before a verifier may have to wait. Not `Debug`, since
/// it may hold a secret.
pub(crate) enum CsrfProof {
    NotNeeded,
    /// Why there is none.
    Missing(&'static str),
    /// To be compared with the token of the session.
    Token(Box<[u8]>),
}

impl AntiCsrf {
    pub(crate) fn proof(&self, method: &str, headers: &dyn Headers) -> CsrfProof {
        let safe = [Method::GET, Method::HEAD, Method::OPTIONS].iter().any(|safe| safe.as_str() == method);
        match self {
            _ if safe => CsrfProof::NotNeeded,
            Self::NoneBecauseCookiesAreSameSite => CsrfProof::NotNeeded,
            Self::ViaCustomHeader => {
                let mut there = false;
                headers.visit("rid", &mut |_| there = true);
                if there { CsrfProof::NotNeeded } else { CsrfProof::Missing("the header rid is missing") }
            }
            Self::ViaToken => match single(headers, "anti-csrf") {
                Ok(Some(token)) if !token.is_empty() => CsrfProof::Token(token.into()),
                _ => CsrfProof::Missing("the header anti-csrf is missing, empty or comes more than once"),
            },
        }
    }
}

impl CsrfProof {
    pub(crate) fn check(&self, session: &Session) -> Result<(), AuthError> {
        let reason = match (self, session.anti_csrf_token()) {
            (Self::NotNeeded, _) => return Ok(()),
            (Self::Token(token), Some(expected)) if expected.as_bytes().ct_eq(token).into() => return Ok(()),
            (Self::Missing(reason), _) => *reason,
            (Self::Token(_), Some(_)) => "the header anti-csrf is not that of the session",
            (Self::Token(_), None) => "the session has no anti-csrf token",
        };
        Err(AuthError::because(Kind::AntiCsrf, reason))
    }
}
