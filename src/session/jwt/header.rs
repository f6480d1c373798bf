//! What the headers of tokens say: of few different ones, since all tokens that one key signs have the same.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::base64url;
use super::jws::malformed;
use crate::session::AuthError;
use crate::session::keys::Algorithm;
use crate::session::payload::Payload;

/// How many headers are remembered: more than a verifier has keys, as a rule, and few enough to be compared in turn.
const MAX_SEEN: usize = 16;

/// The longest header that is remembered, in bytes as it stands in the token.
const MAX_SEEN_BYTES: usize = 1024;

/// What a header says, once it is known to say nothing else that matters.
pub(super) struct Header {
    /// `None`: one that no key has.
    pub(super) algorithm: Option<Algorithm>,
    pub(super) kid: Option<String>,
    pub(super) token_type: Option<String>,
    /// SuperTokens: the version of its claims.
    pub(super) version: Option<String>,
}

impl Header {
    pub(super) fn parse(encoded: &str) -> Result<Self, AuthError> {
        let bytes = base64url::decode(encoded).map_err(|_| malformed("the header is not base64url"))?;
        let header = Payload::from_vec(bytes).map_err(|_| malformed("the header is not a strict JSON object"))?;
        // RFC 7515 section 4.1.11 demands refusing what `crit` names and we do not know, and we know none; `zip` is
        // for encryption only, `b64` changes what is signed (RFC 7797), `cty` announces a nested token.
        if ["crit", "zip", "b64", "cty"].iter().any(|name| header.raw(name).is_some()) {
            return Err(malformed("the header asks for an extension"));
        }
        let text = |name| header.get::<String>(name).map_err(|_| malformed("a header member is not a string"));
        let algorithm = text("alg")?.ok_or(malformed("the header names no algorithm"))?;
        // Not a member that RFC 7515 knows, so it means nothing to other tokens, whatever its type.
        let version = header.get("version").ok().flatten();
        let algorithm = algorithm.parse().ok();
        Ok(Self { algorithm, kid: text("kid")?, token_type: text("typ")?, version })
    }
}

/// The headers of tokens that verified, so that the next ones are recognised by their bytes. What a header says
/// depends on nothing else, so none of them ever becomes wrong.
#[derive(Default)]
pub(super) struct SeenHeaders(ArcSwap<Vec<Seen>>);

#[derive(Clone)]
struct Seen {
    encoded: Box<str>,
    header: Arc<Header>,
}

/// The headers as they were seen at one moment.
pub(super) struct SeenNow(Guard<Arc<Vec<Seen>>>);

impl SeenNow {
    pub(super) fn find(&self, encoded: &str) -> Option<&Header> {
        self.0.iter().find(|seen| *seen.encoded == *encoded).map(|seen| &*seen.header)
    }
}

impl SeenHeaders {
    pub(super) fn now(&self) -> SeenNow {
        SeenNow(self.0.load())
    }

    /// Remembers the header of a token that verified; the oldest makes room.
    pub(super) fn add(&self, encoded: &str, header: Header) {
        if encoded.len() > MAX_SEEN_BYTES {
            return;
        }
        let header = Arc::new(header);
        self.0.rcu(|seen| {
            let others = seen.iter().filter(|seen| *seen.encoded != *encoded).take(MAX_SEEN - 1).cloned();
            let new = Seen { encoded: encoded.into(), header: Arc::clone(&header) };
            std::iter::once(new).chain(others).collect::<Vec<_>>()
        });
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn encoded(kid: &str) -> String {
        URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"RS256","kid":"{kid}"}}"#))
    }

    fn add(seen: &SeenHeaders, encoded: &str) {
        seen.add(encoded, Header::parse(encoded).expect("a header"));
    }

    #[test]
    fn the_last_ones_are_found_by_every_byte() {
        let seen = SeenHeaders::default();
        let headers: Vec<_> = (0..=MAX_SEEN).map(|n| encoded(&n.to_string())).collect();
        for encoded in headers.iter().chain(headers.last()) {
            add(&seen, encoded);
        }
        let seen = seen.now();
        let kids = headers.iter().map(|encoded| seen.find(encoded).and_then(|header| header.kid.clone()));
        let expected = (0..=MAX_SEEN).map(|n| (n > 0).then(|| n.to_string()));
        assert!(kids.eq(expected));
        let encoded = &headers[MAX_SEEN];
        assert!(seen.find(&encoded[1..]).is_none() && seen.find(&encoded.to_lowercase()).is_none());
    }

    #[test]
    fn a_long_one_is_not_kept() {
        let seen = SeenHeaders::default();
        let encoded = encoded(&"k".repeat(MAX_SEEN_BYTES));
        add(&seen, &encoded);
        assert!(seen.now().find(&encoded).is_none());
    }
}
