//! Access tokens that a running SuperTokens core minted: each must give exactly the session that it names.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderValue, Method, Request};
use serde_json::{Value, json};
use tower_user_metadata::session::JwtVerifier;
use tower_user_metadata::session::TokenSources;
use tower_user_metadata::session::keys::{Algorithm, KeySet};
use tower_user_metadata::{AntiCsrf, AuthErrorKind, Session, UserMetadataLayer};

use crate::harness::{At, Count, Outcome, layer, send, send_bearer};
use crate::support::vectors::{Row, family};

#[test]
fn every_token_of_a_core_gives_its_session() {
    let mut count = Count::of("supertokens-tokens, each at its times and places");
    let mut jwks = BTreeMap::<PathBuf, String>::new();
    for row in family("supertokens-tokens/tokens") {
        let jwks = jwks.entry(row.folder.clone()).or_insert_with(|| row.beside("jwks.json"));
        let value = row.value();
        for check in value["checks"].as_array().expect("checks") {
            let now = At::seconds(check["now"].as_u64().expect("a time"));
            let layer = layer(verifier(jwks, &value["dynamic"]), now);
            let expect = check["expect"].as_str().expect("a verdict");
            for (way, outcome) in outcomes(&layer, &row) {
                let fault = fault(&value, expect, outcome);
                count.check(&format!("{} {way}", row.id), expect == "accept", fault);
            }
        }
        refuses_the_other_kind_of_key(&mut count, jwks, &row);
    }
    count.finish();
}

/// The verifier of a service whose core signs with dynamic keys, unless the row says that it does not.
fn verifier(jwks: &str, dynamic: &Value) -> JwtVerifier {
    let keys = KeySet::from_jwks(jwks.as_bytes(), &[Algorithm::RS256]).expect("a key set");
    let verifier = JwtVerifier::supertokens(keys);
    let verifier = if *dynamic == Value::Bool(false) { verifier.with_static_signing_key() } else { verifier };
    verifier.build().expect("a verifier")
}

/// The same token in every place where clients send it.
fn outcomes(layer: &UserMetadataLayer, row: &Row) -> Vec<(&'static str, Result<Outcome, String>)> {
    let token = row.text_of("token");
    let bearer = send_bearer(layer, token.as_bytes()).and_then(|answer| answer.outcome());
    let cookie = format!("a=1; sAccessToken={}; b=2", encode_uri_component(&token));
    let with_cookie = |method: Method, proof: Option<(&'static str, &str)>| {
        let mut request = Request::builder().method(method).header("cookie", &cookie).body(()).expect("a request");
        if let Some((name, value)) = proof {
            request.headers_mut().insert(name, HeaderValue::from_str(value).expect("a value"));
        }
        request
    };
    let by_cookie = send(layer, with_cookie(Method::POST, Some(("rid", "session")))).outcome();

    let by_token = layer.clone().with_token_sources(TokenSources::supertokens(AntiCsrf::ViaToken));
    let get = send(&by_token, with_cookie(Method::GET, None)).outcome();
    let csrf = row.value()["claims"]["antiCsrfToken"].as_str().map(str::to_owned);
    let proof = csrf.as_deref().unwrap_or("anything");
    let post = send(&by_token, with_cookie(Method::POST, Some(("anti-csrf", proof))));
    let post = match (&csrf, post.outcome()) {
        // Without a token of that kind nothing proves anything; told apart from an expired session by its kind.
        (None, Ok(Outcome::Refused(AuthErrorKind::AntiCsrf))) => get.clone(),
        (None, Ok(Outcome::Accepted(_))) => Err("a POST without a proof was accepted".to_owned()),
        (_, outcome) => outcome,
    };
    vec![("bearer", bearer), ("cookie", by_cookie), ("cookie GET", get), ("cookie VIA_TOKEN", post)]
}

/// As JavaScript does it.
fn encode_uri_component(text: &str) -> String {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte);
    text.bytes()
        .map(|byte| if unreserved(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn fault(row: &Value, expect: &str, outcome: Result<Outcome, String>) -> Option<String> {
    match (expect, outcome) {
        ("accept", Ok(Outcome::Accepted(session))) => {
            let told = told(&session);
            (told != expected(row)).then(|| format!("{told} instead of {}", expected(row)))
        }
        ("reject:expired", Ok(Outcome::Refused(AuthErrorKind::Expired))) => None,
        (_, outcome) => Some(format!("{expect} expected, but {outcome:?}")),
    }
}

fn told(session: &Session) -> Value {
    let millis = |time: std::time::SystemTime| {
        let since: Duration = time.duration_since(UNIX_EPOCH).expect("after 1970");
        Value::from(u64::try_from(since.as_millis()).expect("in range"))
    };
    let custom = session.custom_claims();
    let custom = custom.map(|(name, value)| (name.to_owned(), serde_json::from_str::<Value>(value).expect("JSON")));
    json!({
        "user_id": session.user_id().as_str(),
        "recipe_user_id": session.recipe_user_id().as_str(),
        "tenant_id": session.tenant_id(),
        "session_handle": session.handle(),
        "created_ms": session.issued_at().map(millis),
        "expiry_ms": millis(session.expires_at()),
        "user_data_in_jwt": Value::Object(custom.collect()),
    })
}

fn expected(row: &Value) -> Value {
    let mut expected = row["expect"].clone();
    // Whether a refresh came before is for services with a core behind them.
    expected.as_object_mut().expect("an object").remove("has_parent");
    expected
}

/// A right signature with a key of the other kind is no session. Tokens of version 2 name no key.
fn refuses_the_other_kind_of_key(count: &mut Count, jwks: &str, row: &Row) {
    let value = row.value();
    let Some(dynamic) = value["dynamic"].as_bool() else { return };
    let now = At::seconds(value["checks"][0]["now"].as_u64().expect("a time"));
    let layer = layer(verifier(jwks, &Value::Bool(!dynamic)), now);
    let outcome = send_bearer(&layer, row.text_of("token").as_bytes()).and_then(|answer| answer.outcome());
    let refused = matches!(outcome, Ok(Outcome::Refused(AuthErrorKind::UnknownKey)));
    count.check(&row.id, false, (!refused).then(|| format!("other kind of key: {outcome:?}")));
}
