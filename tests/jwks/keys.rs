//! Keys of a key server, tokens under them, and the verdict on a token.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize, PublicKey};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaPublicKeyComponents};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tower_user_metadata::session::keys::Jwks;
use tower_user_metadata::session::{AuthErrorKind, JwtVerifier, SessionVerifier, Verdict, VerifyInput};

/// The time that counts as now, in each test.
pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

pub(crate) struct RsaKey(RsaKeyPair);

/// The key that vectors call `{N}`, and the one that they call `{M}`.
pub(crate) static N: LazyLock<RsaKey> = LazyLock::new(RsaKey::generate);
pub(crate) static M: LazyLock<RsaKey> = LazyLock::new(RsaKey::generate);

impl RsaKey {
    fn generate() -> Self {
        Self(RsaKeyPair::generate(KeySize::Rsa2048).expect("an RSA key"))
    }

    pub(crate) fn modulus(&self) -> String {
        let public: &PublicKey = self.0.public_key();
        URL_SAFE_NO_PAD.encode(RsaPublicKeyComponents::<Vec<u8>>::from(public).n)
    }

    pub(crate) fn jwk(&self, kid: &str) -> String {
        format!(r#"{{"kty":"RSA","kid":"{kid}","alg":"RS256","use":"sig","n":"{}","e":"AQAB"}}"#, self.modulus())
    }

    pub(crate) fn token(&self, kid: &str) -> String {
        token("RS256", kid, |message| {
            let mut signature = vec![0; self.0.public_modulus_len()];
            self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).expect("a signature");
            signature
        })
    }
}

/// A key that costs nothing to make.
pub(crate) struct Key {
    kid: String,
    pair: Ed25519KeyPair,
}

impl Key {
    pub(crate) fn new(kid: impl Into<String>) -> Self {
        Self { kid: kid.into(), pair: Ed25519KeyPair::generate().expect("a key") }
    }

    pub(crate) fn jwk(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key());
        format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"{}","x":"{x}"}}"#, self.kid)
    }

    pub(crate) fn token(&self) -> String {
        self.token_as(&self.kid)
    }

    /// A token that names another key.
    pub(crate) fn token_as(&self, kid: &str) -> String {
        token("EdDSA", kid, |message| self.pair.sign(message).as_ref().to_vec())
    }
}

fn token(algorithm: &str, kid: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{algorithm}","typ":"JWT","kid":"{kid}"}}"#));
    let claims = URL_SAFE_NO_PAD.encode(r#"{"sub":"alice","iat":1799999000,"exp":1800003600}"#);
    let message = format!("{header}.{claims}");
    let signature = URL_SAFE_NO_PAD.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

pub(crate) fn set<'a>(keys: impl IntoIterator<Item = &'a Key>) -> String {
    let keys: Vec<_> = keys.into_iter().map(Key::jwk).collect();
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

pub(crate) fn verifier(keys: &Jwks) -> JwtVerifier {
    JwtVerifier::builder(keys.clone()).without_audience().build().expect("a verifier")
}

/// The verdict, and whether it was there without waiting.
pub(crate) struct Judged {
    pub(crate) at_once: bool,
    pub(crate) result: Result<(), AuthErrorKind>,
}

pub(crate) async fn judge(verifier: &JwtVerifier, token: &str) -> Judged {
    let (at_once, result) = match verifier.verify(VerifyInput::new(token, now())) {
        Verdict::Ready(result) => (true, result),
        Verdict::Pending(result) => (false, result.await),
    };
    Judged { at_once, result: result.map(drop).map_err(|error| error.kind()) }
}

pub(crate) async fn verify(verifier: &JwtVerifier, token: &str) -> Result<(), AuthErrorKind> {
    judge(verifier, token).await.result
}

/// The verdict of a verifier that must not wait.
#[track_caller]
pub(crate) fn verify_at_once(verifier: &JwtVerifier, token: &str) -> Result<(), AuthErrorKind> {
    match verifier.verify(VerifyInput::new(token, now())) {
        Verdict::Ready(result) => result.map(drop).map_err(|error| error.kind()),
        Verdict::Pending(_) => panic!("the verdict has to be waited for"),
    }
}
