//! JWK (RFC 7517) to key, strictly.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::InvalidKey;
use super::algorithm::{Algorithm, ED25519, KeyType};
use super::key::VerificationKey;
use crate::session::payload::Payload;

/// Reads one JWK whose algorithm must be on the allow-list.
///
/// A JWK without `alg` gets the first allowed algorithm that fits its type, so that no token can choose. Private
/// members are not looked at.
pub(super) fn parse(json: &[u8], allowed: &[Algorithm]) -> Result<VerificationKey, InvalidKey> {
    let jwk = Payload::parse(json).map_err(|_| InvalidKey::Malformed)?;
    let kid = text(&jwk, "kid")?;
    check_use(&jwk)?;
    let kty = text(&jwk, "kty")?.ok_or(InvalidKey::Malformed)?;
    let curve = text(&jwk, "crv")?;
    let fits = |algorithm: &Algorithm| match algorithm.key_type() {
        KeyType::Rsa => kty == "RSA",
        KeyType::P256 => kty == "EC" && curve.as_deref() == Some("P-256"),
        KeyType::P384 => kty == "EC" && curve.as_deref() == Some("P-384"),
        KeyType::Ed25519 => kty == "OKP" && curve.as_deref() == Some("Ed25519"),
        KeyType::Secret(_) => kty == "oct",
    };
    let named = text(&jwk, "alg")?;
    let algorithm = match named.as_deref() {
        Some(name) => {
            let name = if name == ED25519 { Algorithm::EdDSA.name() } else { name };
            let named = name.parse().map_err(|_| InvalidKey::AlgorithmNotAllowed)?;
            if !allowed.contains(&named) {
                return Err(InvalidKey::AlgorithmNotAllowed);
            }
            if !fits(&named) {
                return Err(InvalidKey::WrongType);
            }
            named
        }
        None => *allowed.iter().find(|algorithm| fits(algorithm)).ok_or(InvalidKey::WrongType)?,
    };
    let key = match algorithm.key_type() {
        KeyType::Rsa => VerificationKey::rsa(algorithm, &bytes(&jwk, "n")?, &bytes(&jwk, "e")?)?,
        KeyType::P256 => VerificationKey::ecdsa(algorithm, &point(&jwk, 32)?)?,
        KeyType::P384 => VerificationKey::ecdsa(algorithm, &point(&jwk, 48)?)?,
        KeyType::Ed25519 => VerificationKey::ed25519(&bytes(&jwk, "x")?)?,
        KeyType::Secret(_) => VerificationKey::from_secret(algorithm, bytes(&jwk, "k")?)?,
    };
    let key = if named.as_deref() == Some(ED25519) { key.named(ED25519) } else { key };
    Ok(match kid {
        Some(kid) => key.with_kid(kid),
        None => key,
    })
}

/// Tells whether the JWK of an asymmetric key has its private part (`d` in RFC 7518 section 6 and RFC 8037 section 2).
pub(super) fn is_private(json: &[u8]) -> bool {
    Payload::parse(json).is_ok_and(|jwk| jwk.raw("d").is_some())
}

/// RFC 7517 sections 4.2 and 4.3: a key that says what it is for must say that it verifies.
fn check_use(jwk: &Payload) -> Result<(), InvalidKey> {
    let key_use = text(jwk, "use")?.is_none_or(|key_use| key_use == "sig");
    let operations: Option<Vec<String>> = jwk.get("key_ops").map_err(|_| InvalidKey::Malformed)?;
    let verifies = operations.is_none_or(|operations| operations.iter().any(|operation| operation == "verify"));
    if key_use && verifies { Ok(()) } else { Err(InvalidKey::WrongUse) }
}

fn text(jwk: &Payload, name: &str) -> Result<Option<String>, InvalidKey> {
    jwk.get(name).map_err(|_| InvalidKey::Malformed)
}

fn bytes(jwk: &Payload, name: &str) -> Result<Vec<u8>, InvalidKey> {
    let text = text(jwk, name)?.ok_or(InvalidKey::Malformed)?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidKey::Malformed)
}

/// The uncompressed point of coordinates that have exactly the curve's length (RFC 7518 section 6.2.1.2).
fn point(jwk: &Payload, length: usize) -> Result<Vec<u8>, InvalidKey> {
    let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
    if x.len() != length || y.len() != length {
        return Err(InvalidKey::InvalidPoint);
    }
    Ok([&[4][..], &x, &y].concat())
}
