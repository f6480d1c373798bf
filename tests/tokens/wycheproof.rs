//! The JWS and JWK rows of Project Wycheproof.
//!
//! Their payloads are no claims, so the layer refuses every row; what tells a right signature from a wrong one is that
//! only the first comes as far as the claims.

use serde_json::Value;
use tower_user_metadata::AuthErrorKind;
use tower_user_metadata::session::JwtVerifier;
use tower_user_metadata::session::keys::{Algorithm, InvalidKey, KeySet, VerificationKey};

use crate::harness::{At, Count, Outcome, layer, send_bearer};
use crate::support::vectors::{family, say};

const ALL: [Algorithm; 12] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
    Algorithm::HS256,
    Algorithm::HS384,
    Algorithm::HS512,
];

/// A row where the corpus and this crate differ by design, told by a rule and not by its number.
fn unsupported(group: &Value, test: &Value) -> Option<&'static str> {
    let (key, jws) = (public(group), test["jws"].as_str().unwrap_or_default());
    let header = crate::json::decoded(jws.split('.').next().unwrap_or_default());
    let header: Value = serde_json::from_slice(&header).unwrap_or_default();
    if key["crv"] == "P-521" {
        Some("P-521")
    } else if header["alg"].is_string() && key["alg"].is_string() && header["alg"] != key["alg"] {
        // RFC 7517 section 4.4: `alg` names the algorithm that the key is meant for.
        Some("the key names another algorithm")
    } else if jws.split('.').nth(1) == Some("") {
        Some("an empty payload")
    } else if matches!(
        VerificationKey::from_jwk(Algorithm::HS256, key.to_string()),
        Err(InvalidKey::SecretWeak | InvalidKey::SecretEmpty)
    ) {
        Some("a secret that anybody can guess")
    } else {
        None
    }
}

fn public(group: &Value) -> &Value {
    group.get("public").unwrap_or(&group["private"])
}

fn run(name: &str, key: impl Fn(&Value) -> Result<KeySet, InvalidKey>) {
    let mut count = Count::of(name);
    let mut left_out = Vec::new();
    for file in family(name) {
        let groups = file.value();
        for group in groups["testGroups"].as_array().expect("groups") {
            let verifier =
                key(public(group)).map(|key| JwtVerifier::builder(key).without_audience().build().expect("a verifier"));
            for test in group["tests"].as_array().expect("tests") {
                let id = format!("{} {}", test["tcId"], test["comment"]);
                let jws = test["jws"].as_str().map_or_else(|| test["jws"].to_string(), str::to_owned);
                let outcome = match &verifier {
                    Ok(verifier) => {
                        let layer = layer(verifier.clone(), At::seconds(1_800_000_000));
                        send_bearer(&layer, jws.as_bytes()).and_then(|answer| answer.outcome())
                    }
                    Err(_) => Ok(Outcome::Refused(AuthErrorKind::UnknownKey)),
                };
                let signed = matches!(outcome, Ok(Outcome::Refused(AuthErrorKind::MalformedClaims)));
                let refused = matches!(outcome, Ok(Outcome::Refused(_)) | Err(_));
                match test["result"].as_str().expect("a result") {
                    "valid" if signed => count.accepted(),
                    "invalid" if refused && !signed => count.refused(),
                    result => match unsupported(group, test) {
                        Some(why) if result == "valid" && refused => left_out.push(format!("  {id}: {why}")),
                        _ => count.wrong(&id, &format!("{result}, but {outcome:?}")),
                    },
                }
            }
        }
    }
    if !left_out.is_empty() {
        let lines = left_out.join("\n");
        say(&format!("vectors: {name}: {} valid rows of what is not supported\n{lines}", left_out.len()));
    }
    count.finish();
}

#[test]
fn jws() {
    run("wycheproof/json_web_signature_test", |jwk| {
        let jwk = jwk.to_string();
        // As a developer who gives the algorithm that the key is for.
        let key = ALL.iter().find_map(|algorithm| VerificationKey::from_jwk(*algorithm, &jwk).ok());
        key.map(KeySet::from).ok_or(InvalidKey::Malformed)
    });
}

#[test]
fn jwk() {
    run("wycheproof/json_web_key_test", |jwks| {
        KeySet::from_jwks(jwks.to_string().as_bytes(), &ALL).map_err(|_| InvalidKey::NoUsableKey)
    });
}
