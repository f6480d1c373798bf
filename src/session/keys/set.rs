use std::fmt;

use super::InvalidKey;
use super::algorithm::{Algorithm, KeyType};
use super::key::VerificationKey;
use super::version::KeySetVersion;

/// A set of keys, each found by its exact `kid` and its algorithm.
///
/// One key may be in it under several algorithms, and keys of one `kid` may have different ones (RFC 7517 section 4.5):
/// the algorithm of the token tells which is meant. Two *different* keys of one `kid` and one algorithm are ambiguous, and
/// none of them is used.
///
/// A token whose `kid` no key has means the one key without a `kid` of its algorithm. A token without a `kid` means that
/// key, too, so that a named key can take over from one without a name; where all have names, it means the one key of its
/// algorithm, and none where there are several.
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
    /// Few, so a search in order is quicker than a hash of the name. Sorted by `kid`, those without one first.
    keys: Vec<VerificationKey>,
    skipped: Vec<SkippedKey>,
    private: usize,
    version: KeySetVersion,
}

/// A key of a JWK set that was left out, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SkippedKey {
    /// Its place in the array `keys`, from 0.
    pub index: usize,
    /// Why it cannot be used.
    pub reason: InvalidKey,
}

/// Why no key of a set is the one that a token means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotFound {
    /// None has the name, or several could be meant.
    Kid,
    /// Those that could be meant have another algorithm.
    Algorithm,
}

/// The key that a token means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FoundKey<'a> {
    pub(crate) key: &'a VerificationKey,
    /// Whether the token and the key name each other, so that no newer set can have another key in its place.
    pub(crate) named: bool,
}

impl KeySet {
    /// A set of the given keys. A key that is there twice counts once.
    ///
    /// # Errors
    ///
    /// Two different keys have the same `kid`, or none, and the same algorithm; or there is no key at all.
    pub fn new(keys: impl IntoIterator<Item = VerificationKey>) -> Result<Self, InvalidKey> {
        let sorted = SortedKeys::new(keys.into_iter().collect());
        match (sorted.ambiguous.is_empty(), sorted.keys.is_empty()) {
            (false, _) => Err(InvalidKey::DuplicateKid),
            (true, true) => Err(InvalidKey::NoUsableKey),
            (true, false) => Ok(Self::of(sorted.keys, Vec::new(), 0)),
        }
    }

    /// A set of what was read of a JWK set: the keys with their places in it, those that were left out, and how many
    /// of all were private.
    pub(super) fn read(keys: Vec<(usize, VerificationKey)>, mut skipped: Vec<SkippedKey>, private: usize) -> Self {
        let (places, keys): (Vec<_>, Vec<_>) = keys.into_iter().unzip();
        let sorted = SortedKeys::new(keys);
        let ambiguous = sorted.ambiguous.iter().filter_map(|at| places.get(*at));
        skipped.extend(ambiguous.map(|index| SkippedKey { index: *index, reason: InvalidKey::DuplicateKid }));
        skipped.sort_by_key(|skipped| skipped.index);
        Self::of(sorted.keys, skipped, private)
    }

    fn of(keys: Vec<VerificationKey>, skipped: Vec<SkippedKey>, private: usize) -> Self {
        Self { keys, skipped, private, version: KeySetVersion::next() }
    }

    /// The number of usable keys; one that is there under several algorithms counts once for each.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no usable key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys of the JWK set that were left out, in its order.
    #[must_use]
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// Whether a key is a shared secret, which signs whatever its holders like.
    pub(crate) fn has_secret(&self) -> bool {
        self.keys.iter().any(|key| matches!(key.algorithm().key_type(), KeyType::Secret(_)))
    }

    /// How many keys of the JWK set gave away their private part, which nobody should have seen.
    pub(crate) fn private(&self) -> usize {
        self.private
    }

    /// Tells the operator which keys are not used because they are ambiguous; not their names, which come from outside
    /// and could forge a line of the log.
    pub(crate) fn report_ambiguous(&self, source: &str) {
        let ambiguous = self.skipped.iter().filter(|key| key.reason == InvalidKey::DuplicateKid);
        let indexes: Vec<_> = ambiguous.map(|key| key.index).collect();
        if !indexes.is_empty() {
            tracing::warn!(
                source,
                ?indexes,
                "different keys have the same kid and algorithm, so tokens under them are refused"
            );
        }
    }

    /// The keys, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &VerificationKey> {
        self.keys.iter()
    }

    /// The keys with the most recent of SuperTokens' first, whose names tell when they were made.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &VerificationKey> {
        self.keys.iter().rev()
    }

    /// Whether a key has this very name.
    pub(crate) fn has_kid(&self, kid: &str) -> bool {
        !self.of_kid(Some(kid)).is_empty()
    }

    /// The key that a token of this algorithm means.
    pub(crate) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<FoundKey<'_>, NotFound> {
        let found = |key, named| Ok(FoundKey { key, named });
        if let Some(key) = kid.and_then(|kid| of_algorithm(self.of_kid(Some(kid)), algorithm).next()) {
            return found(key, true);
        }
        let unnamed = self.of_kid(None);
        let any = kid.is_none() && of_algorithm(unnamed, algorithm).next().is_none();
        let mut fitting = of_algorithm(if any { &self.keys } else { unnamed }, algorithm);
        match fitting.next() {
            Some(key) if fitting.all(|other| other.is_same(key)) => found(key, false),
            None if kid.map_or(!self.is_empty(), |kid| self.has_kid(kid)) => Err(NotFound::Algorithm),
            _ => Err(NotFound::Kid),
        }
    }

    fn of_kid(&self, kid: Option<&str>) -> &[VerificationKey] {
        let start = self.keys.partition_point(|key| key.kid() < kid);
        let rest = self.keys.get(start..).unwrap_or_default();
        let end = rest.iter().take_while(|key| key.kid() == kid).count();
        rest.get(..end).unwrap_or_default()
    }

    /// What tells this set from others; a clone of the same `Arc` has the same.
    pub(crate) fn version(&self) -> KeySetVersion {
        self.version
    }
}

fn of_algorithm(keys: &[VerificationKey], algorithm: Algorithm) -> impl Iterator<Item = &VerificationKey> {
    keys.iter().filter(move |key| key.algorithm() == algorithm)
}

/// Keys in the order of a set, each once for each algorithm.
struct SortedKeys {
    keys: Vec<VerificationKey>,
    /// The places in what was given of those whose name and algorithm a different key has too.
    ambiguous: Vec<usize>,
}

impl SortedKeys {
    fn new(given: Vec<VerificationKey>) -> Self {
        let same_place = |one: &VerificationKey, other: &VerificationKey| {
            one.kid() == other.kid() && one.algorithm() == other.algorithm()
        };
        // Few, so each is compared with each.
        let is_ambiguous =
            |key: &VerificationKey| given.iter().any(|other| same_place(key, other) && !other.is_same(key));
        let ambiguous: Vec<_> = (0..given.len()).filter(|at| given.get(*at).is_some_and(is_ambiguous)).collect();
        let mut keys: Vec<VerificationKey> = Vec::new();
        for (_, key) in given.into_iter().enumerate().filter(|(at, _)| !ambiguous.contains(at)) {
            if !keys.iter().any(|other| same_place(&key, other)) {
                keys.push(key);
            }
        }
        keys.sort_by(|one, other| one.kid().cmp(&other.kid()));
        Self { keys, ambiguous }
    }
}

impl From<VerificationKey> for KeySet {
    fn from(key: VerificationKey) -> Self {
        Self::of(vec![key], Vec::new(), 0)
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet").field("keys", &self.len()).field("skipped", &self.skipped).finish()
    }
}
