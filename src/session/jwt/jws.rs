//! The compact form of a signed token (RFC 7515 section 7.1), taken apart strictly.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memchr_iter;

use super::base64url;
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
    pub(super) header: &'a str,
    payload: &'a str,
    signature: &'a str,
}

/// Where a signature is decoded to: on the stack, for keys of every size that is taken.
pub(super) struct SignatureBuffer {
    /// As large as the signature of the largest RSA key.
    stack: [u8; 1024],
    /// For legacy tokens, and for signatures longer than any key makes, which are still refused as malformed Base64 first.
    heap: Vec<u8>,
}

impl SignatureBuffer {
    pub(super) fn new() -> Self {
        Self { stack: [0; 1024], heap: Vec::new() }
    }
}

impl<'a> Jws<'a> {
    /// Splits a token; its length is checked before anything is looked at.
    pub(super) fn split(token: &'a str, max_bytes: usize) -> Result<Self, AuthError> {
        if token.len() > max_bytes {
            return Err(malformed("the token is too large"));
        }
        let mut dots = memchr_iter(b'.', token.as_bytes());
        let (Some(first), Some(second), None) = (dots.next(), dots.next(), dots.next()) else {
            return Err(malformed("the token has not three parts"));
        };
        // A dot is a character by itself, so there is a text on both sides of it.
        let part = |from: usize, to: usize| token.get(from..to).unwrap_or_default();
        let (header, payload) = (part(0, first), part(first + 1, second));
        let signature = part(second + 1, token.len());
        if header.is_empty() || payload.is_empty() || signature.is_empty() {
            return Err(malformed("a part of the token is empty"));
        }
        Ok(Self { signed: part(0, second), header, payload, signature })
    }

    /// Tells whether this is a SuperTokens token of version 1 or 2.
    pub(super) fn is_legacy(&self) -> bool {
        LEGACY_HEADERS.contains(&self.header)
    }

    pub(super) fn signature<'b>(&self, buffer: &'b mut SignatureBuffer) -> Result<&'b [u8], AuthError> {
        let wrong = || malformed("the signature is not base64");
        if !self.is_legacy() && base64url::decoded_len(self.signature.len()) <= buffer.stack.len() {
            let length = base64url::decode_to(self.signature, &mut buffer.stack).map_err(|_| wrong())?;
            return Ok(buffer.stack.get(..length).unwrap_or_default());
        }
        buffer.heap = self.decode(self.signature).ok_or_else(wrong)?;
        Ok(&buffer.heap)
    }

    /// The claims; to be called only after the signature was found right over [`signed`](Self::signed).
    pub(super) fn claims(&self) -> Result<Payload, AuthError> {
        let bytes = self.decode(self.payload).ok_or_else(|| malformed("the payload is not base64"))?;
        Payload::from_vec(bytes).map_err(|_| AuthError::because(Kind::MalformedClaims, "not a strict JSON object"))
    }

    fn decode(&self, part: &str) -> Option<Vec<u8>> {
        if self.is_legacy() { STANDARD.decode(part).ok() } else { base64url::decode(part).ok() }
    }
}

pub(super) fn malformed(reason: &'static str) -> AuthError {
    AuthError::because(Kind::MalformedToken, reason)
}
