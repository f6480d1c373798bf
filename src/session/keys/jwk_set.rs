//! A JWK set (RFC 7517 section 5) to a key set.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::InvalidKey;
use super::algorithm::Algorithm;
use super::jwk::Jwk;
use super::set::{KeySet, SkippedKey};
use crate::ConfigError;
use crate::json;
use crate::session::payload::RULES;

/// The largest JWK set that is read, in bytes; a set of 100 RSA keys of 8192 bits is smaller.
pub(crate) const MAX_JWKS_BYTES: usize = 256 * 1024;

/// The most keys that are taken from one set.
pub(crate) const MAX_KEYS: usize = 100;

impl KeySet {
    /// A set from the text of a JWK set (RFC 7517 section 5), with the algorithms that are allowed.
    ///
    /// A key that cannot be used is skipped, and so are keys that differ and have the same `kid` and algorithm; see
    /// [`skipped`](Self::skipped).
    ///
    /// # Errors
    ///
    /// The text is not a JWK set of at most 256 KiB and 100 keys, no key of it can be used, or the allow-list is
    /// empty.
    pub fn from_jwks(json: &[u8], allowed: &[Algorithm]) -> Result<Self, ConfigError> {
        if allowed.is_empty() {
            return Err(ConfigError::NoAlgorithm);
        }
        let set = Self::parse(json, allowed).map_err(ConfigError::Key)?;
        set.report_ambiguous("a JWK set that was given");
        if set.is_empty() { Err(ConfigError::Key(InvalidKey::NoUsableKey)) } else { Ok(set) }
    }

    /// As [`from_jwks`](Self::from_jwks); a key server may answer with a well-formed set without usable keys.
    pub(crate) fn parse(json: &[u8], allowed: &[Algorithm]) -> Result<Self, InvalidKey> {
        let JwkSet { keys: jwks } = JwkSet::read(json).ok_or(InvalidKey::NotJwkSet)?;
        if jwks.len() > MAX_KEYS {
            return Err(InvalidKey::NotJwkSet);
        }
        let (mut keys, mut skipped, mut private) = (Vec::new(), Vec::new(), 0);
        for (index, jwk) in jwks.iter().enumerate() {
            let jwk = Jwk::read(jwk.get().as_bytes());
            private += usize::from(jwk.as_ref().is_ok_and(Jwk::is_private));
            match jwk.and_then(|jwk| jwk.key(allowed)) {
                Ok(key) => keys.push((index, key)),
                Err(reason) => skipped.push(SkippedKey { index, reason }),
            }
        }
        Ok(Self::read(keys, skipped, private))
    }
}

/// A JWK set whose keys were not looked at yet: what is odd in one of them is no fault of the others.
#[derive(Deserialize)]
struct JwkSet<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

impl<'a> JwkSet<'a> {
    /// `None`: not one object with one array `keys`, too large, or nested too deeply.
    fn read(json: &'a [u8]) -> Option<Self> {
        if json.len() > MAX_JWKS_BYTES {
            return None;
        }
        // An array would be taken for an object without names.
        let text = std::str::from_utf8(json).ok().filter(|text| text.trim_ascii_start().starts_with('{'))?;
        let set = serde_json::from_str(text).ok()?;
        (json::depth(text) <= RULES.depth).then_some(set)
    }
}
