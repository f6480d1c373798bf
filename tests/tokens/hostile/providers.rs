//! Keys as real providers publish them: Keycloak, OpenAM, AWS Cognito, Cloud Foundry UAA, Jenkins and others.

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding, RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use serde_json::{Value, json};
use tower_user_metadata::AuthErrorKind as Kind;
use tower_user_metadata::session::JwtVerifier;
use tower_user_metadata::session::keys::{Algorithm, InvalidKey, KeySet, VerificationKey};

use super::{CLAIMS, NOW, SECRET, Verdict, verdict};
use crate::harness::{At, layer};
use crate::mint::{Signer, base64url};

const ALLOWED: [Algorithm; 8] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
    Algorithm::HS256,
];

struct Rsa(RsaKeyPair);

static A: LazyLock<Rsa> = LazyLock::new(|| Rsa(RsaKeyPair::generate(KeySize::Rsa2048).expect("randomness")));
static B: LazyLock<Rsa> = LazyLock::new(|| Rsa(RsaKeyPair::generate(KeySize::Rsa2048).expect("randomness")));

impl Rsa {
    fn numbers(&self) -> (Vec<u8>, Vec<u8>) {
        let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(self.0.public_key());
        (n, e)
    }

    /// Its JWK with these members besides.
    fn jwk(&self, more: Value) -> Value {
        let (n, e) = self.numbers();
        with(json!({ "kty": "RSA", "n": base64url(n), "e": base64url(e) }), more)
    }

    fn token(&self, alg: &str, kid: Option<&str>) -> String {
        let encoding: &'static dyn RsaEncoding = match alg {
            "RS384" => &RSA_PKCS1_SHA384,
            "RS512" => &RSA_PKCS1_SHA512,
            "PS256" => &RSA_PSS_SHA256,
            _ => &RSA_PKCS1_SHA256,
        };
        let signed = format!("{}.{}", base64url(header(alg, kid)), base64url(CLAIMS));
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0.sign(encoding, &SystemRandom::new(), signed.as_bytes(), &mut signature).expect("a signature");
        format!("{signed}.{}", base64url(signature))
    }
}

fn header(alg: &str, kid: Option<&str>) -> String {
    kid.map_or(json!({ "alg": alg }), |kid| json!({ "alg": alg, "kid": kid })).to_string()
}

fn with(mut jwk: Value, more: Value) -> Value {
    jwk.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    jwk
}

fn p256() -> Signer {
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    Signer::p256(pkcs8.expect("randomness").as_ref())
}

fn ed25519() -> Signer {
    Signer::ed25519(Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("randomness").as_ref())
}

fn coordinates(signer: &Signer) -> (Vec<u8>, Vec<u8>) {
    let Signer::P256(key) = signer else { panic!("not a P-256 key") };
    let point = key.public_key().as_ref();
    (point[1..33].to_vec(), point[33..].to_vec())
}

fn ec_jwk(signer: &Signer, more: Value) -> Value {
    let (x, y) = coordinates(signer);
    with(json!({ "kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y) }), more)
}

fn okp_jwk(signer: &Signer, more: Value) -> Value {
    with(json!({ "kty": "OKP", "crv": "Ed25519", "x": signer.ed25519_x() }), more)
}

fn set_of(keys: &[Value]) -> KeySet {
    let text = json!({ "keys": keys }).to_string();
    KeySet::from_jwks(text.as_bytes(), &ALLOWED).unwrap_or_else(|error| panic!("{error:?} for {text}"))
}

fn judge(keys: KeySet, token: &str) -> Verdict {
    let verifier = JwtVerifier::builder(keys).without_audience().build().expect("a verifier");
    verdict(&layer(verifier, At::seconds(NOW)), token).expect("a proper answer")
}

/// What becomes of each token under these keys.
#[track_caller]
fn all<'a>(keys: &[Value], tokens: impl IntoIterator<Item = (&'a str, String, Verdict)>) {
    for (what, token, expected) in tokens {
        assert_eq!(judge(set_of(keys), &token), expected, "{what} under {keys:?}");
    }
}

const UNKNOWN: Verdict = Err(Kind::UnknownKey);

#[test]
fn one_key_under_several_algorithms() {
    let algorithms = ["RS256", "RS512", "RS384", "PS256"];
    for kid in [Some("k"), None] {
        let keys: Vec<_> = algorithms
            .iter()
            .map(|alg| {
                A.jwk(with(json!({ "alg": alg, "use": "sig" }), kid.map_or(json!({}), |kid| json!({ "kid": kid }))))
            })
            .collect();
        let set = set_of(&keys);
        assert_eq!((set.len(), set.skipped().len()), (4, 0));
        for alg in algorithms {
            for asked in [kid, Some("k"), None] {
                assert_eq!(judge(set_of(&keys), &A.token(alg, asked)), Ok(()), "{alg} {kid:?} {asked:?}");
                assert_eq!(judge(set_of(&keys), &B.token(alg, asked)), Err(Kind::BadSignature), "{alg} of another key");
            }
        }
        // The algorithm of the signature is the one that the header names.
        let (signed, _) =
            A.token("RS256", kid).rsplit_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).expect("parts");
        let (_, other) =
            A.token("RS512", kid).rsplit_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).expect("parts");
        assert_eq!(judge(set_of(&keys), &format!("{signed}.{other}")), Err(Kind::BadSignature));
    }
    // An algorithm that none of the keys has is none that a token may choose.
    let keys = [A.jwk(json!({ "kid": "k", "alg": "RS256" })), A.jwk(json!({ "kid": "k", "alg": "RS512" }))];
    all(&keys, [("RS384", A.token("RS384", Some("k")), Err(Kind::BadSignature))]);
}

#[test]
fn one_kid_on_keys_of_different_types() {
    let (p256, ed25519, secret) = (p256(), ed25519(), Signer::secret(SECRET));
    let kid = || json!({ "kid": "k" });
    let oct = json!({ "kty": "oct", "kid": "k", "k": base64url(SECRET) });
    let encryption = B.jwk(json!({ "kid": "k", "use": "enc", "alg": "RSA-OAEP" }));
    let mut keys = vec![encryption, A.jwk(kid()), ec_jwk(&p256, kid()), okp_jwk(&ed25519, kid()), oct];
    for _ in 0..keys.len() {
        let set = set_of(&keys);
        assert_eq!(set.len(), 4);
        assert_eq!(set.skipped().iter().map(|key| key.reason).collect::<Vec<_>>(), [InvalidKey::WrongUse]);
        for (signer, alg) in [(&p256, "ES256"), (&ed25519, "EdDSA"), (&secret, "HS256")] {
            for kid in [Some("k"), None] {
                assert_eq!(judge(set_of(&keys), &signer.token(header(alg, kid), CLAIMS)), Ok(()), "{alg}");
            }
            assert_eq!(
                judge(set_of(&keys), &signer.token(header("RS256", Some("k")), CLAIMS)),
                Err(Kind::BadSignature)
            );
            assert_eq!(judge(set_of(&keys), &signer.token(header(alg, Some("j")), CLAIMS)), UNKNOWN);
        }
        assert_eq!(judge(set_of(&keys), &A.token("RS256", Some("k"))), Ok(()));
        keys.rotate_left(1);
    }
    // A public key is no secret, whatever stands beside it.
    let (n, _) = A.numbers();
    let forged = Signer::secret(&n).token(header("HS256", Some("k")), CLAIMS);
    assert_eq!(judge(set_of(&keys), &forged), Err(Kind::BadSignature));
}

#[test]
fn the_identical_key_twice_is_one_key() {
    let p256 = p256();
    let kid = || json!({ "kid": "k" });
    let secret = json!({ "kty": "oct", "kid": "k", "k": base64url(SECRET) });
    let (n, _) = A.numbers();
    let sign_octet = base64url([&[0][..], &n].concat());
    for (keys, token) in [
        (vec![A.jwk(kid()), A.jwk(kid())], A.token("RS256", Some("k"))),
        (vec![A.jwk(kid()), A.jwk(json!({ "kid": "k", "alg": "RS256" })), A.jwk(kid())], A.token("RS256", Some("k"))),
        (
            vec![A.jwk(kid()), A.jwk(json!({ "kid": "k", "n": sign_octet, "use": "sig", "x5t": "AA" }))],
            A.token("RS256", Some("k")),
        ),
        (vec![A.jwk(json!({})), A.jwk(json!({ "alg": "RS256" }))], A.token("RS256", None)),
        (
            vec![ec_jwk(&p256, kid()), ec_jwk(&p256, json!({ "kid": "k", "alg": "ES256" }))],
            p256.token(header("ES256", Some("k")), CLAIMS),
        ),
        (vec![secret.clone(), secret], Signer::secret(SECRET).token(header("HS256", Some("k")), CLAIMS)),
    ] {
        let set = set_of(&keys);
        assert_eq!((set.len(), set.skipped().len()), (1, 0), "{keys:?}");
        assert_eq!(judge(set, &token), Ok(()), "{keys:?}");
    }
    // Under two names it is two, and a token that names neither still means only one key.
    let keys = [A.jwk(json!({ "kid": "a" })), A.jwk(json!({ "kid": "b" }))];
    all(
        &keys,
        [
            ("a", A.token("RS256", Some("a")), Ok(())),
            ("b", A.token("RS256", Some("b")), Ok(())),
            ("none", A.token("RS256", None), Ok(())),
            ("another", A.token("RS256", Some("c")), UNKNOWN),
        ],
    );
}

#[test]
fn only_different_keys_of_one_kid_and_one_algorithm_are_ambiguous() {
    let p256 = p256();
    let kid = || json!({ "kid": "k" });
    let skipped = |keys: &[Value]| set_of(keys).skipped().iter().map(|key| (key.index, key.reason)).collect::<Vec<_>>();
    let twins = [
        A.jwk(kid()),
        ec_jwk(&p256, kid()),
        B.jwk(json!({ "kid": "k", "alg": "RS256" })),
        A.jwk(kid()),
        A.jwk(json!({ "kid": "k", "alg": "RS512" })),
    ];
    assert_eq!(skipped(&twins), [0, 2, 3].map(|index| (index, InvalidKey::DuplicateKid)));
    all(
        &twins,
        [
            ("A", A.token("RS256", Some("k")), Err(Kind::BadSignature)),
            ("B", B.token("RS256", Some("k")), Err(Kind::BadSignature)),
            ("another algorithm", A.token("RS512", Some("k")), Ok(())),
            ("another type", p256.token(header("ES256", Some("k")), CLAIMS), Ok(())),
        ],
    );
    let unnamed = [A.jwk(json!({})), B.jwk(json!({ "kid": null })), ec_jwk(&p256, json!({}))];
    assert_eq!(skipped(&unnamed), [0, 1].map(|index| (index, InvalidKey::DuplicateKid)));
    all(
        &unnamed,
        [
            ("EC", p256.token(header("ES256", Some("any")), CLAIMS), Ok(())),
            ("RSA", A.token("RS256", Some("any")), UNKNOWN),
        ],
    );
}

#[test]
fn a_key_without_kid_beside_others() {
    let p256 = p256();
    let keys = [A.jwk(json!({})), B.jwk(json!({ "kid": "b" })), ec_jwk(&p256, json!({ "kid": "ec" }))];
    assert!(set_of(&keys).skipped().is_empty());
    all(
        &keys,
        [
            ("named", B.token("RS256", Some("b")), Ok(())),
            ("named, by another", A.token("RS256", Some("b")), Err(Kind::BadSignature)),
            ("unknown, by the one without", A.token("RS256", Some("new")), Ok(())),
            ("unknown, by another", B.token("RS256", Some("new")), Err(Kind::BadSignature)),
            ("none, by the one without", A.token("RS256", None), Ok(())),
            ("none, by another", B.token("RS256", None), Err(Kind::BadSignature)),
            ("none, of which there is one", p256.token(header("ES256", None), CLAIMS), Ok(())),
            ("unknown, of an algorithm with names only", p256.token(header("ES256", Some("new")), CLAIMS), UNKNOWN),
        ],
    );
    // The name is of a key of another algorithm; the one without fits.
    let keys = [A.jwk(json!({})), ec_jwk(&p256, json!({ "kid": "k" }))];
    all(&keys, [("k", A.token("RS256", Some("k")), Ok(())), ("none", A.token("RS256", None), Ok(()))]);
}

#[test]
fn fixed_keys_follow_the_same_rules() {
    let key = |rsa: &Rsa, algorithm, kid: Option<&str>| {
        let key = VerificationKey::from_jwk(algorithm, rsa.jwk(json!({})).to_string()).expect("a key");
        kid.map_or(key.clone(), |kid| key.with_kid(kid))
    };
    let both = [
        key(&A, Algorithm::RS256, Some("k")),
        key(&A, Algorithm::RS512, Some("k")),
        key(&A, Algorithm::RS256, Some("k")),
    ];
    let set = || KeySet::new(both.clone()).expect("a key set");
    assert_eq!(set().len(), 2);
    assert_eq!(judge(set(), &A.token("RS256", Some("k"))), Ok(()));
    assert_eq!(judge(set(), &A.token("RS512", Some("k"))), Ok(()));
    for twins in [[Some("k"), Some("k")], [None, None]] {
        let [a, b] = twins;
        let keys = [key(&A, Algorithm::RS256, a), key(&B, Algorithm::RS256, b)];
        assert_eq!(KeySet::new(keys).err(), Some(InvalidKey::DuplicateKid));
    }
    let mixed = [key(&A, Algorithm::RS256, None), key(&B, Algorithm::RS256, Some("b"))];
    let set = || KeySet::new(mixed.clone()).expect("a key set");
    assert_eq!(judge(set(), &A.token("RS256", Some("a"))), Ok(()));
    assert_eq!(judge(set(), &B.token("RS256", Some("b"))), Ok(()));
}

/// Every way in which the same number is written.
fn spellings(number: &[u8]) -> Vec<String> {
    let zero = [&[0][..], number].concat();
    let zeros = [&[0, 0, 0][..], number].concat();
    let mut texts = Vec::new();
    for bytes in [number, &zero, &zeros] {
        texts.extend([base64url(bytes), STANDARD.encode(bytes), STANDARD_NO_PAD.encode(bytes), URL_SAFE.encode(bytes)]);
        let lines = |text: String, end: &str| {
            text.as_bytes()
                .chunks(64)
                .map(|line| String::from_utf8_lossy(line).into_owned())
                .collect::<Vec<_>>()
                .join(end)
        };
        texts.extend([lines(STANDARD.encode(bytes), "\r\n"), lines(base64url(bytes), "\n") + "\n"]);
    }
    texts
}

#[test]
fn the_numbers_of_an_rsa_key_in_every_spelling() {
    let (n, e) = A.numbers();
    for n in spellings(&n) {
        all(&[A.jwk(json!({ "kid": "k", "n": n }))], [("n", A.token("RS256", Some("k")), Ok(()))]);
    }
    for e in spellings(&e) {
        all(&[A.jwk(json!({ "kid": "k", "e": e }))], [("e", A.token("RS256", Some("k")), Ok(()))]);
    }
    for n in ["", "=", "!", "AQAB AQAB", "AQAB\tAQAB", "AQ=AB", "A", "AQAB===", "AQB", "\u{0410}QAB"] {
        let jwk = A.jwk(json!({ "n": n })).to_string();
        assert!(VerificationKey::from_jwk(Algorithm::RS256, jwk).is_err(), "{n:?}");
    }
}

#[test]
fn the_coordinates_of_a_point_in_every_spelling() {
    let signer = p256();
    let (x, y) = coordinates(&signer);
    for (x, y) in spellings(&x).into_iter().zip(spellings(&y)) {
        let token = signer.token(header("ES256", Some("k")), CLAIMS);
        all(&[ec_jwk(&signer, json!({ "kid": "k", "x": x, "y": y }))], [("x and y", token, Ok(()))]);
    }
    // A key whose coordinate begins with a zero, which some publishers leave out.
    let signer = std::iter::repeat_with(p256).find(|signer| coordinates(signer).0[0] == 0).expect("one in 256");
    let x = coordinates(&signer).0;
    let token = || signer.token(header("ES256", Some("k")), CLAIMS);
    for x in [&x[..], &x[1..], &[&[0, 0][..], &x].concat()] {
        all(&[ec_jwk(&signer, json!({ "kid": "k", "x": base64url(x) }))], [("x", token(), Ok(()))]);
    }
    // No byte may be lost that is not zero, and none stand behind.
    for x in [&x[2..], &x[..31], &[&x[1..], &[0]].concat(), &[&[1][..], &x].concat(), &[0; 32]] {
        let jwk = ec_jwk(&signer, json!({ "x": base64url(x) })).to_string();
        assert_eq!(VerificationKey::from_jwk(Algorithm::ES256, jwk).err(), Some(InvalidKey::InvalidPoint));
    }
}

#[test]
fn octets_in_either_alphabet() {
    let signer = ed25519();
    let Signer::Ed25519(pair) = &signer else { panic!("an Ed25519 key") };
    let x = pair.public_key().as_ref();
    for text in [STANDARD.encode(x), URL_SAFE.encode(x), STANDARD_NO_PAD.encode(x)] {
        let token = signer.token(header("EdDSA", Some("k")), CLAIMS);
        all(&[okp_jwk(&signer, json!({ "kid": "k", "x": text }))], [("x", token, Ok(()))]);
    }
    // They are no number: a zero more makes them longer.
    let longer = okp_jwk(&signer, json!({ "x": base64url([&[0][..], x].concat()) })).to_string();
    assert_eq!(VerificationKey::from_jwk(Algorithm::EdDSA, longer).err(), Some(InvalidKey::InvalidPoint));
    let secret: Vec<u8> = (0..48).map(|n| n * 5 + 3).collect();
    for k in [STANDARD.encode(&secret), URL_SAFE.encode(&secret)] {
        let token = Signer::secret(&secret).token(header("HS256", Some("k")), CLAIMS);
        all(&[json!({ "kty": "oct", "kid": "k", "k": k })], [("k", token, Ok(()))]);
    }
}

#[test]
fn a_null_member_is_an_absent_one() {
    let members =
        ["d", "alg", "use", "key_ops", "kid", "x5c", "x5t", "x5u", "x5t#S256", "crv", "x", "y", "k", "ext", "oth"];
    let mut every = json!({});
    for member in members {
        let null = json!({ member: null });
        all(&[A.jwk(null.clone())], [(member, A.token("RS256", None), Ok(()))]);
        every = with(every, null);
        let jwk = A.jwk(every.clone()).to_string();
        assert!(VerificationKey::from_jwk(Algorithm::RS256, jwk).is_ok(), "{member}");
    }
    for operations in [json!([]), json!(["verify"]), json!(["sign", "verify"])] {
        all(&[A.jwk(json!({ "key_ops": operations }))], [("key_ops", A.token("RS256", None), Ok(()))]);
    }
    // What has to be there is missing, then.
    for member in ["kty", "n", "e"] {
        let jwk = A.jwk(json!({ member: null })).to_string();
        assert_eq!(VerificationKey::from_jwk(Algorithm::RS256, jwk).err(), Some(InvalidKey::Malformed), "{member}");
    }
    let private = A.jwk(json!({ "d": "" })).to_string();
    assert_eq!(VerificationKey::from_jwk(Algorithm::RS256, private).err(), Some(InvalidKey::PrivateKey));
    // A set whose other members are null is a set.
    let set = json!({ "keys": [A.jwk(json!({ "kid": "k" })), null], "next": null, "version": null }).to_string();
    let set = KeySet::from_jwks(set.as_bytes(), &ALLOWED).expect("a key set");
    assert_eq!((set.len(), set.skipped().len()), (1, 1));
}

/// RFC 9864: both names are of one algorithm, in the key, in the token, and where an allow-list is read.
#[test]
fn ed25519_by_either_name() {
    let signer = ed25519();
    for allowed in ["EdDSA", "Ed25519"] {
        let allowed: Algorithm = allowed.parse().expect("a name");
        assert_eq!(allowed, Algorithm::EdDSA);
        for own in [json!("EdDSA"), json!("Ed25519"), json!(null)] {
            let jwks = json!({ "keys": [okp_jwk(&signer, json!({ "kid": "k", "alg": own }))] }).to_string();
            for name in ["EdDSA", "Ed25519"] {
                let set = KeySet::from_jwks(jwks.as_bytes(), &[allowed]).expect("a key set");
                assert_eq!(judge(set, &signer.token(header(name, Some("k")), CLAIMS)), Ok(()), "{own} {name}");
            }
            for name in ["eddsa", "ed25519", "ED25519", "Ed448", "ES256"] {
                let set = KeySet::from_jwks(jwks.as_bytes(), &[allowed]).expect("a key set");
                assert_eq!(
                    judge(set, &signer.token(header(name, Some("k")), CLAIMS)),
                    Err(Kind::BadSignature),
                    "{name}"
                );
            }
        }
    }
    // Published under both names, it is one key.
    let both = ["EdDSA", "Ed25519"].map(|alg| okp_jwk(&signer, json!({ "kid": "k", "alg": alg })));
    assert_eq!(set_of(&both).len(), 1);
}

/// A token's own bytes are read strictly all the same.
#[test]
fn tokens_stay_strict() {
    let token = A.token("RS256", Some("k"));
    let keys = [A.jwk(json!({ "kid": "k" }))];
    let (signed, signature) = token.rsplit_once('.').expect("parts");
    let standard = signature.replace('-', "+").replace('_', "/");
    for signature in [format!("{signature}="), format!("{signature}=="), format!("{signature}\n")] {
        let verifier = JwtVerifier::builder(set_of(&keys)).without_audience().build().expect("a verifier");
        let refused = verdict(&layer(verifier, At::seconds(NOW)), format!("{signed}.{signature}"));
        assert!(!matches!(refused, Ok(Ok(()))), "{signature}");
    }
    if standard != signature {
        assert_eq!(judge(set_of(&keys), &format!("{signed}.{standard}")), Err(Kind::MalformedToken));
    }
}
