use http::Request;
use tower_user_metadata::session::JwtVerifier;
use tower_user_metadata::session::TokenSources;
use tower_user_metadata::session::keys::{Algorithm, KeySet, VerificationKey};
use tower_user_metadata::{AntiCsrf, AuthErrorKind as Kind, UserMetadataLayer};

use super::{NOW, Verdict, all_get, verdict};
use crate::harness::{At, Outcome, layer, send, send_bearer};
use crate::mint::{Signer, supertokens_claims, supertokens_header};

const KID: &str = "d-1800000000000";

fn dynamic() -> (Signer, UserMetadataLayer) {
    let signer = Signer::fresh_rsa();
    let keys = [KID, "s-1"].map(|kid| signer.verification_key().with_kid(kid));
    let verifier = JwtVerifier::supertokens(KeySet::new(keys).expect("a key set")).build().expect("a verifier");
    (signer, layer(verifier, At::seconds(NOW)))
}

fn claims() -> String {
    supertokens_claims("user-1", Some("csrf"), NOW, "")
}

#[test]
fn headers_of_something_else() {
    let (signer, layer) = dynamic();
    let sent = |header: &str| verdict(&layer, signer.token(header, claims()));
    let rows = [
        r#"{"kid":"d-1800000000000","typ":"JWT","alg":"RS256"}"#,
        r#"{"kid":"d-1800000000000","typ":"JWT","version":5,"alg":"RS256"}"#,
        r#"{"kid":"d-1800000000000","typ":"JWT","version":null,"alg":"RS256"}"#,
        r#"{"kid":"d-1800000000000","typ":"JWT","version":["5"],"alg":"RS256"}"#,
        r#"{"kid":"d-1800000000000","typ":"JWT","version":"","alg":"RS256"}"#,
        r#"{"kid":"d-1800000000000","typ":"JWT","version":"0","alg":"RS256"}"#,
        r#"{"kid":"d-1800000000000","typ":"JWT","version":"1","alg":"RS256"}"#,
        r#"{"kid":"d-1800000000000","typ":"JWT","version":"2","alg":"RS256"}"#,
        r#"{"kid":"d-1800000000000","typ":"JWT","version":"6","alg":"RS256"}"#,
        r#"{"kid":"d-1800000000000","typ":"JWT","version":"-5","alg":"RS256"}"#,
        r#"{"kid":"d-1800000000000","typ":"JWT","version":"05","alg":"RS256"}"#,
        r#"{"kid":"d-1800000000000","typ":"JWT","version":"5.0","alg":"RS256"}"#,
        r#"{"kid":"d-1800000000000","typ":"JWT","version":" 5","alg":"RS256"}"#,
        r#"{"kid":"d-1800000000000","typ":"JWT","version":"5\u0000","alg":"RS256"}"#,
        r#"{"kid":"d-1800000000000","typ":"JWT","version":"\uff15","alg":"RS256"}"#,
        r#"{"kid":"d-1800000000000","version":"5","alg":"RS256"}"#,
        r#"{"kid":"d-1800000000000","typ":"jwt","version":"5","alg":"RS256"}"#,
        r#"{"kid":"d-1800000000000","typ":"at+jwt","version":"5","alg":"RS256"}"#,
        r#"{"kid":"d-1800000000000","typ":"","version":"5","alg":"RS256"}"#,
        r#"{"typ":"JWT","version":"5","alg":"RS256"}"#,
    ];
    all_get(Err(Kind::WrongPurpose), rows, sent);
    all_get(Err(Kind::UnknownKey), ["s-1", "d-2", "", "D-1800000000000", "d-1800000000000 "], |kid| {
        sent(&supertokens_header(kid))
    });
    // Another algorithm, even one of the same key, is not that of SuperTokens.
    for algorithm in ["RS384", "RS512", "PS256", "HS256", "none"] {
        let header = supertokens_header(KID).replace("RS256", algorithm);
        assert_eq!(sent(&header), Ok(Err(Kind::BadSignature)), "{algorithm}");
    }
    assert_eq!(sent(&supertokens_header(KID)), Ok(Ok(())));
}

/// The two kinds of keys are kept apart, even where one key has no name and takes any.
#[test]
fn the_other_kind_of_key() {
    let signer = Signer::fresh_rsa();
    let keys = signer.verification_key();
    let dynamic = layer(JwtVerifier::supertokens(keys.clone()).build().expect("a verifier"), At::seconds(NOW));
    let fixed =
        layer(JwtVerifier::supertokens(keys).with_static_signing_key().build().expect("a verifier"), At::seconds(NOW));
    for (kid, is_dynamic) in
        [("d-1", true), ("d-", true), ("s-1", false), ("", false), ("D-1", false), ("x-d-1", false)]
    {
        let token = signer.token(supertokens_header(kid), claims());
        let expected = |fits: bool| if fits { Ok(()) } else { Err(Kind::UnknownKey) };
        assert_eq!(verdict(&dynamic, &token), Ok(expected(is_dynamic)), "{kid}");
        assert_eq!(verdict(&fixed, &token), Ok(expected(!is_dynamic)), "{kid}");
    }
}

#[test]
fn claims_that_are_not_those_of_a_session() {
    let (signer, layer) = dynamic();
    let good: serde_json::Value = serde_json::from_str(&claims()).expect("JSON");
    let changed = |name: &str, value: Option<&str>| {
        // By hand, since values are not all what `serde_json` would write.
        let members: Vec<_> = good
            .as_object()
            .expect("an object")
            .iter()
            .filter(|(member, _)| *member != name)
            .map(|(member, value)| format!("{member:?}:{value}"))
            .chain(value.map(|value| format!("{name:?}:{value}")))
            .collect();
        verdict(&layer, signer.token(supertokens_header(KID), format!("{{{}}}", members.join(","))))
    };
    for name in ["sub", "rsub", "tId", "sessionHandle", "refreshTokenHash1"] {
        let rows =
            ["null", "1", "true", "[]", "{}", r#"["user-1"]"#, r#""""#, r#""a\u0000""#, r#""a\r\nb""#, r#""\u001b[m""#];
        all_get(Err(Kind::MalformedClaims), rows, |value| changed(name, Some(value)));
        assert_eq!(changed(name, None), Ok(Err(Kind::MalformedClaims)), "{name}");
    }
    for name in ["sub", "rsub"] {
        let long = format!("\"{}\"", "u".repeat(129));
        all_get(Err(Kind::MalformedClaims), [r#"" user-1""#, r#""user-1 ""#, &long], |value| {
            changed(name, Some(value))
        });
    }
    for name in ["iat", "exp"] {
        let rows =
            ["null", "\"1800003600\"", "true", "[]", "{}", "1e400", "1800003600000", "9223372036854775807", "1e300"];
        all_get(Err(Kind::MalformedClaims), rows, |value| changed(name, Some(value)));
        assert_eq!(changed(name, None), Ok(Err(Kind::MalformedClaims)), "{name}");
    }
    all_get(Err(Kind::Expired), ["1800000000", "1.8e9", "0", "-1", "-0"], |value| changed("exp", Some(value)));
    all_get(Ok(()), ["1.800000001E9", "1800000001.5"], |value| changed("exp", Some(value)));
    // No leeway, and nothing to set one.
    all_get(Err(Kind::NotYetValid), ["1800000001", "1800000000.5"], |value| changed("nbf", Some(value)));
    all_get(Err(Kind::MalformedClaims), ["null", "\"0\"", "{}"], |value| changed("nbf", Some(value)));
    assert_eq!(changed("nbf", Some("1800000000")), Ok(Ok(())));
    for name in ["parentRefreshTokenHash1", "antiCsrfToken"] {
        all_get(Err(Kind::MalformedClaims), ["1", "true", "[]", "{}"], |value| changed(name, Some(value)));
        all_get(Ok(()), ["null", r#""x""#], |value| changed(name, Some(value)));
    }
}

/// Tokens for OAuth2 clients are signed with the same keys, and differ in `stt` alone.
#[test]
fn tokens_for_oauth2() {
    let (signer, layer) = dynamic();
    let stt = |value: &str| {
        let extra = format!(r#","stt":{value}"#);
        verdict(&layer, signer.token(supertokens_header(KID), supertokens_claims("user-1", None, NOW, &extra)))
    };
    let rows = ["1", "2", "-1", "null", "true", "false", "\"0\"", "\"\"", "[]", "[0]", "{}", "0.5", "1e1", "00x"];
    all_get(Err(Kind::WrongPurpose), &rows[..rows.len() - 1], stt);
    assert_eq!(stt("00"), Ok(Err(Kind::MalformedClaims)));
    // A number is its value, however it is written: cores before 6.0.9 write all of them as doubles.
    all_get(Ok(()), ["0", " 0 ", "0.0", "-0", "0e0", "0E+5"], stt);
}

/// Versions differ in what they demand, so a version cannot be taken for an older one with fewer demands.
#[test]
fn each_version_has_its_claims() {
    let (signer, layer) = dynamic();
    let sent = |version: &str, claims: &str| {
        let header = supertokens_header(KID).replace("\"5\"", &format!("\"{version}\""));
        verdict(&layer, signer.token(header, claims))
    };
    let v5 = claims();
    let v4 = v5.replace(r#""rsub":"user-1","#, "");
    let v3 = v4.replace(r#""tId":"public","#, "");
    for (version, accepted) in [("3", [true, true, true]), ("4", [false, true, true]), ("5", [false, false, true])] {
        for (claims, accepted) in [&v3, &v4, &v5].into_iter().zip(accepted) {
            let expected = if accepted { Ok(()) } else { Err(Kind::MalformedClaims) };
            assert_eq!(sent(version, claims), Ok(expected), "{version}: {claims}");
        }
    }
    // In version 3 these names are the application's.
    assert_eq!(sent("3", &v5.replace("\"public\"", "7").replace("\"rsub\":\"user-1\"", "\"rsub\":null")), Ok(Ok(())));
    // And so they are shown to it.
    for (version, custom) in [("3", vec!["tId", "rsub"]), ("4", vec!["rsub"]), ("5", vec![])] {
        let header = supertokens_header(KID).replace("\"5\"", &format!("\"{version}\""));
        let answer = send_bearer(&layer, signer.token(header, &v5).as_bytes()).expect("a header value");
        let Ok(Outcome::Accepted(session)) = answer.outcome() else { panic!("{version} is refused") };
        assert_eq!(session.custom_claims().map(|(name, _)| name).collect::<Vec<_>>(), custom, "{version}");
    }
}

/// The proof is the token of the session, whole, also for a session that is known already; nothing stands for one that
/// is empty or not there.
#[test]
fn proofs_that_are_tokens() {
    let (signer, layer) = dynamic();
    let layer = layer.with_token_sources(TokenSources::supertokens(AntiCsrf::ViaToken));
    let post = |csrf: Option<&str>, proofs: &[&str]| -> Result<Verdict, String> {
        let token = signer.token(supertokens_header(KID), supertokens_claims("user-1", csrf, NOW, ""));
        let request = Request::post("/").header("cookie", format!("sAccessToken={token}"));
        let request = proofs.iter().fold(request, |request, proof| request.header("anti-csrf", *proof));
        match send(&layer, request.body(()).expect("a request")).outcome()? {
            Outcome::Accepted(_) => Ok(Ok(())),
            Outcome::Refused(kind) => Ok(Err(kind)),
        }
    };
    for _ in 0..2 {
        assert_eq!(post(Some("csrf"), &["csrf"]), Ok(Ok(())));
        for proofs in [&[][..], &[""], &["csr"], &["csrff"], &["CSRF"], &["null"], &["csrf", "csrf"], &["x", "csrf"]] {
            assert_eq!(post(Some("csrf"), proofs), Ok(Err(Kind::AntiCsrf)), "{proofs:?}");
        }
        for csrf in [Some(""), None] {
            for proofs in [&[][..], &[""], &["null"], &["csrf"]] {
                assert_eq!(post(csrf, proofs), Ok(Err(Kind::AntiCsrf)), "{csrf:?} {proofs:?}");
            }
        }
    }
}

#[test]
fn legacy_claims() {
    let (signer, layer) = dynamic();
    let good = r#"{"userId":"user-1","expiryTime":1800003600000,"timeCreated":1800000000000,"sessionHandle":"h","refreshTokenHash1":"r","userData":{}}"#;
    let sent = |claims: &str| verdict(&layer, signer.legacy_token(claims));
    assert_eq!(sent(good), Ok(Ok(())));
    let rows = [
        ("\"user-1\"", vec!["null", "1", "\"\"", "\" a\"", "\"a\\u0000\"", "[]"]),
        (
            "1800003600000",
            vec![
                "null",
                "\"1800003600000\"",
                "1800003600000.0",
                "1.8e12",
                "-1",
                "true",
                "253402300800000",
                "9223372036854775807",
                "18446744073709551615",
            ],
        ),
        ("1800000000000", vec!["null", "\"1\"", "1e3", "-1", "{}"]),
        ("\"h\"", vec!["null", "\"\"", "1", "\"\\n\""]),
        ("\"r\"", vec!["null", "\"\"", "1", "[]"]),
        ("{}", vec!["null", "1", "[]", "\"x\"", r#"{"a":1,"a":2}"#]),
    ];
    for (value, others) in rows {
        all_get(Err(Kind::MalformedClaims), others, |other| sent(&good.replace(value, other)));
    }
    for name in ["userId", "expiryTime", "timeCreated", "sessionHandle", "refreshTokenHash1", "userData"] {
        assert_eq!(sent(&good.replace(name, "x")), Ok(Err(Kind::MalformedClaims)), "{name}");
    }
    // These two are left out where they say nothing.
    for name in ["parentRefreshTokenHash1", "antiCsrfToken"] {
        let with = |value: &str| sent(&good.replace("\"userData\"", &format!("\"{name}\":{value},\"userData\"")));
        all_get(Err(Kind::MalformedClaims), ["null", "1", "true", "[]", "{}"], with);
        assert_eq!(with("\"x\""), Ok(Ok(())), "{name}");
    }
    for time in ["1800000000000", "1799999999999", "0"] {
        assert_eq!(sent(&good.replace("1800003600000", time)), Ok(Err(Kind::Expired)), "{time}");
    }
    all_get(Ok(()), ["1800000000001", "253402300799999"], |time| sent(&good.replace("1800003600000", time)));
    // Signed by nobody we know: of several keys none fits.
    let stranger = Signer::fresh_rsa();
    assert_eq!(verdict(&layer, stranger.legacy_token(good)), Ok(Err(Kind::BadSignature)));
}

/// Looked at only where they are demanded. Tokens of version 2 have neither: what is in `userData` is the application's.
#[test]
fn issuers_and_audiences() {
    let signer = Signer::fresh_rsa();
    let builder = || JwtVerifier::supertokens(signer.verification_key());
    let any = layer(builder().build().expect("a verifier"), At::seconds(NOW));
    let one = layer(builder().with_issuer("https://a.test/auth").build().expect("a verifier"), At::seconds(NOW));
    let both = builder().with_issuer("https://a.test/auth").with_audience("api").build().expect("a verifier");
    let both = layer(both, At::seconds(NOW));
    let ours = layer(builder().with_audience("api").build().expect("a verifier"), At::seconds(NOW));
    let members = |members: &str| {
        let current = signer.token(supertokens_header(KID), supertokens_claims("user-1", None, NOW, members));
        let user_data = members.trim_start_matches(',');
        let legacy = signer.legacy_token(format!(
            r#"{{"userId":"user-1","expiryTime":1800003600000,"timeCreated":1800000000000,"sessionHandle":"h","refreshTokenHash1":"r","userData":{{{user_data}}}{members}}}"#
        ));
        (current, legacy)
    };
    let (issuer, audience) = (Err(Kind::WrongIssuer), Err(Kind::WrongAudience));
    for (claims, one_expected, both_expected, ours_expected) in [
        ("", issuer, issuer, audience),
        (r#","iss":"https://a.test/auth""#, Ok(()), audience, audience),
        (r#","iss":"https://a.test/auth","aud":"api""#, Ok(()), Ok(()), Ok(())),
        (r#","iss":"https://a.test/auth","aud":["x","api"]"#, Ok(()), Ok(()), Ok(())),
        (r#","iss":"https://a.test/auth/","aud":"api""#, issuer, issuer, Ok(())),
        (r#","iss":["https://a.test/auth"],"aud":"apis""#, issuer, issuer, audience),
        (r#","iss":null,"aud":null"#, issuer, issuer, audience),
    ] {
        let (current, legacy) = members(claims);
        assert_eq!(verdict(&any, &current), Ok(Ok(())), "{claims}");
        assert_eq!(verdict(&one, &current), Ok(one_expected), "{claims}");
        assert_eq!(verdict(&both, &current), Ok(both_expected), "{claims}");
        assert_eq!(verdict(&ours, &current), Ok(ours_expected), "{claims}");
        assert_eq!(verdict(&any, &legacy), Ok(Ok(())), "{claims}");
        assert_eq!(verdict(&one, &legacy), Ok(issuer), "{claims}");
        assert_eq!(verdict(&both, &legacy), Ok(issuer), "{claims}");
        assert_eq!(verdict(&ours, &legacy), Ok(audience), "{claims}");
    }
}

/// A core signs with RS256 alone, whatever other keys the verifier was given.
#[test]
fn keys_of_other_algorithms_sign_no_session() {
    let signer = Signer::secret(super::SECRET);
    let layer =
        layer(JwtVerifier::supertokens(signer.verification_key()).build().expect("a verifier"), At::seconds(NOW));
    let header = supertokens_header(KID).replace("RS256", signer.alg());
    assert_eq!(verdict(&layer, signer.token(header, claims())), Ok(Err(Kind::BadSignature)));
}

/// The keys that are tried for a token that names none are those of its algorithm.
#[test]
fn keys_of_other_algorithms_do_not_crowd_out_those_of_legacy_tokens() {
    let signer = Signer::fresh_rsa();
    let secret = |n: u8| {
        let secret: Vec<u8> = (0..32).map(|i: u8| i.wrapping_mul(37) ^ n.wrapping_mul(91)).collect();
        VerificationKey::from_secret(Algorithm::HS256, secret).expect("a secret").with_kid(format!("h-{n}"))
    };
    let keys = (0..60).map(secret).chain([signer.verification_key().with_kid(KID)]);
    let verifier = JwtVerifier::supertokens(KeySet::new(keys).expect("a key set")).build().expect("a verifier");
    let layer = layer(verifier, At::seconds(NOW));
    let claims = r#"{"userId":"user-1","expiryTime":1800003600000,"timeCreated":1800000000000,"sessionHandle":"h","refreshTokenHash1":"r","userData":{}}"#;
    assert_eq!(verdict(&layer, signer.legacy_token(claims)), Ok(Ok(())));
}

/// However quickly a core rotates its keys: each that it still shows is tried.
#[test]
fn all_keys_are_tried_for_legacy_tokens() {
    let signers = [Signer::fresh_rsa(), Signer::fresh_rsa(), Signer::fresh_rsa()];
    let kid = |n: usize| format!("d-{}", 1_800_000_000_000 + n);
    let keys = (0..100).map(|n| {
        // The oldest and the newest have keys of their own.
        let signer = &signers[if n == 0 { 0 } else { 1 + n / 99 }];
        signer.verification_key().with_kid(kid(n))
    });
    let verifier = JwtVerifier::supertokens(KeySet::new(keys).expect("a key set")).build().expect("a verifier");
    let layer = layer(verifier, At::seconds(NOW));
    let claims = r#"{"userId":"user-1","expiryTime":1800003600000,"timeCreated":1800000000000,"sessionHandle":"h","refreshTokenHash1":"r","userData":{}}"#;
    for signer in &signers {
        assert_eq!(verdict(&layer, signer.legacy_token(claims)), Ok(Ok(())));
    }
}

/// A verifier for plain tokens takes none of SuperTokens' rules, and one for SuperTokens no plain token.
#[test]
fn profiles_do_not_mix() {
    let signer = Signer::fresh_rsa();
    let supertokens =
        layer(JwtVerifier::supertokens(signer.verification_key()).build().expect("a verifier"), At::seconds(NOW));
    let plain = layer(
        JwtVerifier::builder(signer.verification_key()).without_audience().build().expect("a verifier"),
        At::seconds(NOW),
    );
    let token = signer.token(r#"{"alg":"RS256","typ":"JWT","kid":"d-1"}"#, super::CLAIMS);
    assert_eq!(verdict(&supertokens, &token), Ok(Err(Kind::WrongPurpose)));
    assert_eq!(verdict(&plain, &token), Ok(Ok(())));
    let legacy = signer.legacy_token(super::CLAIMS);
    assert_eq!(verdict(&plain, &legacy), Ok(Err(Kind::MalformedToken)));
    assert_eq!(verdict(&supertokens, &legacy), Ok(Err(Kind::MalformedClaims)));
}
