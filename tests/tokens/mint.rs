//! Tokens of any shape with a right signature.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use tower_user_metadata::session::keys::{Algorithm, VerificationKey};

/// A key that signs.
pub(crate) enum Signer {
    Rsa(Box<RsaKeyPair>),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Secret(Vec<u8>),
}

impl Signer {
    pub(crate) fn rsa(pkcs8: &[u8]) -> Self {
        Self::Rsa(Box::new(RsaKeyPair::from_pkcs8(pkcs8).expect("an RSA key")))
    }

    pub(crate) fn p256(pkcs8: &[u8]) -> Self {
        Self::P256(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).expect("a P-256 key"))
    }

    pub(crate) fn ed25519(pkcs8: &[u8]) -> Self {
        Self::Ed25519(Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).expect("an Ed25519 key"))
    }

    pub(crate) fn secret(secret: &[u8]) -> Self {
        Self::Secret(secret.to_vec())
    }

    /// An RSA key that nobody else has.
    pub(crate) fn fresh_rsa() -> Self {
        Self::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).expect("randomness")))
    }

    /// The name of the algorithm that it signs with.
    pub(crate) fn alg(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
            Self::Secret(_) => "HS256",
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).expect("a signature");
                signature
            }
            Self::P256(key) => key.sign(&random, message).expect("a signature").as_ref().to_vec(),
            Self::Ed25519(key) => key.sign(message).as_ref().to_vec(),
            Self::Secret(secret) => hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec(),
        }
    }

    /// What verifies its signatures.
    pub(crate) fn verification_key(&self) -> VerificationKey {
        let pem = |der: Result<PublicKeyX509Der<'_>, _>| {
            pem::encode(&pem::Pem::new("PUBLIC KEY", der.expect("an SPKI").as_ref().to_vec()))
        };
        let key = match self {
            Self::Rsa(key) => VerificationKey::from_pem(Algorithm::RS256, pem(key.public_key().as_der())),
            Self::P256(key) => VerificationKey::from_pem(Algorithm::ES256, pem(key.public_key().as_der())),
            Self::Ed25519(key) => VerificationKey::from_pem(Algorithm::EdDSA, pem(key.public_key().as_der())),
            Self::Secret(secret) => VerificationKey::from_secret(Algorithm::HS256, secret),
        };
        key.expect("a sound key")
    }

    /// The public key as a JWK has it.
    pub(crate) fn ed25519_x(&self) -> String {
        match self {
            Self::Ed25519(key) => base64url(key.public_key()),
            _ => panic!("not an Ed25519 key"),
        }
    }

    /// The modulus and the exponent of the public key.
    pub(crate) fn rsa_numbers(&self) -> (Vec<u8>, Vec<u8>) {
        match self {
            Self::Rsa(key) => {
                let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(key.public_key());
                (n, e)
            }
            _ => panic!("not an RSA key"),
        }
    }

    /// A token of these bytes, whatever they are.
    pub(crate) fn token(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        self.encoded(&base64url(header), &base64url(payload))
    }

    /// A token of parts that are encoded already, or wrongly.
    pub(crate) fn encoded(&self, header: &str, payload: &str) -> String {
        let signed = format!("{header}.{payload}");
        let signature = base64url(self.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// A SuperTokens token of version 2: standard Base64 with padding.
    pub(crate) fn legacy_token(&self, payload: impl AsRef<[u8]>) -> String {
        let header = STANDARD.encode(br#"{"alg":"RS256","typ":"JWT","version":"2"}"#);
        let signed = format!("{header}.{}", STANDARD.encode(payload));
        let signature = STANDARD.encode(self.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A good payload of a SuperTokens access token of version 5, with an extra member or none.
pub(crate) fn supertokens_claims(user: &str, csrf: Option<&str>, now: u64, extra: &str) -> String {
    let csrf = csrf.map_or("null".to_owned(), |csrf| format!("\"{csrf}\""));
    let expires = now + 3_600;
    format!(
        r#"{{"iat":{now},"exp":{expires},"sub":"{user}","tId":"public","rsub":"{user}","sessionHandle":"handle-of-{user}","refreshTokenHash1":"0f1e2d","parentRefreshTokenHash1":null,"antiCsrfToken":{csrf}{extra}}}"#
    )
}

pub(crate) fn supertokens_header(kid: &str) -> String {
    format!(r#"{{"kid":"{kid}","typ":"JWT","version":"5","alg":"RS256"}}"#)
}
