use std::time::Duration;

use tower_user_metadata::session::JwtVerifier;
use tower_user_metadata::{AuthError, AuthErrorKind as Kind, UserMetadataLayer};

use super::{HEADER, NOW, SECRET, all_get, plain, verdict};
use crate::harness::{At, layer, send_bearer};
use crate::mint::{Signer, supertokens_claims, supertokens_header};

fn with(member: &str) -> String {
    format!(r#"{{"sub":"user-1","exp":1800003600,{member}}}"#)
}

#[test]
fn payloads_that_are_not_one_strict_object() {
    let (signer, layer) = plain();
    let deep = with(&format!(r#""x":{}{}"#, "[".repeat(64), "]".repeat(64)));
    let rows = [
        " ",
        "null",
        "[]",
        "1",
        "\"x\"",
        "true",
        "{",
        "}",
        "{}{}",
        "{} x",
        "x",
        "{\"sub\"}",
        r#"[{"sub":"user-1","exp":1800003600}]"#,
        r#"{"sub":"user-1","exp":1800003600}{"sub":"user-2","exp":1800003600}"#,
        "{\"sub\":\"user-1\",\"exp\":1800003600}\0",
        "\u{feff}{\"sub\":\"user-1\",\"exp\":1800003600}",
        r#"{"sub":"user-1","sub":"user-1","exp":1800003600}"#,
        r#"{"sub":"user-2","s\u0075b":"user-1","exp":1800003600}"#,
        r#"{"sub":"user-1","exp":1,"exp":1800003600}"#,
        r#"{"sub":"user-1","exp":1800003600,"e\u0078p":1}"#,
        r#"{"sub":"user-1","exp":1800003600,"x":{"y":[{"z":1,"z":1}]}}"#,
        r#"{"sub":"user-1","exp":1800003600,"x":1e309}"#,
        r#"{"sub":"user-1","exp":1800003600,"x":-1e-309}"#,
        r#"{"sub":"user-1","exp":1800003600,"x":"\udead"}"#,
        r#"{"sub":"user-1","exp":1800003600,"\ud83d":1}"#,
        r#"{"sub":"user-1","exp":1800003600,}"#,
        r#"{"sub":"user-1";"exp":1800003600}"#,
        &deep,
    ];
    all_get(Err(Kind::MalformedClaims), rows, |payload| verdict(&layer, signer.token(HEADER, payload)));
}

#[test]
fn users_that_are_none() {
    let (signer, layer) = plain();
    let long = format!("\"{}\"", "u".repeat(256));
    let rows = [
        "null",
        "1",
        "true",
        "[]",
        r#"["user-1"]"#,
        "{}",
        r#"{"id":"user-1"}"#,
        r#""""#,
        r#"" ""#,
        r#"" user-1""#,
        r#""user-1 ""#,
        r#""user-1\t""#,
        r#""\nuser-1""#,
        r#""user\u0000-1""#,
        r#""user-1\u0000""#,
        r#""a\u001b[31m""#,
        r#""a\u007fb""#,
        r#""a\u0085b""#,
        r#""\u00a0a""#,
        r#""a\u2003""#,
        r#""a\u2028""#,
        r#""\u3000a""#,
        r#""a\r\nb""#,
        "1e3",
        "-0",
        &long,
    ];
    all_get(Err(Kind::MalformedClaims), rows, |user| {
        verdict(&layer, signer.token(HEADER, format!(r#"{{"sub":{user},"exp":1800003600}}"#)))
    });
    all_get(Err(Kind::MalformedClaims), [r#"{"exp":1800003600}"#, r#"{"Sub":"a","exp":1800003600}"#], |payload| {
        verdict(&layer, signer.token(HEADER, payload))
    });
    let longest = format!("\"{}\"", "\u{1f600}".repeat(255));
    let rows = [
        &longest,
        r#""..""#,
        r#""null""#,
        r#""a b""#,
        r#""\u200b""#,
        r#""\u202ea""#,
        r#""\ufb01""#,
        r#""__proto__""#,
        r#""*""#,
    ];
    all_get(Ok(()), rows, |user| {
        verdict(&layer, signer.token(HEADER, format!(r#"{{"sub":{user},"exp":1800003600}}"#)))
    });
}

/// OpenID Connect allows 255 characters of `sub`, and SuperTokens keeps 128: the reason in the log says which it was.
#[test]
fn a_refused_user_id_is_told_why() {
    let (signer, layer) = plain();
    let reason = |user: &str| {
        let token = signer.token(HEADER, format!(r#"{{"sub":"{user}","exp":1800003600}}"#));
        send_bearer(&layer, token.as_bytes()).expect("an answer").error().map(AuthError::reason)
    };
    for length in [1, 128, 129, 254, 255] {
        assert_eq!(reason(&"\u{e9}".repeat(length)), None, "{length}");
    }
    assert_eq!(reason(&"u".repeat(256)), Some("the user id has more than 255 characters"));
    assert_eq!(reason(""), Some("the user id is empty"));
    assert_eq!(reason(" a"), Some("the user id begins or ends with white space"));
    assert_eq!(reason("a\\u0000"), Some("the user id has a control character"));

    let rsa = Signer::fresh_rsa();
    let key = rsa.verification_key().with_kid("d-1");
    let layer = crate::harness::layer(JwtVerifier::supertokens(key).build().expect("a verifier"), At::seconds(NOW));
    for (length, expected) in [
        (128, None),
        (129, Some("the user id has more than the 128 characters that SuperTokens keeps")),
        (255, Some("the user id has more than the 128 characters that SuperTokens keeps")),
    ] {
        let claims = supertokens_claims(&"u".repeat(length), None, NOW, "");
        let token = rsa.token(supertokens_header("d-1"), claims);
        let answer = send_bearer(&layer, token.as_bytes()).expect("an answer");
        assert_eq!(answer.error().map(AuthError::reason), expected, "{length}");
    }
}

#[test]
fn times_of_all_forms() {
    let (signer, layer) = plain();
    let exp = |value: &str| verdict(&layer, signer.token(HEADER, format!(r#"{{"sub":"user-1","exp":{value}}}"#)));
    let malformed = [
        "null",
        "true",
        "\"\"",
        "\"1800003600\"",
        "\"1.8e9\"",
        "[1800003600]",
        "{}",
        "{\"$date\":1800003600}",
        "1e400",
        "-1e400",
        "253402300800",
        "1800003600000",
        "9007199254740993",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999999999",
        "1e300",
        "1e19",
    ];
    all_get(Err(Kind::MalformedClaims), malformed, exp);
    let past = [
        "0",
        "-0",
        "-0.0",
        "0e0",
        "0e5",
        "1",
        "-1",
        "-1800003600",
        "1800000000",
        "1800000000.0",
        "1800000000.999",
        "1.8e9",
        "18e8",
        "180000000000e-2",
        "1799999999.9999999",
        "1e-300",
        "-1e11",
    ];
    all_get(Err(Kind::Expired), past, exp);
    all_get(Ok(()), ["1800000001", "1800000001.0", "1.800000001e9", "1800000009.75", "253402300799", "2E9"], exp);

    let nbf = |value: &str| verdict(&layer, signer.token(HEADER, with(&format!(r#""nbf":{value}"#))));
    // A minute is the leeway.
    all_get(Err(Kind::NotYetValid), ["1800000060", "1800000059.5", "1800000059.000001", "1.9e9", "253402300799"], nbf);
    let malformed = ["null", "true", "\"0\"", "[]", "{}", "1e400", "253402300800", "9223372036854775807"];
    all_get(Err(Kind::MalformedClaims), malformed, nbf);
    all_get(Ok(()), ["0", "-1", "-0", "1800000000", "1.8e9", "1799999999.5", "-1e11"], nbf);
    all_get(Ok(()), ["1800000002", "1800000000.5", "1800000059", "1800000058.75", "1.80000003e9"], nbf);

    let iat = |value: &str| verdict(&layer, signer.token(HEADER, with(&format!(r#""iat":{value}"#))));
    all_get(Err(Kind::NotYetValid), ["1800000060", "1800003600"], iat);
    let malformed = ["null", "false", "\"1800000000\"", "[]", "1e400", "1800003601", "99999999999999"];
    all_get(Err(Kind::MalformedClaims), malformed, iat);
    all_get(Ok(()), ["0", "-1", "1800000000", "1800000002", "1800000059.75", "1799999999.75"], iat);
}

/// A leeway moves the beginning of a token's life by exactly so much, never its end, and overflows nothing.
#[test]
fn leeway() {
    let signer = Signer::secret(SECRET);
    let layer = |leeway: Duration| -> UserMetadataLayer {
        layer(
            JwtVerifier::builder(signer.verification_key())
                .with_leeway(leeway)
                .without_audience()
                .build()
                .expect("a verifier"),
            At::seconds(NOW),
        )
    };
    let token = |exp: i64, claim: &str, time: i64| {
        signer.token(HEADER, format!(r#"{{"sub":"u","exp":{exp},"{claim}":{time}}}"#))
    };
    for claim in ["nbf", "iat"] {
        for leeway in [0_i64, 10, 60, 3_600] {
            let layer = layer(Duration::from_secs(leeway.unsigned_abs()));
            let token = |time| token(1_800_009_999, claim, time);
            // What is now is not ahead.
            let last = 1_800_000_000 + (leeway - 1).max(0);
            assert_eq!(verdict(&layer, token(last)), Ok(Ok(())), "{claim} {leeway}");
            assert_eq!(verdict(&layer, token(last + 1)), Ok(Err(Kind::NotYetValid)), "{claim} {leeway}");
        }
    }
    for leeway in [Duration::ZERO, Duration::from_secs(10), Duration::from_millis(1), Duration::MAX] {
        for (exp, expected) in
            [(1_800_000_001, Ok(())), (1_800_000_000, Err(Kind::Expired)), (1_799_999_999, Err(Kind::Expired))]
        {
            assert_eq!(verdict(&layer(leeway), token(exp, "nbf", 0)), Ok(expected), "{leeway:?} {exp}");
        }
    }
    assert_eq!(verdict(&layer(Duration::MAX), token(1_800_003_600, "nbf", 253_402_300_799)), Ok(Ok(())));
}

#[test]
fn issuers_and_audiences() {
    let signer = Signer::secret(SECRET);
    let builder = JwtVerifier::builder(signer.verification_key());
    let verifier =
        builder.with_issuer("https://a.test").with_audience("api").with_audience("b").build().expect("a verifier");
    let layer = layer(verifier, At::seconds(NOW));
    let iss = |value: &str| verdict(&layer, signer.token(HEADER, with(&format!(r#""iss":{value},"aud":"api""#))));
    let rows = [
        "null",
        "1",
        "{}",
        "[]",
        r#"["https://a.test"]"#,
        r#""""#,
        r#""https://a.test/""#,
        r#""HTTPS://a.test""#,
        r#""https://A.test""#,
        r#"" https://a.test""#,
        r#""https://a.test ""#,
        r#""https://a.test\u0000""#,
        r#""https://a.test.evil""#,
        r#""https://a.test@evil.test""#,
        r#""https://a.tes""#,
        r#""https:\/\/a.test:443""#,
        r#""https://a.test#""#,
        r#""https://a.test?""#,
        r#""http://a.test""#,
        r#""https://\u0430.test""#,
        r#"{"iss":"https://a.test"}"#,
    ];
    all_get(Err(Kind::WrongIssuer), rows, iss);
    all_get(Ok(()), [r#""https://a.test""#, r#""https:\/\/a.test""#, r#""\u0068ttps://a.test""#], iss);

    let aud =
        |value: &str| verdict(&layer, signer.token(HEADER, with(&format!(r#""iss":"https://a.test","aud":{value}"#))));
    let rows = [
        "null",
        "0",
        "true",
        "{}",
        "[]",
        r#""""#,
        r#"[""]"#,
        r#"["api",1]"#,
        r#"["api",null]"#,
        r#"["api",["api"]]"#,
        r#"[["api"]]"#,
        r#"{"api":true}"#,
        r#""api ""#,
        r#"" api""#,
        r#""API""#,
        r#""api,b""#,
        r#""api b""#,
        r#""api/""#,
        r#""ap""#,
        r#""apib""#,
        r#""*""#,
        r#"["*"]"#,
        r#"["API"]"#,
        r#""api\u0000""#,
        r#"[{"aud":"api"}]"#,
    ];
    all_get(Err(Kind::WrongAudience), rows, aud);
    let rows = [r#""api""#, r#""b""#, r#"["api"]"#, r#"["x","b"]"#, r#"["b","b"]"#, r#"["","api"]"#, r#""\u0061pi""#];
    all_get(Ok(()), rows, aud);
    assert_eq!(verdict(&layer, signer.token(HEADER, super::CLAIMS)), Ok(Err(Kind::WrongIssuer)));
    assert_eq!(verdict(&layer, signer.token(HEADER, with(r#""iss":"https://a.test""#))), Ok(Err(Kind::WrongAudience)));
}

/// The claims that say who and where can be others than the usual ones, and are then as strict.
#[test]
fn other_claims_for_the_user_the_tenant_and_the_session() {
    let signer = Signer::secret(SECRET);
    let builder = JwtVerifier::builder(signer.verification_key());
    let verifier = builder
        .with_user_claim("uid")
        .with_tenant_claim("tid")
        .with_session_claim("sess")
        .without_audience()
        .build()
        .expect("a verifier");
    let layer = layer(verifier, At::seconds(NOW));
    let claims = |members: &str| verdict(&layer, signer.token(HEADER, format!(r#"{{"exp":1800003600,{members}}}"#)));
    all_get(Ok(()), [r#""uid":"a""#, r#""uid":"a","tid":"t","sess":"s""#, r#""uid":"a","sub":1,"sid":2"#], claims);
    let rows = [
        r#""sub":"a""#,
        r#""uid":1,"sub":"a""#,
        r#""uid":"a","tid":1"#,
        r#""uid":"a","tid":"""#,
        r#""uid":"a","tid":null"#,
        r#""uid":"a","tid":["t"]"#,
        r#""uid":"a","tid":"t\nt""#,
        r#""uid":"a","sess":1"#,
        r#""uid":"a","sess":"""#,
        r#""uid":"a","sess":"\u001b[2J""#,
    ];
    all_get(Err(Kind::MalformedClaims), rows, claims);
}
