//! Keys in the form in which signatures are checked: parsed once, when they are loaded, and not once a token.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm,
};
use jsonwebtoken::{DecodingKey, DecodingKeyKind};

use super::algorithm::Algorithm;

/// A key with its algorithm, for any thread.
#[derive(Clone)]
pub(super) enum Prepared {
    Public(ParsedPublicKey),
    Secret(hmac::Key),
}

/// How the signatures of an algorithm are checked.
enum Check {
    Rsa(&'static RsaParameters),
    Curve(&'static dyn VerificationAlgorithm),
    Hmac(hmac::Algorithm),
}

impl Prepared {
    /// `None`: the key is not one of the algorithm.
    pub(super) fn new(algorithm: Algorithm, key: &DecodingKey) -> Option<Self> {
        match (check(algorithm), key.kind()) {
            (Check::Rsa(parameters), DecodingKeyKind::RsaModulusExponent { n, e }) => {
                RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters).ok().map(Self::Public)
            }
            (Check::Curve(algorithm), DecodingKeyKind::SecretOrDer(point)) => {
                ParsedPublicKey::new(algorithm, point).ok().map(Self::Public)
            }
            (Check::Hmac(algorithm), DecodingKeyKind::SecretOrDer(secret)) => {
                Some(Self::Secret(hmac::Key::new(algorithm, secret)))
            }
            _ => None,
        }
    }

    /// Tells whether the signature is right over these very bytes; of a secret's, in constant time.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Public(key) => key.verify_sig(message, signature).is_ok(),
            Self::Secret(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }
}

fn check(algorithm: Algorithm) -> Check {
    match algorithm {
        Algorithm::RS256 => Check::Rsa(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Check::Rsa(&RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Check::Rsa(&RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Check::Rsa(&RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Check::Rsa(&RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Check::Rsa(&RSA_PSS_2048_8192_SHA512),
        Algorithm::ES256 => Check::Curve(&ECDSA_P256_SHA256_FIXED),
        Algorithm::ES384 => Check::Curve(&ECDSA_P384_SHA384_FIXED),
        Algorithm::EdDSA => Check::Curve(&ED25519),
        Algorithm::HS256 => Check::Hmac(hmac::HMAC_SHA256),
        Algorithm::HS384 => Check::Hmac(hmac::HMAC_SHA384),
        Algorithm::HS512 => Check::Hmac(hmac::HMAC_SHA512),
    }
}
