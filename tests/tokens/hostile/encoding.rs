use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use tower_user_metadata::AuthErrorKind as Kind;
use tower_user_metadata::session::JwtVerifier;

use super::{CLAIMS, HEADER, NOW, all_get, plain, verdict};
use crate::harness::{At, layer, send_bearer};
use crate::mint::{Signer, base64url};

/// Signed over the very text that is sent, so that only the encoding is at fault.
#[test]
fn parts_that_are_not_canonical_base64url() {
    let (signer, layer) = plain();
    // Lengths of 1, 2 and 0 modulo 3.
    for (header, payload) in [
        (HEADER, CLAIMS),
        (r#"{"alg":"HS256"} "#, r#"{"sub":"user-1","exp":1800003600} "#),
        (r#"{"alg":"HS256"}  "#, r#"{"sub":"user-1","exp":1800003600}  "#),
    ] {
        let (good_header, good_payload) = (base64url(header), base64url(payload));
        for part in spellings(header.as_bytes()) {
            let got = verdict(&layer, signer.encoded(&part, &good_payload));
            assert_eq!(got, Ok(Err(Kind::MalformedToken)), "header {part:?}");
        }
        for part in spellings(payload.as_bytes()) {
            let got = verdict(&layer, signer.encoded(&good_header, &part));
            assert_eq!(got, Ok(Err(Kind::MalformedToken)), "payload {part:?}");
        }
    }
    let token = signer.token(HEADER, CLAIMS);
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    let bytes = signer.sign(signed.as_bytes());
    for part in spellings(&bytes) {
        let got = verdict(&layer, format!("{signed}.{part}"));
        assert_eq!(got, Ok(Err(Kind::MalformedToken)), "signature {part:?}");
    }
    // A signature with more or fewer bytes is a wrong one, not a malformed token.
    for part in
        [base64url(&bytes[..31]), base64url([&bytes[..], &[0]].concat()), base64url([&bytes[..], &bytes].concat())]
    {
        assert_eq!(verdict(&layer, format!("{signed}.{part}")), Ok(Err(Kind::BadSignature)), "{part}");
    }
    assert_eq!(verdict(&layer, format!("{signed}.{signature}")), Ok(Ok(())));
}

/// Other spellings of bytes than the one that RFC 7515 takes, and texts that only look like one.
fn spellings(bytes: &[u8]) -> Vec<String> {
    let good = base64url(bytes);
    let mut rows = vec![
        format!("{good}="),
        format!("{good}=="),
        format!("{good}==="),
        format!("{good}%3D"),
        format!("={good}"),
        format!("{good}A"),
        format!("{good}AAAAA"),
        format!("{good}+"),
        format!("{good}/"),
        format!("{good},"),
        format!("{good}~"),
        format!("{}*{}", &good[..4], &good[4..]),
        format!("{}={}", &good[..4], &good[4..]),
        format!("{}-", &good[..good.len() - 1]),
        "A".to_owned(),
        "AAAAA".to_owned(),
        "=".to_owned(),
        "====".to_owned(),
        "-".to_owned(),
        bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "!",
    ];
    rows.extend([STANDARD.encode(bytes), STANDARD_NO_PAD.encode(bytes), URL_SAFE.encode(bytes)]);
    // The last character holds bits that belong to no byte; another one with the same byte is not the same text.
    if !bytes.len().is_multiple_of(3) {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let last = good.as_bytes()[good.len() - 1];
        let value = alphabet.iter().position(|character| *character == last).expect("of the alphabet");
        for bit in 1..=(if bytes.len() % 3 == 1 { 15 } else { 3 }) {
            rows.push(format!("{}{}", &good[..good.len() - 1], char::from(alphabet[value | bit])));
        }
    }
    rows.retain(|row| *row != good);
    // These are other bytes in canonical form, so the signature or the JSON is to blame and not the encoding.
    rows.retain(|row| base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(row).is_err());
    rows
}

#[test]
fn tokens_that_have_not_three_parts() {
    let (signer, layer) = plain();
    let token = signer.token(HEADER, CLAIMS);
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let rows = [
        header.to_owned(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{header}..{signature}"),
        format!(".{payload}.{signature}"),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.."),
        format!("{token}.{signature}"),
        format!("{header}.{payload}.{signature}.{payload}.{signature}"),
        format!("{token}{token}"),
        "..".to_owned(),
        ".".to_owned(),
        "...".to_owned(),
        ".".repeat(10_000),
        "a".repeat(10_000),
        format!("{token},{token}"),
        format!("{header}%2E{payload}%2E{signature}"),
        format!("\"{token}\""),
        format!("{{\"payload\":\"{payload}\",\"protected\":\"{header}\",\"signature\":\"{signature}\"}}"),
    ];
    all_get(Err(Kind::MalformedToken), rows, |token| verdict(&layer, token));
}

/// The limit counts the bytes of the token, and nothing is read of one that is past it.
#[test]
fn large_tokens() {
    let signer = Signer::secret(super::SECRET);
    let builder = || JwtVerifier::builder(signer.verification_key()).without_audience();
    let token =
        |bytes: usize| signer.token(HEADER, format!(r#"{{"sub":"u","exp":1800003600,"x":"{}"}}"#, "x".repeat(bytes)));
    let length = token(12_000).len();
    let at = layer(builder().with_max_token_bytes(length).build().expect("a verifier"), At::seconds(NOW));
    let below = layer(builder().with_max_token_bytes(length - 1).build().expect("a verifier"), At::seconds(NOW));
    assert_eq!(verdict(&at, token(12_000)), Ok(Ok(())));
    assert_eq!(verdict(&below, token(12_000)), Ok(Err(Kind::MalformedToken)));
    let default = layer(builder().build().expect("a verifier"), At::seconds(NOW));
    assert_eq!(verdict(&default, token(12_100)), Ok(Ok(())));
    assert_eq!(verdict(&default, token(12_300)), Ok(Err(Kind::MalformedToken)));
    let answer = send_bearer(&default, "x".repeat(1 << 20).as_bytes()).expect("a header");
    assert_eq!(answer.error().expect("an error").reason(), "the token is too large");
    // Many members and names that collide in nothing but their number.
    let members: String = (0..900).map(|n| format!(r#","k{n}":{n}"#)).collect();
    assert_eq!(
        verdict(&default, signer.token(HEADER, format!(r#"{{"sub":"u","exp":1800003600{members}}}"#))),
        Ok(Ok(()))
    );
}

/// A SuperTokens token of version 2 is read with another alphabet; everything else never is.
#[test]
fn the_other_alphabet_is_for_two_headers_only() {
    let rsa = Signer::fresh_rsa();
    let layer = layer(JwtVerifier::supertokens(rsa.verification_key()).build().expect("a verifier"), At::seconds(NOW));
    let claims = r#"{"userId":"u","expiryTime":1800003600000,"timeCreated":1800000000000,"sessionHandle":"h","refreshTokenHash1":"r","userData":{"x":"??>>"}}"#;
    assert_eq!(verdict(&layer, rsa.legacy_token(claims)), Ok(Ok(())));
    let signed = |header: &str, payload: &str| {
        let text = format!("{header}.{payload}");
        let signature = STANDARD.encode(rsa.sign(text.as_bytes()));
        format!("{text}.{signature}")
    };
    let payload = STANDARD.encode(claims);
    for header in [
        r#"{"alg":"RS256","typ":"JWT","version":"2"} "#,
        r#"{"typ":"JWT","alg":"RS256","version":"2"}"#,
        r#"{"alg":"RS256","typ":"JWT","version":"0"}"#,
        r#"{"alg":"RS256","typ":"JWT","version":"3"}"#,
        r#"{"alg":"RS256","typ":"JWT","version":2}"#,
        r#"{"alg":"none","typ":"JWT","version":"2"}"#,
    ] {
        let got = verdict(&layer, signed(&STANDARD.encode(header), &payload));
        assert!(matches!(got, Ok(Err(Kind::MalformedToken | Kind::WrongPurpose))), "{got:?} for {header}");
    }
    let header = STANDARD.encode(r#"{"alg":"RS256","typ":"JWT","version":"2"}"#);
    // Without its padding it is the header of no legacy token, and names no key.
    let got = verdict(&layer, signed(header.trim_end_matches('='), &payload));
    assert_eq!(got, Ok(Err(Kind::WrongPurpose)));
    assert_eq!(verdict(&layer, signed(&header, &base64url(claims))), Ok(Err(Kind::MalformedToken)));
}
