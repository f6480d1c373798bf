use std::fmt;

use super::algorithm::{Algorithm, KeyType};
use super::number::significant;
use super::prepared::{Material, Prepared};
use super::{InvalidKey, pem, rsa, secret};

/// One key with one algorithm, checked when it is loaded. `Debug` prints the algorithm only.
///
/// ```
/// use tower_user_metadata::session::keys::{Algorithm, InvalidKey, VerificationKey};
///
/// let key = VerificationKey::from_secret(Algorithm::HS256, b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*")?.with_kid("2026");
/// assert_eq!(key.algorithm(), Algorithm::HS256);
/// // Not long enough for the algorithm.
/// assert_eq!(VerificationKey::from_secret(Algorithm::HS256, b"too short").unwrap_err(), InvalidKey::SecretTooShort);
/// # Ok::<(), InvalidKey>(())
/// ```
#[derive(Clone)]
pub struct VerificationKey {
    kid: Option<Box<str>>,
    algorithm: Algorithm,
    key: Prepared,
}

impl VerificationKey {
    /// A public key from the text of a PEM block: `PUBLIC KEY` (SPKI) or, for RSA, `RSA PUBLIC KEY` (PKCS#1).
    ///
    /// # Errors
    ///
    /// The text is not that, or the key does not fit the algorithm or is weak.
    pub fn from_pem(algorithm: Algorithm, pem: impl AsRef<[u8]>) -> Result<Self, InvalidKey> {
        match (pem::parse(pem.as_ref())?, algorithm.key_type()) {
            (pem::PublicKey::Rsa { n, e }, KeyType::Rsa) => Self::rsa(algorithm, &n, &e),
            (pem::PublicKey::P256(point), KeyType::P256) | (pem::PublicKey::P384(point), KeyType::P384) => {
                Self::ecdsa(algorithm, &point)
            }
            (pem::PublicKey::Ed25519(x), KeyType::Ed25519) => Self::ed25519(&x),
            _ => Err(InvalidKey::WrongType),
        }
    }

    /// A shared secret. Whoever holds it can also make sessions, and every token that it signs can be one: see
    /// [what else the key signs](crate::session#what-else-does-this-key-sign).
    ///
    /// # Errors
    ///
    /// The secret is shorter than the algorithm's hash, or a known or guessable one.
    pub fn from_secret(algorithm: Algorithm, secret: impl AsRef<[u8]>) -> Result<Self, InvalidKey> {
        let secret = secret.as_ref();
        secret::check(secret, min_bytes(algorithm)?)?;
        Self::new(algorithm, Material::Secret(secret))
    }

    /// A shared secret that [`from_secret`](Self::from_secret) refuses as too short or guessable: for a service that has
    /// signed tokens with it already, until all of them have expired.
    ///
    /// One token is enough to search for such a secret without asking any server, and whoever finds it signs in as
    /// anybody. So the log has one warning for each weakness in a process, without the secret. Make a new one, for example
    /// with `openssl rand -base64 48`; sign with it from now on, under a `kid`, and leave this one out once its last token has
    /// expired.
    ///
    /// ```
    /// use tower_user_metadata::session::keys::{Algorithm, InvalidKey, KeySet, VerificationKey};
    ///
    /// let old = "my-super-long-jwt-secret-for-local-development";
    /// assert_eq!(VerificationKey::from_secret(Algorithm::HS256, old).unwrap_err(), InvalidKey::SecretWeak);
    /// // Tokens without a `kid` mean the key without one, so both sign in until the old one is left out.
    /// let old = VerificationKey::from_weak_secret(Algorithm::HS256, old)?;
    /// let new = VerificationKey::from_secret(Algorithm::HS256, b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*")?.with_kid("2026");
    /// assert_eq!(KeySet::new([old, new])?.len(), 2);
    /// # Ok::<(), InvalidKey>(())
    /// ```
    ///
    /// # Errors
    ///
    /// What is no secret at all is refused here, too, since no search is needed to sign in as anybody: nothing, and a public
    /// key, which is a mistake in the settings (CVE-2022-29217).
    pub fn from_weak_secret(algorithm: Algorithm, secret: impl AsRef<[u8]>) -> Result<Self, InvalidKey> {
        let secret = secret.as_ref();
        match secret::check(secret, min_bytes(algorithm)?) {
            Ok(()) => {}
            Err(weakness @ (InvalidKey::SecretTooShort | InvalidKey::SecretWeak)) => secret::warn_of(weakness),
            Err(no_secret) => return Err(no_secret),
        }
        Self::new(algorithm, Material::Secret(secret))
    }

    /// Sets the name by which tokens ask for this key. Without one it takes tokens of any `kid` for which no key is named;
    /// see [`KeySet`](super::KeySet).
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<Box<str>>) -> Self {
        self.kid = Some(kid.into());
        self
    }

    /// The name by which tokens ask for this key.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The only algorithm that this key is used with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Tells whether both are the same key with the same algorithm, whatever they are called.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && self.key.is_same(&other.key)
    }

    /// Tells whether the signature is right over these very bytes.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verifies(message, signature)
    }

    pub(super) fn rsa(algorithm: Algorithm, n: &[u8], e: &[u8]) -> Result<Self, InvalidKey> {
        // aws-lc refuses zeros before a number.
        let (n, e) = (significant(n), significant(e));
        rsa::check(n, e)?;
        Self::new(algorithm, Material::Rsa { n, e })
    }

    /// From an uncompressed point (SEC 1 section 2.3.3).
    pub(super) fn ecdsa(algorithm: Algorithm, point: &[u8]) -> Result<Self, InvalidKey> {
        let on_curve = match algorithm.key_type() {
            KeyType::P256 => pem::is_p256_point(point),
            KeyType::P384 => pem::is_p384_point(point),
            _ => return Err(InvalidKey::WrongType),
        };
        if !on_curve {
            return Err(InvalidKey::InvalidPoint);
        }
        Self::new(algorithm, Material::Point(point))
    }

    pub(super) fn ed25519(x: &[u8]) -> Result<Self, InvalidKey> {
        if !pem::is_ed25519_point(x) {
            return Err(InvalidKey::InvalidPoint);
        }
        Self::new(Algorithm::EdDSA, Material::Point(x))
    }

    fn new(algorithm: Algorithm, material: Material<'_>) -> Result<Self, InvalidKey> {
        let key = Prepared::new(algorithm, material).ok_or(InvalidKey::Malformed)?;
        Ok(Self { kid: None, algorithm, key })
    }
}

fn min_bytes(algorithm: Algorithm) -> Result<usize, InvalidKey> {
    match algorithm.key_type() {
        KeyType::Secret(min_bytes) => Ok(min_bytes),
        _ => Err(InvalidKey::WrongType),
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerificationKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}
