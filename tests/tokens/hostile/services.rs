//! Tokens as services make them for themselves: one secret for many purposes, integers as ids, other schemes; and secrets
//! that were in use before anybody looked at them.

use http::header::AUTHORIZATION;
use tower_user_metadata::session::keys::{Algorithm, InvalidKey, KeySet, VerificationKey};
use tower_user_metadata::session::{JwtVerifier, JwtVerifierBuilder, TokenSource, TokenSources};
use tower_user_metadata::{AuthErrorKind as Kind, UserMetadataLayer};

use super::{CLAIMS, HEADER, NOW, SECRET, all_get, verdict};
use crate::harness::{At, Outcome, get, layer, send, send_bearer};
use crate::mint::{Signer, base64url};

fn builder() -> JwtVerifierBuilder {
    JwtVerifier::builder(Signer::secret(SECRET).verification_key()).without_audience()
}

fn layer_of(builder: JwtVerifierBuilder) -> UserMetadataLayer {
    layer(builder.build().expect("a verifier"), At::seconds(NOW))
}

fn token(members: &str) -> String {
    Signer::secret(SECRET).token(HEADER, format!(r#"{{"exp":1800003600{members}}}"#))
}

/// The user, the tenant and the handle of the session, as the layer hands them on.
fn ids(layer: &UserMetadataLayer, members: &str) -> Result<[Option<String>; 3], Kind> {
    let answer = send_bearer(layer, token(members).as_bytes()).expect("a header");
    match answer.outcome().expect("a proper answer") {
        Outcome::Accepted(session) => Ok([
            Some(session.user_id().as_str().to_owned()),
            session.tenant_id().map(str::to_owned),
            session.handle().map(str::to_owned),
        ]),
        Outcome::Refused(kind) => Err(kind),
    }
}

#[test]
fn integers_are_ids_by_their_digits() {
    let layer = layer_of(builder().with_integer_ids());
    let long = "9".repeat(255);
    for id in ["0", "1", "81549300", "9007199254740993", "18446744073709551616", &long] {
        let written = [format!(r#","sub":{id}"#), format!(r#","sub":"{id}""#)];
        for members in written {
            assert_eq!(ids(&layer, &members), Ok([Some(id.to_owned()), None, None]), "{members}");
        }
    }
    // White space is JSON's, not the number's.
    assert_eq!(ids(&layer, ",\"sub\" :\n 7 "), Ok([Some("7".to_owned()), None, None]));
    let too_long = "9".repeat(256);
    let others =
        ["-1", "-0", "1.0", "1e3", "1E0", "0.5", "01", "+1", "0x1", "1_000", "true", "null", "[1]", r#"{"id":1}"#];
    all_get(Err(Kind::MalformedClaims), others.into_iter().chain([&*too_long]), |id| {
        verdict(&layer, token(&format!(r#","sub":{id}"#)))
    });
    assert_eq!(ids(&layer, ""), Err(Kind::MalformedClaims));
}

#[test]
fn integers_are_ids_in_every_claim_that_has_one() {
    let named = |builder: JwtVerifierBuilder| {
        layer_of(builder.with_user_claim("user_id").with_tenant_claim("org").with_session_claim("session_id"))
    };
    let members = r#","sub":"x","user_id":1,"org":22,"session_id":333"#;
    let expected = ["1", "22", "333"].map(|id| Some(id.to_owned()));
    assert_eq!(ids(&named(builder().with_integer_ids()), members), Ok(expected));
    for wrong in ["1.5", "-1", "true", "{}"] {
        for (user, org, session) in [(wrong, "1", "1"), ("1", wrong, "1"), ("1", "1", wrong)] {
            let members = format!(r#","user_id":{user},"org":{org},"session_id":{session}"#);
            assert_eq!(ids(&named(builder().with_integer_ids()), &members), Err(Kind::MalformedClaims), "{members}");
        }
    }
}

#[test]
fn integers_are_no_ids_by_default() {
    let layer = layer_of(builder());
    for members in [r#","sub":1"#, r#","sub":"a","sid":1"#] {
        let answer = send_bearer(&layer, token(members).as_bytes()).expect("a header");
        let error = answer.error().expect("refused");
        assert_eq!(error.kind(), Kind::MalformedClaims);
        assert_eq!(error.reason(), "an id is an integer, which only `with_integer_ids` takes", "{members}");
    }
}

/// The `sub` of each may be another user, or a word that all users share.
#[test]
fn other_tokens_under_the_same_key_are_no_sessions() {
    let others = [
        r#","sub":"password","use":"refresh""#,
        r#","sub":"ali","use":"invite","invite_id":7"#,
        r#","sub":"ali","use":"password-reset""#,
        r#","sub":"ali","use":"confirm-email""#,
        r#","sub":"ali","use":"mfa-pending""#,
        r#","sub":"billing","use":"service""#,
        r#","sub":"ali","use":"ws-ticket""#,
        r#","sub":"ali","use":"download","file":"/export/1""#,
        r#","sub":"ali""#,
        r#","sub":"ali","use":null"#,
        r#","sub":"ali","use":["access"]"#,
        r#","sub":"ali","use":true"#,
    ];
    let layer = layer_of(builder().with_required_claim("use", "access"));
    all_get(Err(Kind::WrongPurpose), others, |members| verdict(&layer, token(members)));
    assert_eq!(verdict(&layer, token(r#","sub":"ali","use":"access""#)), Ok(Ok(())));
    // What a marker says wins over what a demand says.
    let refresh = layer_of(builder().with_required_claim("type", "refresh"));
    assert_eq!(verdict(&refresh, token(r#","sub":"ali","type":"refresh""#)), Ok(Err(Kind::WrongPurpose)));
}

#[test]
fn a_forbidden_claim_refuses_the_kinds_that_have_it() {
    let layer = layer_of(builder().with_forbidden_claim("invite_id").with_forbidden_claim("reset"));
    for members in [r#","sub":"ali","invite_id":7"#, r#","sub":"ali","reset":false"#, r#","sub":"ali","r\u0065set":{}"#]
    {
        assert_eq!(verdict(&layer, token(members)), Ok(Err(Kind::WrongPurpose)), "{members}");
    }
    for members in [r#","sub":"ali""#, r#","sub":"ali","reset":null"#, r#","sub":"ali","data":{"reset":1}"#] {
        assert_eq!(verdict(&layer, token(members)), Ok(Ok(())), "{members}");
    }
}

#[test]
fn a_required_type_refuses_tokens_without_one() {
    let layer = layer_of(builder().with_required_token_type("at+jwt").with_token_types(["JWT"]));
    let typed = |header: &str| verdict(&layer, Signer::secret(SECRET).token(header, CLAIMS));
    assert_eq!(typed(r#"{"alg":"HS256","typ":"at+jwt"}"#), Ok(Ok(())));
    assert_eq!(typed(r#"{"alg":"HS256","typ":"application/AT+JWT"}"#), Ok(Ok(())));
    for header in [HEADER, r#"{"alg":"HS256","typ":"JWT"}"#, r#"{"alg":"HS256","typ":"rt+jwt"}"#] {
        assert_eq!(typed(header), Ok(Err(Kind::WrongPurpose)), "{header}");
    }
}

/// A header that was seen with one token says nothing about the claims of the next, and neither do known sessions.
#[test]
fn a_good_token_lets_no_other_in() {
    let layer = layer_of(builder().with_required_claim("use", "access"));
    for _ in 0..2 {
        assert_eq!(verdict(&layer, token(r#","sub":"ali","use":"access""#)), Ok(Ok(())));
        assert_eq!(verdict(&layer, token(r#","sub":"ali","use":"invite""#)), Ok(Err(Kind::WrongPurpose)));
    }
}

#[test]
fn clients_that_say_token_or_nothing_are_let_in() {
    let sources = TokenSources::new([
        TokenSource::header("Authorization").expect("a header"),
        TokenSource::scheme("Token").expect("a scheme"),
        TokenSource::scheme("JWT").expect("a scheme"),
        TokenSource::header("X-Auth-Token").expect("a header"),
    ]);
    let layer = layer_of(builder()).with_token_sources(sources);
    let good = Signer::secret(SECRET).token(HEADER, CLAIMS);
    let outcome = |name: &str, value: String| {
        let mut request = get();
        request
            .headers_mut()
            .insert(http::HeaderName::try_from(name).expect("a name"), value.parse().expect("a value"));
        match send(&layer, request).outcome().expect("a proper answer") {
            Outcome::Accepted(_) => Ok(()),
            Outcome::Refused(kind) => Err(kind),
        }
    };
    for value in ["Token ", "token  ", "JWT ", "Bearer ", ""] {
        assert_eq!(outcome(AUTHORIZATION.as_str(), format!("{value}{good}")), Ok(()), "{value}");
    }
    assert_eq!(outcome("x-auth-token", good.clone()), Ok(()));
    for value in ["Basic YTpi", "Digest a=b"] {
        assert_eq!(outcome(AUTHORIZATION.as_str(), value.to_owned()), Err(Kind::MissingCredentials), "{value}");
    }
    // As Rails writes it, which has parameters.
    let rails = format!(r#"Token token="{good}""#);
    assert_eq!(outcome(AUTHORIZATION.as_str(), rails), Err(Kind::MalformedToken));
    assert_eq!(outcome(AUTHORIZATION.as_str(), format!("Token {good} {good}")), Err(Kind::MalformedCredentials));
}

/// Two keys, old tokens without a `kid`: nobody is signed out, and a forged one is nobody's.
#[test]
fn a_weak_secret_is_replaced_without_signing_anybody_out() {
    let old = b"my-super-long-jwt-secret-for-local-development";
    let weak = || VerificationKey::from_weak_secret(Algorithm::HS256, old).expect("a secret");
    let new = || Signer::secret(SECRET).verification_key().with_kid("2026");
    let layer = |keys: KeySet| layer_of(JwtVerifier::builder(keys).without_audience());
    let (old, new_header) = (Signer::secret(old), r#"{"alg":"HS256","kid":"2026"}"#);
    let both = layer(KeySet::new([weak(), new()]).expect("two keys"));
    assert_eq!(verdict(&both, old.token(HEADER, CLAIMS)), Ok(Ok(())));
    assert_eq!(verdict(&both, Signer::secret(SECRET).token(new_header, CLAIMS)), Ok(Ok(())));
    assert_eq!(verdict(&both, old.token(new_header, CLAIMS)), Ok(Err(Kind::BadSignature)));
    let later = layer(KeySet::from(new()));
    assert_eq!(verdict(&later, old.token(HEADER, CLAIMS)), Ok(Err(Kind::BadSignature)));
}

#[test]
fn secrets_of_any_length_sign_as_they_did() {
    for secret in ["x", "hunter2", "secret", "shhhhh", "0bad6f2a-94f1-4c1d-8f7e-2d5b8f0c3a61", &"ab".repeat(100)] {
        assert!(VerificationKey::from_secret(Algorithm::HS256, secret).is_err(), "{secret}");
        let key = VerificationKey::from_weak_secret(Algorithm::HS256, secret).expect(secret);
        let layer = layer_of(JwtVerifier::builder(key).without_audience());
        assert_eq!(verdict(&layer, Signer::secret(secret.as_bytes()).token(HEADER, CLAIMS)), Ok(Ok(())), "{secret}");
        let other = Signer::secret(format!("{secret}!").as_bytes()).token(HEADER, CLAIMS);
        assert_eq!(verdict(&layer, other), Ok(Err(Kind::BadSignature)), "{secret}");
    }
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        assert_eq!(VerificationKey::from_secret(algorithm, SECRET).err(), Some(InvalidKey::SecretTooShort));
        assert!(VerificationKey::from_weak_secret(algorithm, SECRET).is_ok());
    }
    // Whoever runs a service with a secret from a tutorial has sessions to keep, too.
    let tutorial = "404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970";
    assert_eq!(VerificationKey::from_secret(Algorithm::HS256, tutorial).err(), Some(InvalidKey::SecretWeak));
    assert!(VerificationKey::from_weak_secret(Algorithm::HS256, tutorial).is_ok());
    assert_eq!(VerificationKey::from_weak_secret(Algorithm::ES256, SECRET).err(), Some(InvalidKey::WrongType));
}

/// With any of these, whoever can read signs in as anybody.
#[test]
fn what_is_no_secret_is_not_taken_as_a_weak_one() {
    let der = "MCowBQYDK2VwAyEAfU0Of2FTpptiQrUiq77mhf2kQg+INLEIw72uNp71Sfo=";
    let rsa = Signer::fresh_rsa();
    let (n, _) = rsa.rsa_numbers();
    let jwk = format!(r#"{{"kty":"RSA","n":"{}","e":"AQAB"}}"#, base64url(n));
    for (secret, expected) in [
        ("", InvalidKey::SecretEmpty),
        ("\0\0\0", InvalidKey::SecretEmpty),
        (der, InvalidKey::SecretIsPublicKey),
        (&format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n"), InvalidKey::SecretIsPublicKey),
        ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", InvalidKey::SecretIsPublicKey),
        ("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC7", InvalidKey::SecretIsPublicKey),
        (&jwk, InvalidKey::SecretIsPublicKey),
    ] {
        assert_eq!(VerificationKey::from_weak_secret(Algorithm::HS256, secret).err(), Some(expected), "{secret}");
        assert_eq!(VerificationKey::from_secret(Algorithm::HS256, secret).err(), Some(expected), "{secret}");
    }
}

/// What somebody reads whose service does not start.
#[test]
fn a_refused_secret_says_what_to_do() {
    let panic = std::panic::catch_unwind(|| VerificationKey::from_secret(Algorithm::HS256, "hunter2").unwrap());
    let panic = panic.expect_err("refused");
    let message = panic.downcast_ref::<String>().expect("a text");
    for words in ["SecretTooShort", "32 bytes", "openssl rand -base64 48", "VerificationKey::from_weak_secret"] {
        assert!(message.contains(words), "{message}");
    }
    let weak = VerificationKey::from_secret(Algorithm::HS256, "my-super-long-jwt-secret-for-local-development");
    let weak = weak.expect_err("refused");
    for text in [format!("{weak:?}"), weak.to_string()] {
        assert!(text.contains("openssl rand") && text.contains("from_weak_secret"), "{text}");
    }
    assert_eq!(format!("{:?}", InvalidKey::NotPem), "NotPem");
    assert_eq!(format!("{:?}", InvalidKey::DuplicateKid), "DuplicateKid");
}
