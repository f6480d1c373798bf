//! Attacks on tokens, each row with the verdict that its configuration must give.

use std::collections::HashMap;
use std::net::TcpListener;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tower_user_metadata::UserMetadataLayer;
use tower_user_metadata::session::JwtVerifier;
use tower_user_metadata::session::keys::{Algorithm, KeySet, VerificationKey};

use crate::harness::{At, Count, Outcome, layer, send_bearer};
use crate::mint::Signer;
use crate::support::vectors::{Row, family};

/// The keys beside the rows, and the layers that the rows name.
struct Keys {
    document: Value,
    layers: HashMap<String, UserMetadataLayer>,
}

impl Keys {
    fn beside(row: &Row) -> Self {
        let document = serde_json::from_str(&row.beside("jwt_attack_keys.json")).expect("JSON");
        Self { document, layers: HashMap::new() }
    }

    fn text(&self, path: &str) -> &str {
        self.document.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("no {path}"))
    }

    fn now(&self) -> At {
        At::seconds(self.document["now"].as_u64().expect("a time"))
    }

    fn pem(&self, algorithm: Algorithm, name: &str) -> VerificationKey {
        VerificationKey::from_pem(algorithm, self.text(&format!("/pem/{name}"))).expect("a sound key")
    }

    fn secret(&self) -> Vec<u8> {
        STANDARD.decode(self.text("/hs256_secret_b64")).expect("Base64")
    }

    fn single(&self, name: &str) -> VerificationKey {
        match name {
            "rs256-pem" => self.pem(Algorithm::RS256, name),
            "es256-pem" => self.pem(Algorithm::ES256, name),
            "eddsa-pem" => self.pem(Algorithm::EdDSA, name),
            "hs256-secret" => VerificationKey::from_secret(Algorithm::HS256, self.secret()).expect("a sound secret"),
            _ => panic!("no configuration {name}"),
        }
    }

    fn verifier(&self, config: &str) -> JwtVerifier {
        match config.split_once('+').unwrap_or((config, "")) {
            ("jwks", "") => {
                let allowed = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];
                let keys = KeySet::from_jwks(self.document["jwks"].to_string().as_bytes(), &allowed);
                JwtVerifier::builder(keys.expect("a key set")).without_audience().build().expect("a verifier")
            }
            ("supertokens-dynamic", "") => {
                let key = self.pem(Algorithm::RS256, "rs256-pem");
                let keys = ["d-1800000000000", "s-1"].map(|kid| key.clone().with_kid(kid));
                JwtVerifier::supertokens(KeySet::new(keys).expect("a key set")).build().expect("a verifier")
            }
            (name, "") => JwtVerifier::builder(self.single(name)).without_audience().build().expect("a verifier"),
            (name, "iss+aud") => JwtVerifier::builder(self.single(name))
                .with_issuer(self.text("/issuer"))
                .with_audience(self.text("/audience"))
                .build()
                .expect("a verifier"),
            _ => panic!("no configuration {config}"),
        }
    }

    fn layer(&mut self, config: &str) -> UserMetadataLayer {
        if let Some(layer) = self.layers.get(config) {
            return layer.clone();
        }
        let layer = layer(self.verifier(config), self.now());
        self.layers.insert(config.to_owned(), layer.clone());
        layer
    }

    /// A good token whose claims are padded by so many bytes.
    fn padded(&self, config: &str, bytes: usize) -> String {
        let private =
            |name: &str| STANDARD.decode(self.text(&format!("/private_pkcs8_der_b64/{name}"))).expect("Base64");
        let signer = match config {
            "rs256-pem" => Signer::rsa(&private("rs256")),
            "es256-pem" => Signer::p256(&private("es256")),
            "eddsa-pem" => Signer::ed25519(&private("eddsa")),
            "hs256-secret" => Signer::secret(&self.secret()),
            _ => panic!("no key to sign with for {config}"),
        };
        let now = self.document["now"].as_u64().expect("a time");
        let claims = serde_json::json!({ "sub": "user-1", "exp": now + 3_600, "pad": "x".repeat(bytes) });
        signer.token(format!(r#"{{"alg":"{}"}}"#, signer.alg()), claims.to_string())
    }
}

#[test]
fn every_attack_gets_its_verdict() {
    // Nothing in a token may make the verifier ask anybody for anything.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a socket");
    let port = listener.local_addr().expect("an address").port().to_string();

    let mut count = Count::of("attack");
    let mut folders = HashMap::<PathBuf, Keys>::new();
    for row in family("attack/jwt_attack") {
        let keys = folders.entry(row.folder.clone()).or_insert_with(|| Keys::beside(&row));
        let (config, expect) = (row.text_of("config"), row.text_of("expect"));
        let value = row.value();
        let token = match (value["token"].as_str(), value["token_b64"].as_str()) {
            (Some(token), None) => match token.strip_prefix("@repeat:") {
                Some(bytes) => keys.padded(&config, bytes.parse().expect("a number")).into_bytes(),
                None => token.replace("{PORT}", &port).into_bytes(),
            },
            (None, Some(token)) => STANDARD.decode(token).expect("Base64"),
            _ => panic!("row {} has no token", row.id),
        };
        match send_bearer(&keys.layer(&config), &token) {
            Ok(answer) => {
                let outcome = answer.outcome();
                if let Ok(Outcome::Accepted(session)) = &outcome {
                    check_user(&mut count, &row.id, &token, session.user_id().as_str());
                }
                count.judge(&row.id, &expect, outcome);
            }
            // HTTP itself refuses it, as every server does.
            Err(why) if expect.ends_with("accept") => count.wrong(&row.id, &why),
            Err(_) if expect == "reject" => count.refused(),
            Err(_) => count.policy(&row.id, "reject", "reject"),
        }
    }
    let visitor = listener.accept().map(|(_, address)| address);
    assert!(visitor.is_err(), "a token made the verifier connect: {visitor:?}");
    count.finish();
}

/// The user of an accepted token is the `sub` of the token, byte for byte.
fn check_user(count: &mut Count, id: &str, token: &[u8], user: &str) {
    let payload = token.split(|byte| *byte == b'.').nth(1).expect("a payload");
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).expect("base64url");
    let claims: Value = serde_json::from_slice(&payload).expect("JSON");
    if claims["sub"].as_str() != Some(user) {
        count.wrong(id, "the session is of another user than the token");
    }
}

/// HS256 keyed with an OpenSSH public key (GHSA-ffqj-6fqr-9h24): the key is refused wherever it is given.
#[test]
fn an_openssh_key_is_neither_a_public_key_nor_a_secret() {
    let mut count = Count::of("pyjwt_ghsa_ffqj");
    for row in family("attack/pyjwt_ghsa_ffqj") {
        let key = row.text_of("key");
        let taken = VerificationKey::from_pem(Algorithm::EdDSA, &key).is_ok()
            || VerificationKey::from_secret(Algorithm::HS256, &key).is_ok()
            || VerificationKey::from_weak_secret(Algorithm::HS256, &key).is_ok();
        count.check(&row.id, false, taken.then(|| "an OpenSSH key was taken".to_owned()));
    }
    count.finish();
}
