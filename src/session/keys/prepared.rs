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
    Secret(Box<hmac::Key>),
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
                Some(Self::Secret(Box::new(hmac::Key::new(algorithm, secret))))
            }
            _ => None,
        }
    }

    /// Tells whether both are the same key of the same algorithm.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Public(key), Self::Public(other)) => key.as_ref() == other.as_ref(),
            // A secret cannot be read back: two are the same if they make the same tag.
            (Self::Secret(key), Self::Secret(other)) => hmac::verify(other, b"", hmac::sign(key, b"").as_ref()).is_ok(),
            _ => false,
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

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    };
    use jsonwebtoken::EncodingKey;
    use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;

    use super::*;

    /// A pair of keys for each algorithm.
    fn pairs() -> Vec<(Algorithm, EncodingKey, DecodingKey)> {
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
        let components = RsaPublicKeyComponents::<Vec<u8>>::from(rsa.public_key());
        let rsa_der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = rsa.as_der().expect("der");
        let rsa_pem = pem::encode(&pem::Pem::new("PRIVATE KEY", rsa_der.as_ref()));
        let rsa_private = || EncodingKey::from_rsa_pem(rsa_pem.as_bytes()).expect("a key");
        let rsa_public = || DecodingKey::from_rsa_raw_components(&components.n, &components.e);
        let curve = |pair: EcdsaKeyPair| {
            let private = EncodingKey::from_ec_der(pair.to_pkcs8v1().expect("der").as_ref());
            (private, DecodingKey::from_ec_der(pair.public_key().as_ref()))
        };
        let p256 = curve(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key"));
        let p384 = curve(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).expect("a key"));
        let ed = Ed25519KeyPair::generate().expect("a key");
        let ed_private = EncodingKey::from_ed_der(ed.to_pkcs8v1().expect("der").as_ref());
        let mut pairs = vec![
            (Algorithm::ES256, p256.0, p256.1),
            (Algorithm::ES384, p384.0, p384.1),
            (Algorithm::EdDSA, ed_private, DecodingKey::from_ed_der(ed.public_key().as_ref())),
        ];
        for name in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] {
            pairs.push((name.parse().expect("a name"), rsa_private(), rsa_public()));
        }
        for name in ["HS256", "HS384", "HS512"] {
            let secret = [7; 64];
            pairs.push((
                name.parse().expect("a name"),
                EncodingKey::from_secret(&secret).expect("not empty"),
                DecodingKey::from_secret(&secret).expect("not empty"),
            ));
        }
        pairs
    }

    /// Each signature of `jsonwebtoken` verifies as it does there, and none with another message or in a changed form.
    #[test]
    fn it_judges_as_jsonwebtoken_does() {
        for (algorithm, private, public) in pairs() {
            let theirs: jsonwebtoken::Algorithm = algorithm.name().parse().expect("a name of theirs");
            let signer = (DEFAULT_PROVIDER.signer_factory)(&theirs, &private).expect("a signer");
            let verifier = (DEFAULT_PROVIDER.verifier_factory)(&theirs, &public).expect("a verifier");
            let prepared = Prepared::new(algorithm, &public).expect("a key of the algorithm");
            assert!(prepared.is_same(&prepared.clone()), "{algorithm}");
            let signature = signer.sign(b"message");
            assert!(prepared.verifies(b"message", &signature), "{algorithm}");
            assert!(!prepared.verifies(b"messagf", &signature), "{algorithm}");

            let mut changed = vec![Vec::new(), [&signature[..], &[0]].concat(), [&[0], &signature[..]].concat()];
            changed.push(signature[..signature.len() - 1].to_vec());
            changed.push(vec![0; signature.len()]);
            for bit in 0..signature.len() * 8 {
                let mut other = signature.clone();
                other[bit / 8] ^= 1 << (bit % 8);
                changed.push(other);
            }
            for other in changed {
                let expected = verifier.verify(b"message", &other).is_ok();
                assert_eq!(prepared.verifies(b"message", &other), expected, "{algorithm} {other:?}");
                assert!(!expected, "{algorithm} {other:?}");
            }
        }
    }

    #[test]
    fn a_key_of_another_kind_is_not_taken() {
        let pairs = pairs();
        for (algorithm, _, _) in &pairs {
            for (other, _, public) in &pairs {
                // Any bytes are a secret, and only the length of a point tells its curve.
                if other.key_type() != algorithm.key_type() && !algorithm.name().starts_with("HS") {
                    assert!(Prepared::new(*algorithm, public).is_none(), "{other} as {algorithm}");
                }
            }
        }
    }
}
