//! Keys in the form in which signatures are checked: parsed once, when they are loaded, and not once a token.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm,
};

use super::algorithm::Algorithm;

/// A key with its algorithm, for any thread.
#[derive(Clone)]
pub(super) enum Prepared {
    Public(ParsedPublicKey),
    Secret(Box<hmac::Key>),
}

/// What a key is made of, before it is prepared.
#[derive(Clone, Copy)]
pub(super) enum Material<'a> {
    /// Numbers without zeros before them, which aws-lc refuses.
    Rsa {
        n: &'a [u8],
        e: &'a [u8],
    },
    /// A point of a curve: uncompressed (SEC 1 section 2.3.3), or of Ed25519 (RFC 8032).
    Point(&'a [u8]),
    Secret(&'a [u8]),
}

/// How the signatures of an algorithm are checked.
enum Check {
    Rsa(&'static RsaParameters),
    Curve(&'static dyn VerificationAlgorithm),
    Hmac(hmac::Algorithm),
}

impl Prepared {
    /// `None`: the key is not one of the algorithm.
    pub(super) fn new(algorithm: Algorithm, material: Material<'_>) -> Option<Self> {
        match (check(algorithm), material) {
            (Check::Rsa(parameters), Material::Rsa { n, e }) => {
                RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters).ok().map(Self::Public)
            }
            (Check::Curve(algorithm), Material::Point(point)) => {
                ParsedPublicKey::new(algorithm, point).ok().map(Self::Public)
            }
            (Check::Hmac(algorithm), Material::Secret(secret)) => {
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
    use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
    use jsonwebtoken::{DecodingKey, EncodingKey};

    use super::super::algorithm::KeyType;
    use super::*;

    /// A pair of keys for an algorithm, as `jsonwebtoken` has them, and the public one as we do.
    struct Pair {
        algorithm: Algorithm,
        private: EncodingKey,
        public: DecodingKey,
        ours: Prepared,
    }

    fn prepared(algorithm: Algorithm, material: Material<'_>) -> Prepared {
        Prepared::new(algorithm, material).expect("a key of the algorithm")
    }

    fn pairs() -> Vec<Pair> {
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
        let components = RsaPublicKeyComponents::<Vec<u8>>::from(rsa.public_key());
        let rsa_der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = rsa.as_der().expect("der");
        let rsa_pem = pem::encode(&pem::Pem::new("PRIVATE KEY", rsa_der.as_ref()));
        let curve = |algorithm, pair: EcdsaKeyPair| {
            let point = pair.public_key().as_ref();
            Pair {
                algorithm,
                private: EncodingKey::from_ec_der(pair.to_pkcs8v1().expect("der").as_ref()),
                public: DecodingKey::from_ec_der(point),
                ours: prepared(algorithm, Material::Point(point)),
            }
        };
        let ed = Ed25519KeyPair::generate().expect("a key");
        let ed_point = ed.public_key().as_ref();
        let mut pairs = vec![
            curve(Algorithm::ES256, EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key")),
            curve(Algorithm::ES384, EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).expect("a key")),
            Pair {
                algorithm: Algorithm::EdDSA,
                private: EncodingKey::from_ed_der(ed.to_pkcs8v1().expect("der").as_ref()),
                public: DecodingKey::from_ed_der(ed_point),
                ours: prepared(Algorithm::EdDSA, Material::Point(ed_point)),
            },
        ];
        for name in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] {
            let algorithm = name.parse().expect("a name");
            let (n, e) = (&components.n[..], &components.e[..]);
            pairs.push(Pair {
                algorithm,
                private: EncodingKey::from_rsa_pem(rsa_pem.as_bytes()).expect("a key"),
                public: DecodingKey::from_rsa_raw_components(n, e),
                ours: prepared(algorithm, Material::Rsa { n, e }),
            });
        }
        for name in ["HS256", "HS384", "HS512"] {
            let algorithm = name.parse().expect("a name");
            let secret = [7; 64];
            pairs.push(Pair {
                algorithm,
                private: EncodingKey::from_secret(&secret).expect("not empty"),
                public: DecodingKey::from_secret(&secret).expect("not empty"),
                ours: prepared(algorithm, Material::Secret(&secret)),
            });
        }
        pairs
    }

    /// Each signature of `jsonwebtoken` verifies as it does there, and none with another message or in a changed form.
    #[test]
    fn it_judges_as_jsonwebtoken_does() {
        for Pair { algorithm, private, public, ours } in pairs() {
            let theirs: jsonwebtoken::Algorithm = algorithm.name().parse().expect("a name of theirs");
            let signer = (DEFAULT_PROVIDER.signer_factory)(&theirs, &private).expect("a signer");
            let verifier = (DEFAULT_PROVIDER.verifier_factory)(&theirs, &public).expect("a verifier");
            assert!(ours.is_same(&ours.clone()), "{algorithm}");
            let signature = signer.sign(b"message");
            assert!(ours.verifies(b"message", &signature), "{algorithm}");
            assert!(!ours.verifies(b"messagf", &signature), "{algorithm}");

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
                assert_eq!(ours.verifies(b"message", &other), expected, "{algorithm} {other:?}");
                assert!(!expected, "{algorithm} {other:?}");
            }
        }
    }

    #[test]
    fn a_key_of_another_kind_is_not_taken() {
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
        let components = RsaPublicKeyComponents::<Vec<u8>>::from(rsa.public_key());
        let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).expect("a key");
        let ed = Ed25519KeyPair::generate().expect("a key");
        let materials = [
            (KeyType::Rsa, Material::Rsa { n: &components.n, e: &components.e }),
            (KeyType::P256, Material::Point(p256.public_key().as_ref())),
            (KeyType::P384, Material::Point(p384.public_key().as_ref())),
            (KeyType::Ed25519, Material::Point(ed.public_key().as_ref())),
            (KeyType::Secret(64), Material::Secret(&[7; 64])),
        ];
        for pair in pairs() {
            for (key_type, material) in materials {
                let fits = match (pair.algorithm.key_type(), key_type) {
                    (KeyType::Secret(_), KeyType::Secret(_)) => true,
                    (wanted, given) => wanted == given,
                };
                let taken = Prepared::new(pair.algorithm, material).is_some();
                assert_eq!(taken, fits, "{key_type:?} as {}", pair.algorithm);
            }
        }
    }
}
