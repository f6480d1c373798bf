//! One JWK (RFC 7517) to one key.
//!
//! A JWK is one strict JSON object, and what it says of its use must allow verifying. A member that is `null` is one that
//! is not there, as libraries write what they do not know.

use jsonwebtoken::jwk::{KeyOperations, PublicKeyUse};
use serde::de::DeserializeOwned;

use super::InvalidKey;
use super::algorithm::{Algorithm, KeyType};
use super::key::VerificationKey;
use super::number::{in_bytes, octets};
use crate::session::payload::Payload;

impl VerificationKey {
    /// A public key or a secret from the text of a JWK (RFC 7517); its `kid` is kept.
    ///
    /// ```
    /// use tower_user_metadata::session::keys::{Algorithm, InvalidKey, VerificationKey};
    ///
    /// let jwk = r#"{"kty":"OKP","crv":"Ed25519","kid":"2026","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    /// let key = VerificationKey::from_jwk(Algorithm::EdDSA, jwk)?;
    /// assert_eq!(key.kid(), Some("2026"));
    /// # Ok::<(), InvalidKey>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The JWK is malformed, is a private key, is not for verifying, or does not fit the algorithm.
    pub fn from_jwk(algorithm: Algorithm, json: impl AsRef<[u8]>) -> Result<Self, InvalidKey> {
        let jwk = Jwk::read(json.as_ref())?;
        if jwk.is_private() { Err(InvalidKey::PrivateKey) } else { jwk.key(&[algorithm]) }
    }
}

/// A JWK of which nothing is known yet but that it is a strict object.
pub(super) struct Jwk(Payload);

impl Jwk {
    pub(super) fn read(json: &[u8]) -> Result<Self, InvalidKey> {
        Payload::parse(json).map(Self).map_err(|_| InvalidKey::Malformed)
    }

    /// Tells whether it has the private part of an asymmetric key (`d` in RFC 7518 section 6 and RFC 8037 section 2).
    pub(super) fn is_private(&self) -> bool {
        self.0.raw("d").is_some_and(|value| value != "null")
    }

    /// The public key or secret, whose algorithm must be on the allow-list.
    ///
    /// A JWK without `alg` gets the first allowed algorithm that fits its type, so that no token can choose. Private
    /// members are not looked at.
    pub(super) fn key(&self, allowed: &[Algorithm]) -> Result<VerificationKey, InvalidKey> {
        let kid: Option<String> = self.member("kid")?;
        self.check_use()?;
        let algorithm = self.algorithm(allowed)?;
        let key = match algorithm.key_type() {
            KeyType::Rsa => VerificationKey::rsa(algorithm, &self.octets("n")?, &self.octets("e")?)?,
            KeyType::P256 => VerificationKey::ecdsa(algorithm, &self.point(32)?)?,
            KeyType::P384 => VerificationKey::ecdsa(algorithm, &self.point(48)?)?,
            KeyType::Ed25519 => VerificationKey::ed25519(&self.octets("x")?)?,
            KeyType::Secret(_) => VerificationKey::from_secret(algorithm, self.octets("k")?)?,
        };
        Ok(match kid {
            Some(kid) => key.with_kid(kid),
            None => key,
        })
    }

    fn algorithm(&self, allowed: &[Algorithm]) -> Result<Algorithm, InvalidKey> {
        let kty: String = self.member("kty")?.ok_or(InvalidKey::Malformed)?;
        let curve: Option<String> = self.member("crv")?;
        let fits = |algorithm: &Algorithm| match algorithm.key_type() {
            KeyType::Rsa => kty == "RSA",
            KeyType::P256 => kty == "EC" && curve.as_deref() == Some("P-256"),
            KeyType::P384 => kty == "EC" && curve.as_deref() == Some("P-384"),
            KeyType::Ed25519 => kty == "OKP" && curve.as_deref() == Some("Ed25519"),
            KeyType::Secret(_) => kty == "oct",
        };
        let Some(name) = self.member::<String>("alg")? else {
            return allowed.iter().copied().find(fits).ok_or(InvalidKey::WrongType);
        };
        let named: Algorithm = name.parse().map_err(|_| InvalidKey::AlgorithmNotAllowed)?;
        match (allowed.contains(&named), fits(&named)) {
            (false, _) => Err(InvalidKey::AlgorithmNotAllowed),
            (true, false) => Err(InvalidKey::WrongType),
            (true, true) => Ok(named),
        }
    }

    /// RFC 7517 sections 4.2 and 4.3: a key that says what it is for must say that it verifies. A list of no operations
    /// says nothing.
    fn check_use(&self) -> Result<(), InvalidKey> {
        let key_use: Option<PublicKeyUse> = self.member("use")?;
        let operations: Vec<KeyOperations> = self.member("key_ops")?.unwrap_or_default();
        let signs = key_use.is_none_or(|key_use| key_use == PublicKeyUse::Signature);
        let verifies = operations.is_empty() || operations.contains(&KeyOperations::Verify);
        if signs && verifies { Ok(()) } else { Err(InvalidKey::WrongUse) }
    }

    /// The uncompressed point (SEC 1 section 2.3.3) of coordinates that may have lost or got zeros before them.
    fn point(&self, length: usize) -> Result<Vec<u8>, InvalidKey> {
        let coordinate = |name| in_bytes(&self.octets(name)?, length).ok_or(InvalidKey::InvalidPoint);
        Ok([&[4][..], &coordinate("x")?, &coordinate("y")?].concat())
    }

    fn octets(&self, name: &str) -> Result<Vec<u8>, InvalidKey> {
        octets(&self.member::<String>(name)?.ok_or(InvalidKey::Malformed)?)
    }

    fn member<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, InvalidKey> {
        self.0.get::<Option<T>>(name).map(Option::flatten).map_err(|_| InvalidKey::Malformed)
    }
}
