use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Algorithm;
use super::InvalidKey;
use super::jwk;
use super::key::VerificationKey;
use crate::json;
use crate::session::payload::RULES;

/// The largest JWK set that is read, in bytes; a set of 100 RSA keys of 8192 bits is smaller.
pub(crate) const MAX_JWKS_BYTES: usize = 256 * 1024;

/// The most keys that are taken from one set.
pub(crate) const MAX_KEYS: usize = 100;

/// A set of keys, each found by its exact `kid`.
///
/// ```
/// use tower_user_metadata::session::keys::{Algorithm, KeySet};
///
/// let jwks = br#"{"keys":[
///     {"kty":"OKP","crv":"Ed25519","kid":"2026","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
///     {"kty":"AKP","alg":"ML-DSA-65","kid":"2031","pub":"AAAA"}
/// ]}"#;
/// let keys = KeySet::from_jwks(jwks, &[Algorithm::EdDSA])?;
/// assert_eq!(keys.len(), 1);
/// // A key of a kind that is not supported does not take the others down.
/// assert_eq!(keys.skipped().len(), 1);
/// # Ok::<(), tower_user_metadata::ConfigError>(())
/// ```
pub struct KeySet {
    /// Few, so a search in order is quicker than a hash of the name.
    named: BTreeMap<Box<str>, VerificationKey>,
    unnamed: Option<VerificationKey>,
    skipped: Vec<SkippedKey>,
    generation: Generation,
    private: usize,
}

/// Tells one set of keys from every other of this process: what was verified under one does not count under another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Generation(u64);

/// The number of the next set.
static GENERATION: AtomicU64 = AtomicU64::new(0);

impl Generation {
    #[cfg(test)]
    pub(crate) fn new(number: u64) -> Self {
        Self(number)
    }
}

/// A key of a JWK set that was left out, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SkippedKey {
    /// Its place in the array `keys`, from 0.
    pub index: usize,
    /// Why it cannot be used.
    pub reason: InvalidKey,
}

impl KeySet {
    /// A set of the given keys.
    ///
    /// # Errors
    ///
    /// Two keys have the same `kid`, or one of several has none.
    pub fn new(keys: impl IntoIterator<Item = VerificationKey>) -> Result<Self, InvalidKey> {
        let mut set = Self::empty();
        for key in keys {
            let taken = match key.kid().map(Box::from) {
                Some(kid) => set.named.insert(kid, key).is_some(),
                None => set.unnamed.replace(key).is_some(),
            };
            if taken {
                return Err(InvalidKey::DuplicateKid);
            }
        }
        match (&set.unnamed, set.named.is_empty()) {
            (Some(_), false) => Err(InvalidKey::MissingKid),
            (None, true) => Err(InvalidKey::NoUsableKey),
            _ => Ok(set),
        }
    }

    /// A set from the text of a JWK set (RFC 7517 section 5), with the algorithms that are allowed.
    ///
    /// A key that cannot be used is skipped, and so are all keys of a `kid` that comes twice; see
    /// [`skipped`](Self::skipped).
    ///
    /// # Errors
    ///
    /// The text is not a JWK set of at most 256 KiB and 100 keys, no key of it can be used, or the allow-list is
    /// empty.
    pub fn from_jwks(json: &[u8], allowed: &[Algorithm]) -> Result<Self, crate::ConfigError> {
        if allowed.is_empty() {
            return Err(crate::ConfigError::NoAlgorithm);
        }
        let set = Self::parse(json, allowed).map_err(crate::ConfigError::Key)?;
        if set.is_empty() { Err(crate::ConfigError::Key(InvalidKey::NoUsableKey)) } else { Ok(set) }
    }

    /// As [`from_jwks`](Self::from_jwks); a key server may answer with a well-formed set without usable keys.
    pub(crate) fn parse(json: &[u8], allowed: &[Algorithm]) -> Result<Self, InvalidKey> {
        let JwkSet { keys } = JwkSet::read(json).ok_or(InvalidKey::NotJwkSet)?;
        if keys.len() > MAX_KEYS {
            return Err(InvalidKey::NotJwkSet);
        }
        let mut set = Self::empty();
        let mut taken = HashMap::<Option<Box<str>>, usize>::new();
        for (index, key) in keys.iter().enumerate() {
            set.private += usize::from(jwk::is_private(key.get().as_bytes()));
            match jwk::parse(key.get().as_bytes(), allowed) {
                Err(reason) => set.skipped.push(SkippedKey { index, reason }),
                Ok(key) => {
                    let kid = key.kid().map(Box::from);
                    // Which of two keys of one name is meant cannot be told, so neither is used.
                    if taken.insert(kid.clone(), index).is_some() {
                        set.skipped.push(SkippedKey { index, reason: InvalidKey::DuplicateKid });
                        set.remove(kid.as_deref());
                    } else {
                        set.insert(kid, key);
                    }
                }
            }
        }
        // A key without a name can only be meant when it is the only one.
        if set.unnamed.is_some() && !set.named.is_empty() {
            let index = taken.get(&None).copied().unwrap_or_default();
            set.skipped.push(SkippedKey { index, reason: InvalidKey::MissingKid });
            set.unnamed = None;
        }
        Ok(set)
    }

    /// The number of usable keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.named.len() + usize::from(self.unnamed.is_some())
    }

    /// Whether there is no usable key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The keys of the JWK set that were left out.
    #[must_use]
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// How many keys of the JWK set gave away their private part, which nobody should have seen.
    pub(crate) fn private(&self) -> usize {
        self.private
    }

    /// The keys, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &VerificationKey> {
        self.named.values().chain(&self.unnamed)
    }

    /// The keys with the most recent of SuperTokens' first, whose names tell when they were made.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &VerificationKey> {
        self.named.values().rev().chain(&self.unnamed)
    }

    /// The key that a token means: the one of this exact `kid`; or the only key, when that has no name or the token
    /// names none.
    pub(crate) fn find(&self, kid: Option<&str>) -> Option<&VerificationKey> {
        match kid {
            Some(kid) => self.named.get(kid).or(self.unnamed.as_ref()),
            None if self.len() == 1 => self.iter().next(),
            None => None,
        }
    }

    /// What tells this set from others; a clone of the same `Arc` has the same.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.generation
    }

    fn empty() -> Self {
        let generation = Generation(GENERATION.fetch_add(1, Ordering::Relaxed));
        Self { named: BTreeMap::new(), unnamed: None, skipped: Vec::new(), generation, private: 0 }
    }

    fn insert(&mut self, kid: Option<Box<str>>, key: VerificationKey) {
        match kid {
            Some(kid) => drop(self.named.insert(kid, key)),
            None => self.unnamed = Some(key),
        }
    }

    fn remove(&mut self, kid: Option<&str>) {
        match kid {
            Some(kid) => drop(self.named.remove(kid)),
            None => self.unnamed = None,
        }
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

impl From<VerificationKey> for KeySet {
    fn from(key: VerificationKey) -> Self {
        let mut set = Self::empty();
        set.insert(key.kid().map(Box::from), key);
        set
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet").field("keys", &self.len()).field("skipped", &self.skipped).finish()
    }
}
