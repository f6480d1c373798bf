use serde_json::{Value, json};
use tower_user_metadata::AuthErrorKind as Kind;
use tower_user_metadata::session::JwtVerifier;
use tower_user_metadata::session::keys::{Algorithm, InvalidKey, KeySet, VerificationKey};

use super::{CLAIMS, NOW, verdict};
use crate::harness::{At, layer};
use crate::mint::{Signer, base64url};

const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn refusal(algorithm: Algorithm, jwk: &Value) -> Option<InvalidKey> {
    VerificationKey::from_jwk(algorithm, jwk.to_string()).err()
}

#[test]
fn jwks_that_are_not_keys_for_verifying() {
    let good = json!({ "kty": "OKP", "crv": "Ed25519", "x": X, "kid": "k", "alg": "EdDSA", "use": "sig", "key_ops": ["verify"] });
    assert_eq!(refusal(Algorithm::EdDSA, &good), None);
    for (member, value, expected) in [
        ("kty", json!("okp"), InvalidKey::WrongType),
        ("kty", json!("RSA"), InvalidKey::WrongType),
        ("kty", json!(null), InvalidKey::Malformed),
        ("kty", json!(["OKP"]), InvalidKey::Malformed),
        ("crv", json!("ed25519"), InvalidKey::WrongType),
        ("crv", json!("X25519"), InvalidKey::WrongType),
        ("crv", json!("Ed448"), InvalidKey::WrongType),
        ("crv", json!(1), InvalidKey::Malformed),
        ("alg", json!("none"), InvalidKey::AlgorithmNotAllowed),
        ("alg", json!("eddsa"), InvalidKey::AlgorithmNotAllowed),
        ("alg", json!("HS256"), InvalidKey::AlgorithmNotAllowed),
        ("alg", json!(["EdDSA"]), InvalidKey::Malformed),
        ("use", json!("enc"), InvalidKey::WrongUse),
        ("use", json!(""), InvalidKey::WrongUse),
        ("use", json!("SIG"), InvalidKey::WrongUse),
        ("use", json!(["sig"]), InvalidKey::Malformed),
        ("key_ops", json!(["sign"]), InvalidKey::WrongUse),
        ("key_ops", json!("verify"), InvalidKey::Malformed),
        ("key_ops", json!(["verify", 1]), InvalidKey::Malformed),
        ("kid", json!(1), InvalidKey::Malformed),
        ("x", json!(""), InvalidKey::InvalidPoint),
        ("x", json!(format!("{X}===")), InvalidKey::Malformed),
        ("x", json!(format!(" {X}")), InvalidKey::Malformed),
        ("x", json!(format!("{X}AA")), InvalidKey::Malformed),
        ("x", json!(format!("{X}AAA")), InvalidKey::InvalidPoint),
        ("x", json!("A".repeat(44)), InvalidKey::InvalidPoint),
        ("x", json!("A".repeat(43)), InvalidKey::InvalidPoint),
        ("x", json!(1), InvalidKey::Malformed),
        ("d", json!("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"), InvalidKey::PrivateKey),
    ] {
        let mut jwk = good.clone();
        jwk[member] = value;
        assert_eq!(refusal(Algorithm::EdDSA, &jwk), Some(expected), "{member} of {jwk}");
    }
    for text in ["", "null", "[]", "{}", r#"{"kty":"OKP","kty":"OKP"}"#, "\u{feff}{}", "-----BEGIN PUBLIC KEY-----"] {
        assert_eq!(VerificationKey::from_jwk(Algorithm::EdDSA, text).err(), Some(InvalidKey::Malformed), "{text}");
    }
}

/// What is odd in one key is the fault of that key: the others verify, and it does not.
#[test]
fn an_odd_key_takes_no_other_down() {
    let jwk = |kid: &str, more: &str| format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"{kid}","x":"{X}"{more}}}"#);
    let deep = format!("{}{}", "[".repeat(70), "]".repeat(70));
    let parse = |keys: &[&str]| {
        let set = format!(r#"{{"keys":[{}],"more":{{"a":1,"a":"\ud800"}}}}"#, keys.join(","));
        KeySet::from_jwks(set.as_bytes(), &[Algorithm::EdDSA])
    };
    for odd in [
        // RFC 7517 section 4: which of two members of one name is meant is up to the reader.
        jwk("odd", r#","kid":"good""#),
        jwk("odd", r#","k\u0069d":"odd""#),
        jwk("odd", r#","kty":"RSA""#),
        jwk("odd", r#","x5t":"\ud800""#),
        jwk("odd", r#","exp":1e400"#),
        jwk("odd", r#","extra":{"a":1,"a":2},"key_ops":["verify"]"#),
        "null".to_owned(),
        "[]".to_owned(),
        "1e999".to_owned(),
        "\"odd\"".to_owned(),
    ] {
        let set = parse(&[&odd, &jwk("good", "")]).expect("a key set");
        assert_eq!(set.iter().map(|key| key.kid()).collect::<Vec<_>>(), [Some("good")], "{odd}");
        assert_eq!(set.skipped().len(), 1, "{odd}");
        assert!(parse(&[&odd]).is_err(), "{odd}");
    }
    // What is odd in the set itself leaves open which keys are meant.
    let good = jwk("good", "");
    for set in [
        format!(r#"{{"keys":[],"keys":[{good}]}}"#),
        format!(r#"{{"keys":[{good}],"\u006beys":[]}}"#),
        format!("[[{good}]]"),
        format!(r#"{{"keys":[{good}]}} {{}}"#),
        format!(r#"{{"keys":[{good}],}}"#),
        format!(r#"{{"keys":[{good}],"x":NaN}}"#),
        format!(r#"{{"keys":[{good}],"x":{deep}}}"#),
        format!(r#"{{"keys":[{good},{deep}]}}"#),
        format!(r#"{{"keys":{{"0":{good}}}}}"#),
        format!("\u{feff}{{\"keys\":[{good}]}}"),
        format!(r#"{{"Keys":[{good}]}}"#),
        r#"{"keys":null}"#.to_owned(),
        good.clone(),
        String::new(),
    ] {
        assert!(KeySet::from_jwks(set.as_bytes(), &[Algorithm::EdDSA]).is_err(), "{set}");
    }
    let not_utf8 = [b"{\"x\":\"\xff\",\"keys\":[", good.as_bytes(), b"]}"].concat();
    assert!(KeySet::from_jwks(&not_utf8, &[Algorithm::EdDSA]).is_err());
}

/// RFC 7518 section 6.3.1.1 knows of key servers that write a zero before the modulus; the number is the same.
#[test]
fn zeros_before_the_numbers_of_an_rsa_key_count_for_nothing() {
    let signer = Signer::fresh_rsa();
    let (n, e) = signer.rsa_numbers();
    let load = |n: &[u8], e: &[u8]| {
        let jwk = json!({ "kty": "RSA", "n": base64url(n), "e": base64url(e) });
        VerificationKey::from_jwk(Algorithm::RS256, jwk.to_string())
    };
    for zeros in [0, 1, 3] {
        let padded = |number: &[u8]| [&vec![0; zeros][..], number].concat();
        let key = load(&padded(&n), &padded(&e)).expect("the same key");
        let layer = layer(JwtVerifier::builder(key).without_audience().build().expect("a verifier"), At::seconds(NOW));
        assert_eq!(verdict(&layer, signer.token(r#"{"alg":"RS256"}"#, CLAIMS)), Ok(Ok(())), "{zeros}");
    }
    // They make no short modulus longer, and no exponent greater.
    assert_eq!(load(&[&vec![0; 128][..], &n[..128]].concat(), &e).err(), Some(InvalidKey::RsaSize));
    assert_eq!(load(&n, &[0, 0, 1]).err(), Some(InvalidKey::RsaExponent));
    assert_eq!(load(&[0; 256], &e).err(), Some(InvalidKey::RsaSize));
    assert_eq!(load(&n, &[0; 3]).err(), Some(InvalidKey::RsaExponent));
}

/// A key is for one algorithm, whatever its type could do besides.
#[test]
fn no_key_serves_two_algorithms() {
    let rsa = Signer::fresh_rsa();
    let key = rsa.verification_key();
    assert_eq!(key.algorithm(), Algorithm::RS256);
    let layer = layer(JwtVerifier::builder(key).without_audience().build().expect("a verifier"), At::seconds(NOW));
    for name in ["RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "HS256", "none"] {
        let token = rsa.token(format!(r#"{{"alg":"{name}"}}"#), CLAIMS);
        assert_eq!(verdict(&layer, token), Ok(Err(Kind::BadSignature)), "{name}");
    }
    let okp = json!({ "kty": "OKP", "crv": "Ed25519", "x": X });
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::ES384, Algorithm::HS256, Algorithm::PS512] {
        assert_eq!(refusal(algorithm, &okp), Some(InvalidKey::WrongType), "{algorithm}");
    }
    // A public key is no secret, in whatever form it is given as one.
    let jwk = okp.to_string();
    assert_eq!(VerificationKey::from_secret(Algorithm::HS256, &jwk).err(), Some(InvalidKey::SecretIsPublicKey));
    assert_eq!(VerificationKey::from_weak_secret(Algorithm::HS256, &jwk).err(), Some(InvalidKey::SecretIsPublicKey));
    assert_eq!(VerificationKey::from_secret(Algorithm::RS256, &jwk).err(), Some(InvalidKey::WrongType));
}

#[test]
fn pem_texts_that_are_not_one_public_key() {
    let good = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAfU0Of2FTpptiQrUiq77mhf2kQg+INLEIw72uNp71Sfo=\n-----END PUBLIC KEY-----\n";
    let refusal = |text: &str| VerificationKey::from_pem(Algorithm::EdDSA, text).err();
    assert_eq!(refusal(good), None);
    assert_eq!(refusal(&good.replace('\n', "\r\n")), None);
    assert_eq!(refusal(&format!("\n\n{good}")), None);
    for (text, expected) in [
        (String::new(), InvalidKey::NotPem),
        ("/etc/keys/public.pem".to_owned(), InvalidKey::NotPem),
        (good.replace("-----BEGIN PUBLIC KEY-----\n", ""), InvalidKey::NotPem),
        (format!("{good}{good}"), InvalidKey::NotPem),
        (good.replace("PUBLIC KEY", "CERTIFICATE"), InvalidKey::NotPem),
        (good.replace("PUBLIC KEY", "PRIVATE KEY"), InvalidKey::PrivateKey),
        (good.replace("PUBLIC KEY", "ENCRYPTED PRIVATE KEY"), InvalidKey::PrivateKey),
        (good.replace("PUBLIC KEY", "RSA PUBLIC KEY"), InvalidKey::Malformed),
        (good.replace("fU0O", "fU0Of2FT"), InvalidKey::Malformed),
        (good.replace("MCow", "MCox"), InvalidKey::Malformed),
    ] {
        assert_eq!(refusal(&text), Some(expected), "{text}");
    }
    assert_eq!(VerificationKey::from_pem(Algorithm::RS256, good).err(), Some(InvalidKey::WrongType));
    assert_eq!(VerificationKey::from_pem(Algorithm::HS256, good).err(), Some(InvalidKey::WrongType));
}

#[test]
fn sets_in_which_a_token_could_mean_two_keys() {
    let key = |kid: Option<&str>| {
        let key = VerificationKey::from_secret(Algorithm::HS256, super::SECRET).expect("a secret");
        kid.map_or(key.clone(), |kid| key.with_kid(kid))
    };
    let refusal = |keys: Vec<VerificationKey>| KeySet::new(keys).err();
    assert_eq!(refusal(vec![]), Some(InvalidKey::NoUsableKey));
    let other = VerificationKey::from_secret(Algorithm::HS256, b"Kx8$wQ3!nB7@zR5^cV1&hT9*jL4#mP6%").expect("a secret");
    assert_eq!(refusal(vec![key(Some("a")), other.clone().with_kid("a")]), Some(InvalidKey::DuplicateKid));
    assert_eq!(refusal(vec![key(None), other.clone()]), Some(InvalidKey::DuplicateKid));
    assert_eq!(refusal(vec![key(Some("a")), key(Some("a"))]), None);
    assert_eq!(refusal(vec![key(None), key(Some("a"))]), None);
    assert_eq!(refusal(vec![key(Some("a")), key(Some("A")), key(Some("")), key(Some("a "))]), None);
    // Of several keys, a token that names none means none.
    let several = KeySet::new([other.with_kid("a"), key(Some("b"))]).expect("a key set");
    let layer = layer(JwtVerifier::builder(several).without_audience().build().expect("a verifier"), At::seconds(NOW));
    let signer = Signer::secret(super::SECRET);
    assert_eq!(verdict(&layer, signer.token(super::HEADER, CLAIMS)), Ok(Err(Kind::UnknownKey)));
    assert_eq!(verdict(&layer, signer.token(r#"{"alg":"HS256","kid":"b"}"#, CLAIMS)), Ok(Ok(())));
}

/// Not the first and not the last of them, whatever stands between.
#[test]
fn of_the_keys_of_one_name_in_a_jwk_set_none_is_used() {
    const OTHER: &str = "fU0Of2FTpptiQrUiq77mhf2kQg-INLEIw72uNp71Sfo";
    let key = |kid: Option<&str>, x: &str| {
        let mut key = json!({ "kty": "OKP", "crv": "Ed25519", "x": x });
        if let Some(kid) = kid {
            key["kid"] = json!(kid);
        }
        key
    };
    for (keys, usable, skipped) in [
        (vec![key(Some("twin"), X), key(Some("good"), X), key(Some("twin"), OTHER)], 1, 2),
        (vec![key(Some("twin"), X), key(Some("twin"), X), key(Some("good"), X), key(Some("twin"), OTHER)], 1, 3),
        (vec![key(Some("good"), X), key(None, X), key(None, OTHER)], 1, 2),
        (vec![key(Some("good"), X), key(Some("Good"), OTHER)], 2, 0),
    ] {
        let jwks = json!({ "keys": keys }).to_string();
        let set = KeySet::from_jwks(jwks.as_bytes(), &[Algorithm::EdDSA]).expect("a key set");
        assert_eq!((set.len(), set.skipped().len()), (usable, skipped), "{jwks}");
        assert!(set.skipped().iter().all(|skipped| skipped.reason == InvalidKey::DuplicateKid), "{jwks}");
    }
    let twins = json!({ "keys": [key(Some("twin"), X), key(Some("twin"), OTHER)] }).to_string();
    assert!(KeySet::from_jwks(twins.as_bytes(), &[Algorithm::EdDSA]).is_err());
}

#[test]
fn points_that_are_not_on_their_curve() {
    // RFC 7517 appendix A.1.
    let (x, y) = ("MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM");
    let jwk = |x: &str, y: &str| json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y });
    assert_eq!(refusal(Algorithm::ES256, &jwk(x, y)), None);
    for (x, y) in [(y, x), (x, x), (y, y)] {
        assert_eq!(refusal(Algorithm::ES256, &jwk(x, y)), Some(InvalidKey::InvalidPoint), "{x} {y}");
    }
}
