//! Strings that break things, in every place of a token where a string may stand.

use serde_json::{Value, json};
use tower_user_metadata::session::JwtVerifier;
use tower_user_metadata::session::TokenSource;
use tower_user_metadata::{AntiCsrf, AuthErrorKind, UserId};

use crate::harness::{At, Count, Outcome, layer, send_bearer, send_header};
use crate::mint::{Signer, supertokens_claims};
use crate::support::vectors::family;

const NOW: u64 = 1_800_000_000;

#[test]
fn naughty_strings() {
    let mut count = Count::of("strings/blns");
    let signer = Signer::secret(b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*");
    for row in family("strings/blns") {
        let text = row.text_of("s");
        for (place, accepted, fault) in
            [as_kid(&signer, &text), as_user(&signer, &text), as_claim(&signer, &text), as_name(&signer, &text)]
        {
            count.check(&format!("{} as {place}", row.id), accepted, fault);
        }
        as_credentials(&mut count, &signer, &row.id, &text);
    }
    count.finish();
}

type Judged = (&'static str, bool, Option<String>);

/// The kid is compared as it is, so the key of this name is found and no other.
fn as_kid(signer: &Signer, text: &str) -> Judged {
    let named =
        JwtVerifier::builder(signer.verification_key().with_kid(text)).without_audience().build().expect("a verifier");
    let other = JwtVerifier::builder(signer.verification_key().with_kid(format!("{text} ")))
        .without_audience()
        .build()
        .expect("a verifier");
    let token = signer.token(json!({ "alg": "HS256", "kid": text }).to_string(), claims("user-1", json!({})));
    let outcome = |verifier| send_bearer(&layer(verifier, At::seconds(NOW)), token.as_bytes())?.outcome();
    let fault = match (outcome(named), outcome(other)) {
        (Ok(Outcome::Accepted(_)), Ok(Outcome::Refused(AuthErrorKind::UnknownKey))) => None,
        outcomes => Some(format!("{outcomes:?}")),
    };
    ("kid", true, fault)
}

fn as_user(signer: &Signer, text: &str) -> Judged {
    let token = signer.token(r#"{"alg":"HS256"}"#, claims(text, json!({})));
    let valid = UserId::new(text).is_ok();
    let fault = match plain(signer, &token) {
        Ok(Outcome::Accepted(session)) if valid && session.user_id().as_str() == text => None,
        Ok(Outcome::Refused(AuthErrorKind::MalformedClaims)) if !valid => None,
        outcome => Some(format!("valid: {valid}, but {outcome:?}")),
    };
    ("user id", valid, fault)
}

/// A claim's name and its value come back byte for byte.
fn as_claim(signer: &Signer, text: &str) -> Judged {
    let value = json!({ "v": text, "list": [text] });
    let token = signer.token(r#"{"alg":"HS256"}"#, claims("user-1", json!({ format!("_{text}"): value.clone() })));
    let fault = match plain(signer, &token) {
        Ok(Outcome::Accepted(session)) => match session.claim::<Value>(&format!("_{text}")) {
            Ok(Some(claim)) if claim == value => None,
            other => Some(format!("{:?}", other.map(|claim| claim.is_some()))),
        },
        outcome => Some(format!("{outcome:?}")),
    };
    ("claim", true, fault)
}

/// As the tenant and the session handle: taken byte for byte, unless it says nothing or would forge a line of a log.
fn as_name(signer: &Signer, text: &str) -> Judged {
    let token = signer.token(r#"{"alg":"HS256"}"#, claims("user-1", json!({ "tid": text, "sid": text })));
    let verifier = JwtVerifier::builder(signer.verification_key())
        .with_tenant_claim("tid")
        .without_audience()
        .build()
        .expect("a verifier");
    let valid = !text.is_empty() && !text.chars().any(char::is_control);
    let outcome = send_bearer(&layer(verifier, At::seconds(NOW)), token.as_bytes()).and_then(|answer| answer.outcome());
    let fault = match outcome {
        Ok(Outcome::Accepted(session)) if valid => {
            (session.tenant_id() != Some(text) || session.handle() != Some(text)).then(|| "changed".to_owned())
        }
        Ok(Outcome::Refused(AuthErrorKind::MalformedClaims)) if !valid => None,
        outcome => Some(format!("valid: {valid}, but {outcome:?}")),
    };
    ("tenant and handle", valid, fault)
}

/// In the places where a token is looked for it is never one, and nothing panics.
fn as_credentials(count: &mut Count, signer: &Signer, id: &str, text: &str) {
    let layer = layer(
        JwtVerifier::builder(signer.verification_key()).without_audience().build().expect("a verifier"),
        At::seconds(NOW),
    );
    let good = signer.token(r#"{"alg":"HS256"}"#, claims("user-1", json!({})));
    let cookie = format!("sAccessToken={text}");
    let pieces = [text, ".", text, ".", text].concat();
    let with_text = [&good, text].concat();
    for (name, value) in [
        ("authorization", text.as_bytes()),
        ("cookie", text.as_bytes()),
        ("cookie", cookie.as_bytes()),
        ("authorization", &[b"Bearer ", text.as_bytes()].concat()),
        ("authorization", &[b"Bearer ", pieces.as_bytes()].concat()),
        ("authorization", &[b"Bearer ", with_text.as_bytes()].concat()),
    ] {
        let outcome = send_header(&layer, name, value).and_then(|answer| answer.outcome());
        let fault = match outcome {
            Ok(Outcome::Accepted(_)) if text.is_empty() => None,
            Ok(Outcome::Accepted(_)) => Some(format!("accepted in {name}")),
            // Not every string is a header's value, and then it never comes here.
            Ok(Outcome::Refused(_)) | Err(_) => None,
        };
        count.check(&format!("{id} in {name}"), false, fault);
    }
    // Whatever is configured, it is taken or refused.
    let _ = (TokenSource::cookie(text, AntiCsrf::ViaCustomHeader), TokenSource::header(text));
}

fn plain(signer: &Signer, token: &str) -> Result<Outcome, String> {
    let verifier = JwtVerifier::builder(signer.verification_key()).without_audience().build().expect("a verifier");
    send_bearer(&layer(verifier, At::seconds(NOW)), token.as_bytes())?.outcome()
}

fn claims(user: &str, extra: Value) -> String {
    let mut claims = json!({ "sub": user, "exp": NOW + 3_600 });
    let members = extra.as_object().expect("an object").clone();
    claims.as_object_mut().expect("an object").extend(members);
    claims.to_string()
}

/// Seeds of a fuzzer: none is a token under a key of ours.
#[test]
fn seeds_of_go_jose() {
    let mut count = Count::of("parser-seeds/go-jose");
    let secret = Signer::secret(b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*");
    let rsa = Signer::fresh_rsa();
    let layers = [
        layer(
            JwtVerifier::builder(secret.verification_key()).without_audience().build().expect("a verifier"),
            At::seconds(NOW),
        ),
        layer(
            JwtVerifier::builder(rsa.verification_key()).without_audience().build().expect("a verifier"),
            At::seconds(NOW),
        ),
        layer(JwtVerifier::supertokens(rsa.verification_key()).build().expect("a verifier"), At::seconds(NOW)),
    ];
    for row in family("parser-seeds/gojose_fuzz_seeds") {
        for layer in &layers {
            let outcome = send_bearer(layer, row.text_of("token").as_bytes()).and_then(|answer| answer.outcome());
            let refused = matches!(outcome, Ok(Outcome::Refused(_)) | Err(_));
            count.check(&row.id, false, (!refused).then(|| format!("{outcome:?}")));
        }
    }
    // The control: the same layer takes a token of ours.
    let good = rsa.token(crate::mint::supertokens_header("d-1"), supertokens_claims("user-1", None, NOW, ""));
    let outcome = send_bearer(&layers[2], good.as_bytes()).and_then(|answer| answer.outcome());
    assert!(matches!(outcome, Ok(Outcome::Accepted(_))), "{outcome:?}");
    count.finish();
}
