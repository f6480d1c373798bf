//! One user, one key, and all that nobody else should know of them.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use tower_user_metadata::session::JwtVerifier;
use tower_user_metadata::session::keys::{Algorithm, VerificationKey};

pub(crate) struct World {
    pub(crate) user: String,
    pub(crate) tenant: String,
    pub(crate) handle: String,
    pub(crate) csrf: String,
    pub(crate) claim: String,
    pub(crate) value: String,
    pub(crate) secret: String,
    pub(crate) kid: String,
    key: RsaKeyPair,
    /// In seconds since 1970; kept, so that a token is the same each time.
    began: i64,
}

pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// Letters that stand nowhere else.
fn random(prefix: &str) -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("randomness");
    prefix.chars().chain(bytes.iter().map(|byte| char::from(b'A' + byte % 26))).collect()
}

impl World {
    pub(crate) fn new() -> Self {
        let since = now().duration_since(UNIX_EPOCH).expect("after 1970");
        Self {
            began: i64::try_from(since.as_secs()).expect("in range"),
            user: random("user"),
            tenant: random("tenant"),
            handle: random("handle"),
            csrf: random("csrf"),
            claim: random("claim"),
            value: random("value"),
            secret: random(""),
            kid: format!("d-{}", random("kid")),
            key: RsaKeyPair::generate(KeySize::Rsa2048).expect("randomness"),
        }
    }

    /// Everything that must not be printed, by name. Both encodings, since a token is made of the second.
    pub(crate) fn secrets(&self) -> Vec<(&'static str, String)> {
        let mut secrets = vec![
            ("the user id", self.user.clone()),
            ("the tenant", self.tenant.clone()),
            ("the session handle", self.handle.clone()),
            ("the anti-CSRF token", self.csrf.clone()),
            ("a claim", self.claim.clone()),
            ("metadata", self.value.clone()),
            ("the secret", self.secret.clone()),
            ("the secret", self.secret_base64()),
            ("the kid", self.kid.clone()),
        ];
        secrets.extend(self.tokens().into_iter().filter(|token| token.len() > 100).map(|token| ("a token", token)));
        secrets
    }

    pub(crate) fn secret_base64(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.secret)
    }

    pub(crate) fn verifier(&self) -> JwtVerifier {
        let der: PublicKeyX509Der<'_> = self.key.public_key().as_der().expect("an SPKI");
        let pem = pem::encode(&pem::Pem::new("PUBLIC KEY", der.as_ref().to_vec()));
        let key = VerificationKey::from_pem(Algorithm::RS256, pem).expect("a key").with_kid(self.kid.as_str());
        JwtVerifier::supertokens(key).build().expect("a verifier")
    }

    fn claims(&self, lifetime: i64) -> serde_json::Value {
        let now = self.began;
        json!({
            "sub": self.user, "rsub": self.user, "tId": self.tenant, "iat": now, "exp": now + lifetime,
            "sessionHandle": self.handle, "refreshTokenHash1": self.claim, "parentRefreshTokenHash1": null,
            "antiCsrfToken": self.csrf, "secretClaim": { "v": self.claim, "t": 1 }, "roles": { "v": [self.claim], "t": 1 },
        })
    }

    fn sign(&self, engine: &impl Engine, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", engine.encode(header), engine.encode(payload));
        let mut signature = vec![0; self.key.public_modulus_len()];
        let signing = self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature);
        signing.expect("a signature");
        format!("{signed}.{}", engine.encode(signature))
    }

    /// A good token first, then bad ones of all kinds.
    pub(crate) fn tokens(&self) -> Vec<String> {
        let token = |kid: &str, version: &str, claims: serde_json::Value| {
            let header = json!({ "alg": "RS256", "typ": "JWT", "version": version, "kid": kid }).to_string();
            self.sign(&URL_SAFE_NO_PAD, &header, &claims.to_string())
        };
        let good = token(&self.kid, "5", self.claims(3_600));
        let (signed, signature) = good.rsplit_once('.').expect("three parts");
        let changed = |name: &str, value: serde_json::Value| {
            let mut claims = self.claims(3_600);
            claims[name] = value;
            token(&self.kid, "5", claims)
        };
        let milliseconds = 4_000_000_000_000_u64;
        let legacy = json!({
            "userId": self.user, "sessionHandle": self.handle, "refreshTokenHash1": self.claim, "antiCsrfToken": self.csrf,
            "expiryTime": milliseconds, "timeCreated": 1, "userData": { "secretClaim": self.claim },
        });
        vec![
            good.clone(),
            token(&self.kid, "5", self.claims(-3_600)),
            token(&self.claim, "5", self.claims(3_600)),
            token(&self.kid, &self.claim, self.claims(3_600)),
            token(&self.kid, "5", json!([self.claim])),
            token(&self.kid, "5", json!({ "sub": self.user })),
            changed("sub", json!({ "id": self.user })),
            changed("sub", json!(format!("{}\n", self.user))),
            changed("tId", json!([self.tenant])),
            changed("antiCsrfToken", json!([self.csrf])),
            changed("exp", json!(self.claim)),
            changed("nbf", json!(self.claim)),
            changed("stt", json!(self.claim)),
            self.sign(&STANDARD, r#"{"alg":"RS256","typ":"JWT","version":"2"}"#, &legacy.to_string()),
            self.sign(
                &STANDARD,
                r#"{"alg":"RS256","typ":"JWT","version":"2"}"#,
                &json!({ "userId": self.user }).to_string(),
            ),
            self.sign(&URL_SAFE_NO_PAD, &format!(r#"{{"alg":"{}"}}"#, self.claim), "{}"),
            self.sign(&URL_SAFE_NO_PAD, &format!(r#"{{"alg":"RS256","crit":["{}"]}}"#, self.claim), "{}"),
            self.sign(&URL_SAFE_NO_PAD, &format!(r#"{{"alg":"RS256""{}"}}"#, self.claim), "{}"),
            format!("{signed}.{}", signature.chars().rev().collect::<String>()),
            format!("{signed}."),
            format!("{good}.{good}"),
            format!("{good}="),
            self.claim.clone(),
            self.user.clone(),
            good.repeat(30),
        ]
    }
}
