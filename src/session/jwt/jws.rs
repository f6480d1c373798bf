//! The compact form of a signed token (RFC 7515 section 7.1), taken apart strictly.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::session::payload::Payload;
use crate::session::{AuthError, AuthErrorKind as Kind};

/// The encoded headers of SuperTokens tokens of version 1 and 2. Such tokens are standard Base64 with padding, so
/// only a token that begins with exactly these bytes is read that way.
const LEGACY_HEADERS: [&str; 2] = [
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsInZlcnNpb24iOiIxIn0=",
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsInZlcnNpb24iOiIyIn0=",
];

/// A token in its three parts, nothing of which is trusted yet.
pub(super) struct Jws<'a> {
    /// The bytes that are signed: header, dot, payload, as they came.
    pub(super) signed: &'a str,
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
}

/// What the header says, once it is known to say nothing else that matters.
pub(super) struct Header {
    pub(super) algorithm: String,
    pub(super) kid: Option<String>,
    pub(super) token_type: Option<String>,
    /// SuperTokens: the version of its claims.
    pub(super) version: Option<String>,
}

impl<'a> Jws<'a> {
    /// Splits a token; its length is checked before anything is looked at.
    pub(super) fn split(token: &'a str, max_bytes: usize) -> Result<Self, AuthError> {
        if token.len() > max_bytes {
            return Err(malformed("the token is too large"));
        }
        let mut parts = token.splitn(4, '.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed("the token has not three parts"));
        };
        if header.is_empty() || payload.is_empty() || signature.is_empty() {
            return Err(malformed("a part of the token is empty"));
        }
        let signed = token.get(..header.len() + 1 + payload.len()).unwrap_or_default();
        Ok(Self { signed, header, payload, signature })
    }

    /// Tells whether this is a SuperTokens token of version 1 or 2.
    pub(super) fn is_legacy(&self) -> bool {
        LEGACY_HEADERS.contains(&self.header)
    }

    pub(super) fn header(&self) -> Result<Header, AuthError> {
        let bytes = URL_SAFE_NO_PAD.decode(self.header).map_err(|_| malformed("the header is not base64url"))?;
        let header = Payload::parse(&bytes).map_err(|_| malformed("the header is not a strict JSON object"))?;
        // RFC 7515 section 4.1.11 demands refusing what `crit` names and we do not know, and we know none; `zip` is
        // for encryption only, `b64` changes what is signed (RFC 7797), `cty` announces a nested token.
        if ["crit", "zip", "b64", "cty"].iter().any(|name| header.raw(name).is_some()) {
            return Err(malformed("the header asks for an extension"));
        }
        let text = |name| header.get::<String>(name).map_err(|_| malformed("a header member is not a string"));
        let algorithm = text("alg")?.ok_or(malformed("the header names no algorithm"))?;
        // Not a member that RFC 7515 knows, so it means nothing to other tokens, whatever its type.
        let version = header.get("version").ok().flatten();
        Ok(Header { algorithm, kid: text("kid")?, token_type: text("typ")?, version })
    }

    pub(super) fn signature(&self) -> Result<Vec<u8>, AuthError> {
        self.decode(self.signature).ok_or(malformed("the signature is not base64"))
    }

    /// The claims; to be called only after the signature was found right over [`signed`](Self::signed).
    pub(super) fn claims(&self) -> Result<Payload, AuthError> {
        let bytes = self.decode(self.payload).ok_or(malformed("the payload is not base64"))?;
        Payload::parse(&bytes).map_err(|_| AuthError::because(Kind::MalformedClaims, "not a strict JSON object"))
    }

    fn decode(&self, part: &str) -> Option<Vec<u8>> {
        if self.is_legacy() { STANDARD.decode(part).ok() } else { URL_SAFE_NO_PAD.decode(part).ok() }
    }
}

pub(super) fn malformed(reason: &'static str) -> AuthError {
    AuthError::because(Kind::MalformedToken, reason)
}
