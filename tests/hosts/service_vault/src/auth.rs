use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use rocket::State;
use rocket::http::Status;
use rocket::outcome::try_outcome;
use rocket::request::{FromRequest, Outcome, Request};
use serde::{Deserialize, Serialize};
use tower_user_metadata::adapter::rocket::put_user_metadata;
use tower_user_metadata::{MetadataStore, UserId, UserMetadataHandle};

use crate::db::{Database, User};

const TWO_HOURS: Duration = Duration::from_secs(2 * 60 * 60);

static PRIVATE_KEY: LazyLock<EncodingKey> =
    LazyLock::new(|| EncodingKey::from_rsa_pem(include_bytes!("rsa_key.pem")).expect("a key"));
static PUBLIC_KEY: LazyLock<DecodingKey> =
    LazyLock::new(|| DecodingKey::from_rsa_pem(include_bytes!("rsa_key.pub.pem")).expect("a key"));

/// What a token is for. All kinds are signed by one key, and differ in their issuer.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Login,
    Invite,
    Delete,
}

impl Kind {
    fn issuer(self) -> &'static str {
        match self {
            Self::Login => "https://vault.example.com|login",
            Self::Invite => "https://vault.example.com|invite",
            Self::Delete => "https://vault.example.com|delete",
        }
    }
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Claims {
    nbf: u64,
    exp: u64,
    iss: String,
    pub(crate) sub: String,
    pub(crate) email: String,
    sstamp: String,
}

pub(crate) fn token(kind: Kind, user: &User) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
    let claims = Claims {
        nbf: now,
        exp: now + TWO_HOURS.as_secs(),
        iss: kind.issuer().to_owned(),
        sub: user.uuid.clone(),
        email: user.email.clone(),
        sstamp: user.security_stamp.clone(),
    };
    encode(&Header::new(Algorithm::RS256), &claims, &PRIVATE_KEY).expect("claims can be written")
}

pub(crate) fn claims(kind: Kind, token: &str) -> Option<Claims> {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.leeway = 30;
    validation.validate_nbf = true;
    validation.set_issuer(&[kind.issuer()]);
    Some(decode(token, &PUBLIC_KEY, &validation).ok()?.claims)
}

/// Who is signed in: the token is good, the user exists, and nothing has ended the session since.
pub(crate) struct Headers {
    pub(crate) user: User,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Headers {
    type Error = &'static str;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        let refuse = |reason| Outcome::Error((Status::Unauthorized, reason));
        let header = request.headers().get_one("Authorization");
        let Some(token) = header.and_then(|header| header.strip_prefix("Bearer ")) else {
            return refuse("no access token");
        };
        let Some(claims) = claims(Kind::Login, token) else { return refuse("an invalid token") };
        let database =
            try_outcome!(request.guard::<&State<Database>>().await.map_error(|(status, ())| (status, "no database")));
        match database.user(claims.sub).await {
            Some(user) if user.security_stamp == claims.sstamp => {
                let store: &State<Arc<dyn MetadataStore>> =
                    try_outcome!(request.guard().await.map_error(|(status, ())| (status, "no store")));
                let Ok(id) = UserId::new(user.uuid.clone()) else { return refuse("no user id") };
                put_user_metadata(request, Some(UserMetadataHandle::for_user(id, Arc::clone(store))));
                Outcome::Success(Self { user })
            }
            Some(_) => refuse("a security stamp of the past"),
            None => refuse("no such user"),
        }
    }
}
