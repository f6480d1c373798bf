use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{EncodingKey, Header};
use serde::{Deserialize, Serialize};
use tower_user_metadata::UserId;
use tower_user_metadata::session::JwtVerifier;
use tower_user_metadata::session::keys::{Algorithm, VerificationKey};

use super::{Error, Reply};

/// How long a token of the development login is good.
const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// For whom tokens are. The secret signs nothing else here; in a service that signs invitations with it as well, this is
/// what keeps them from being sessions.
const AUDIENCE: &str = "user-metadata-example";

/// Far more than a login needs.
const MAX_BYTES: usize = 64 * 1024;

/// Signs in whoever asks, as whomever they like: for trying the examples on a machine of one's own.
#[derive(Clone)]
pub(crate) struct DevelopmentLogin {
    key: EncodingKey,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    #[serde(rename = "userId")]
    user_id: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
}

#[derive(Serialize)]
struct LoggedIn {
    #[serde(rename = "accessToken")]
    access_token: String,
}

impl DevelopmentLogin {
    /// A login with a secret of its own, and the verifier for it. Tokens do not outlive the process.
    pub(crate) fn new() -> Result<(Self, JwtVerifier), Error> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        let key = VerificationKey::from_secret(Algorithm::HS256, secret)?;
        let verifier = JwtVerifier::builder(key).with_audience(AUDIENCE).build()?;
        Ok((Self { key: EncodingKey::from_secret(&secret)? }, verifier))
    }

    pub(crate) fn answer(&self, body: &[u8]) -> Reply {
        // Frameworks differ in how much they read.
        let body = if body.len() > MAX_BYTES { b"" } else { body };
        let Ok(Request { user_id }) = serde_json::from_slice(body) else {
            return Reply::message(400, r#"the body must be {"userId":"…"}"#);
        };
        match UserId::new(user_id) {
            Ok(user) => match self.token(&user) {
                Ok(access_token) => Reply::json(200, &LoggedIn { access_token }),
                Err(_) => Reply::message(500, "internal error"),
            },
            Err(error) => Reply::message(400, &error.to_string()),
        }
    }

    fn token(&self, user: &UserId) -> Result<String, Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let claims = Claims { sub: user.as_str(), aud: AUDIENCE, iat: now.as_secs(), exp: (now + LIFETIME).as_secs() };
        Ok(jsonwebtoken::encode(&Header::default(), &claims, &self.key)?)
    }
}
