//! The examples of RFC 7520, 8037 and 7797: known answers of every form that there is.

use serde_json::Value;
use tower_user_metadata::AuthErrorKind;
use tower_user_metadata::session::JwtVerifier;
use tower_user_metadata::session::keys::{Algorithm, InvalidKey, VerificationKey};

use crate::harness::{At, Count, Outcome, layer, send_bearer};
use crate::support::vectors::{Row, family};

/// The algorithms that the cookbook uses and this crate has.
const KNOWN: [Algorithm; 4] = [Algorithm::RS256, Algorithm::PS384, Algorithm::EdDSA, Algorithm::HS256];

#[test]
fn the_cookbook() {
    let mut count = Count::of("jose-cookbook");
    for row in family("jose-cookbook") {
        if row.id.starts_with("jwk/") {
            key_example(&mut count, &row);
        } else {
            signature_example(&mut count, &row);
        }
    }
    count.finish();
}

/// A key is taken if it is a public key or a secret of a known algorithm.
fn key_example(count: &mut Count, row: &Row) {
    let jwk = row.value();
    let loaded = KNOWN.iter().find_map(|algorithm| VerificationKey::from_jwk(*algorithm, jwk.to_string()).ok());
    let is_private = jwk["kty"] != "oct" && jwk.get("d").is_some();
    let usable = !is_private && jwk["crv"] != "P-521" && jwk["use"] != "enc";
    let fault = (loaded.is_some() != usable).then(|| format!("usable: {usable}, loaded: {}", loaded.is_some()));
    count.check(&row.id, usable, fault);
    if is_private {
        let refused = VerificationKey::from_jwk(Algorithm::RS256, jwk.to_string()).err();
        let fault = (refused != Some(InvalidKey::PrivateKey)).then(|| format!("{refused:?}"));
        count.check(&row.id, false, fault);
    }
}

fn signature_example(count: &mut Count, row: &Row) {
    let example = row.value();
    let output = &example["output"];
    for (form, token) in [
        ("compact", output["compact"].as_str().map(str::to_owned)),
        ("json", output.get("json").map(Value::to_string)),
        ("json_flat", output.get("json_flat").map(Value::to_string)),
    ] {
        let Some(token) = token else { continue };
        let id = format!("{} {form}", row.id);
        for (key, name) in keys(&example["input"]) {
            let Some(layer) = loaded(&key, &name) else {
                count.check(&id, false, (name != "ES512").then(|| format!("no key for {name}")));
                continue;
            };
            let outcome = send_bearer(&layer, token.as_bytes()).and_then(|answer| answer.outcome());
            // A right signature over what is no claims: as far as the claims, and no further.
            let signed = form == "compact" && example["signing"]["protected"].get("b64").is_none();
            let expected = if signed { AuthErrorKind::MalformedClaims } else { AuthErrorKind::MalformedToken };
            let fault = match outcome {
                Ok(Outcome::Refused(kind)) if kind == expected => None,
                // A space in the middle segment of b64=false is not even a bearer token.
                Ok(Outcome::Refused(AuthErrorKind::MalformedCredentials)) | Err(_) if !signed => None,
                outcome => Some(format!("{outcome:?}")),
            };
            count.check(&id, signed, fault);
        }
    }
}

/// The keys of an example with their algorithms; one, or a list of each.
fn keys(input: &Value) -> Vec<(Value, String)> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    let names = list(&input["alg"]).into_iter().map(|name| name.as_str().expect("a name").to_owned());
    list(&input["key"]).into_iter().zip(names).collect()
}

fn loaded(key: &Value, name: &str) -> Option<tower_user_metadata::UserMetadataLayer> {
    let algorithm: Algorithm = name.parse().ok()?;
    let mut public = key.clone();
    if public["kty"] != "oct" {
        let members = public.as_object_mut().expect("an object");
        ["d", "p", "q", "dp", "dq", "qi"].iter().for_each(|member| drop(members.remove(*member)));
    }
    let key = VerificationKey::from_jwk(algorithm, public.to_string());
    // The secret of RFC 7797 is that of RFC 7515; any other will do, since the token is refused before the signature.
    let key = key.unwrap_or_else(|_| {
        VerificationKey::from_secret(Algorithm::HS256, b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*").expect("a secret")
    });
    Some(layer(JwtVerifier::builder(key).without_audience().build().expect("a verifier"), At::seconds(1_800_000_000)))
}
