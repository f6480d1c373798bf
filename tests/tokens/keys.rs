//! Keys in every form in which somebody may paste them: public ones are taken, all others refused when they are loaded.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tower_user_metadata::session::keys::{Algorithm, InvalidKey, KeySet, VerificationKey};

use crate::harness::Count;
use crate::support::vectors::family;

const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA];

/// How a key loads under any of the algorithms that its type could have.
fn load(text: &[u8]) -> Result<VerificationKey, InvalidKey> {
    let mut last = InvalidKey::Malformed;
    for algorithm in ALGORITHMS {
        let key = match text.trim_ascii_start().first() {
            Some(b'{') => VerificationKey::from_jwk(algorithm, text),
            _ => VerificationKey::from_pem(algorithm, text),
        };
        match key {
            Ok(key) => return Ok(key),
            Err(InvalidKey::WrongType) => {}
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// What PyJWT's files hold, by their content.
fn is_usable(text: &str) -> bool {
    match serde_json::from_str::<Value>(text) {
        Ok(jwk) => {
            let known = matches!(
                (jwk["kty"].as_str(), jwk["crv"].as_str()),
                (Some("RSA"), None) | (Some("EC"), Some("P-256" | "P-384")) | (Some("OKP"), Some("Ed25519"))
            );
            known && jwk.get("d").is_none()
        }
        Err(_) => text.trim_start().starts_with("-----BEGIN PUBLIC KEY") || text.starts_with("-----BEGIN RSA PUBLIC"),
    }
}

#[test]
fn only_public_keys_are_taken() {
    let mut count = Count::of("keys/pyjwt");
    for row in family("keys/pyjwt_keys") {
        let bytes = STANDARD.decode(row.text_of("b64")).expect("Base64");
        let text = String::from_utf8(bytes.clone()).expect("text");
        let set = serde_json::from_str::<Value>(&text).ok().filter(|document| document.get("keys").is_some());
        if let Some(set) = set {
            let usable = set["keys"].as_array().expect("keys").iter().filter(|key| key["alg"] == "RS256").count();
            let loaded = KeySet::from_jwks(&bytes, &ALGORITHMS).map_or(0, |keys| keys.len());
            let fault = (loaded != usable).then(|| format!("{usable} keys are usable, {loaded} were loaded"));
            count.check(&row.id, usable > 0, fault);
            continue;
        }
        let usable = is_usable(&text);
        let loaded = load(&bytes);
        let fault = match &loaded {
            Ok(_) if usable => None,
            Err(InvalidKey::PrivateKey) => {
                let private = text.contains("PRIVATE KEY") || text.contains("\"d\"");
                (!private || usable).then(|| "a public key was called private".to_owned())
            }
            Err(_) if !usable => None,
            _ => Some(format!("usable: {usable}, but {loaded:?}")),
        };
        count.check(&row.id, usable, fault);
        // And never as a secret.
        let secret = VerificationKey::from_secret(Algorithm::HS256, &bytes);
        count.check(&row.id, false, secret.is_ok().then(|| "taken as a secret".to_owned()));
    }
    count.finish();
}

#[test]
fn jwks_of_go_jose() {
    let mut count = Count::of("jwk/go-jose");
    for row in family("jwk/gojose_jwk") {
        // As upstream: the RFCs break long strings, which JSON does not.
        let jwk: String = row.text_of("jwk").chars().filter(|c| !c.is_whitespace()).collect();
        let loaded = load(jwk.as_bytes());
        let parsed: Value = serde_json::from_str(&jwk).expect("JSON");
        let outcome = match row.text_of("expect").as_str() {
            "parse" if parsed["crv"] == "P-521" || parsed["use"] == "enc" || parsed["kty"] == "oct" => {
                count.policy(&row.id, if loaded.is_ok() { "loaded" } else { "refused" }, "refused");
                continue;
            }
            // A private key is told from a malformed one, and its public half loads.
            "parse" if parsed.get("d").is_some() => {
                let public = load(without_private_members(parsed).as_bytes());
                loaded.as_ref().err() == Some(&InvalidKey::PrivateKey) && public.is_ok()
            }
            "parse" => loaded.is_ok(),
            "reject" => loaded.is_err(),
            "skip-key-without-failing-the-set" => {
                let good =
                    r#"{"kty":"OKP","crv":"Ed25519","kid":"good","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
                let set = KeySet::from_jwks(format!(r#"{{"keys":[{jwk},{good}]}}"#).as_bytes(), &ALGORITHMS);
                set.is_ok_and(|set| set.len() == 1 && set.skipped().len() == 1 && set.skipped()[0].index == 0)
            }
            other => panic!("what is {other}?"),
        };
        count.check(&row.id, row.text_of("expect") == "parse", (!outcome).then(|| format!("{loaded:?}")));
    }
    count.finish();
}

fn without_private_members(mut jwk: Value) -> String {
    let members = jwk.as_object_mut().expect("an object");
    ["d", "p", "q", "dp", "dq", "qi"].iter().for_each(|member| drop(members.remove(*member)));
    jwk.to_string()
}

#[test]
fn secrets_of_a_published_list_are_mostly_refused() {
    let mut short = 0_usize;
    let mut weak = 0_usize;
    let mut taken = 0_usize;
    for row in family("weak-secrets/jwt_secrets_sample") {
        let secret = row.text.as_bytes();
        match VerificationKey::from_secret(Algorithm::HS256, secret) {
            Err(InvalidKey::SecretTooShort) if secret.len() < 32 => short += 1,
            Err(InvalidKey::SecretTooShort | InvalidKey::SecretWeak) if secret.len() >= 32 => weak += 1,
            Ok(_) if secret.len() >= 32 => taken += 1,
            other => panic!("a secret of {} bytes: {other:?}", secret.len()),
        }
    }
    if short + weak + taken == 0 {
        return;
    }
    crate::support::vectors::say(&format!(
        "vectors: weak-secrets: {} rows, {short} refused as too short, {weak} of the others refused by rule, {taken} taken \
         that look random",
        short + weak + taken
    ));
    // No rule tells a random secret that was published from one that was not.
    assert!(3 * taken <= 2 * (weak + taken), "{taken} of {} long secrets were taken", weak + taken);
}
