//! JSON in its corners, as the header and as the payload of tokens that are signed correctly.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use tower_user_metadata::AuthErrorKind;
use tower_user_metadata::session::JwtVerifier;

use crate::harness::{At, Count, Outcome, layer, send_bearer};
use crate::mint::Signer;
use crate::support::vectors::{Row, family};

/// The bytes of a part of a token; none where it is not base64url.
pub(crate) fn decoded(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).unwrap_or_default()
}

fn text_of(row: &Row) -> Vec<u8> {
    let value = row.value();
    let bytes = |member: &serde_json::Value| STANDARD.decode(member.as_str().unwrap_or_default()).expect("Base64");
    match value.get("repeat") {
        Some(repeat) => {
            let unit = repeat["unit"].as_str().expect("a unit");
            let count = usize::try_from(repeat["count"].as_u64().expect("a count")).expect("in range");
            [unit.repeat(count).into_bytes(), bytes(&repeat["tail_b64"])].concat()
        }
        None => bytes(&value["b64"]),
    }
}

#[test]
fn json_is_read_strictly_or_not_at_all() {
    let mut count = Count::of("json/jsontestsuite");
    let signer = Signer::secret(b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*");
    // Large enough for the texts that are large, since the reader is what is tested.
    let verifier = JwtVerifier::builder(signer.verification_key())
        .with_max_token_bytes(1 << 20)
        .without_audience()
        .build()
        .expect("a verifier");
    let layer = layer(verifier, At::seconds(1_800_000_000));
    let outcome = |token: String| send_bearer(&layer, token.as_bytes()).and_then(|answer| answer.outcome());
    let good_payload = r#"{"sub":"user-1","exp":1800003600}"#;

    for row in family("json/jsontestsuite") {
        let text = text_of(&row);
        // No text of the suite is a header or a set of claims, so bare it is refused, whatever its verdict.
        for (place, token) in
            [("header", signer.token(&text, good_payload)), ("payload", signer.token(r#"{"alg":"HS256"}"#, &text))]
        {
            let kind = if place == "header" { AuthErrorKind::MalformedToken } else { AuthErrorKind::MalformedClaims };
            let outcome = outcome(token);
            // An empty payload is no token at all.
            let refused = matches!(&outcome, Ok(Outcome::Refused(refused)) if *refused == kind || text.is_empty());
            count.check(&format!("{} as {place}", row.id), false, (!refused).then(|| format!("{outcome:?}")));
        }
        let nested = [br#"{"sub":"user-1","exp":1800003600,"x":"#.as_slice(), &text, b"}"].concat();
        let outcome = outcome(signer.token(r#"{"alg":"HS256"}"#, &nested));
        let id = format!("{} nested", row.id);
        match row.text_of("expect").as_str() {
            // RFC 8259 section 4 leaves this to the reader; a token is evidence, so it is refused.
            "accept" if row.id.contains("duplicated_key") => count.judge(&id, "policy:reject", outcome),
            "implementation-defined" => match outcome {
                Ok(outcome) => count.policy(&id, outcome.word(), outcome.word()),
                Err(broken) => count.wrong(&id, &broken),
            },
            expect => count.judge(&id, expect, outcome),
        }
    }
    count.finish();
}
