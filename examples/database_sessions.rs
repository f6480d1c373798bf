//! An application that has users and sessions already: opaque ids in a cookie, the sessions in a database, by
//! `tower-sessions`, with the users in them as `axum-login` writes them. Run it with
//!
//! ```sh
//! cargo run --example database_sessions --features _tower-sessions,axum,sqlite
//! ```
//!
//! | Request | Session | Answer |
//! |---|---|---|
//! | `POST /login` `{"userId":"alice"}` | begins one | 204; signs in whoever asks, for trying it on a machine of one's own |
//! | `POST /logout` | ends it | 204 |
//! | `POST /logout-everywhere` | of a user | 204; ends all sessions of this user |
//! | `POST /visit` | begins one, of nobody | `{"visits":1}` |
//! | `GET /` | if there is one | `{"hello":"alice"}` or `{"hello":"stranger"}` |
//! | `GET /userinfo` | of a user | the document |
//! | `POST /updateinfo`, a JSON object | of a user | `{"message":"successfully updated user metadata","metadata":{…}}` |
//! | `POST /clearinfo` | of a user | `{"success":true}` |
//!
//! `PORT` is 3000 by default, `DATABASE_URL` is `sqlite://user-metadata.db`, and the sessions are in the file `SESSIONS`,
//! `sessions.db` by default.

#[path = "app/error.rs"]
mod error;
#[path = "app/log.rs"]
mod log;
#[path = "app/sessions.rs"]
mod sessions;
#[path = "app/shutdown.rs"]
mod shutdown;

use std::net::Ipv4Addr;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use error::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sessions::SqliteSessions;
use shutdown::Shutdown;
use tower_sessions::cookie::time;
use tower_sessions::session::Id;
use tower_sessions::{ExpiredDeletion, Expiry, SessionManagerLayer, SessionStore};
use tower_user_metadata::session::{AuthErrorKind, TokenSource, TokenSources, Verdict, VerifyInput};
use tower_user_metadata::{
    AntiCsrf, AuthError, Metadata, MetadataUpdate, Session, SessionVerifier, StoreError, UserId, UserMetadataHandle,
    UserMetadataLayer, store,
};

const COOKIE: &str = "session";

/// How long a session lasts after the host has last changed something in it.
const LIFETIME: time::Duration = time::Duration::days(14);

/// Where `axum-login` keeps the user in the data of a session, unless it was told otherwise.
const USER: &str = "axum-login.data";

/// What `axum-login` keeps there; the id is of whatever type the application has for it.
#[derive(Deserialize, Serialize)]
struct SignedIn {
    user_id: Option<String>,
    auth_hash: Option<Vec<u8>>,
}

/// Looks a session up by the id in the cookie: the one thing that the application adds for this crate.
#[derive(Debug)]
struct DatabaseSessions(SqliteSessions);

impl SessionVerifier for DatabaseSessions {
    fn verify(&self, input: VerifyInput<'_>) -> Verdict {
        let Ok(id) = input.token.parse::<Id>() else {
            return Verdict::Ready(Err(AuthError::new(AuthErrorKind::MalformedToken)));
        };
        let database = self.0.clone();
        Verdict::Pending(Box::pin(async move {
            let record = database.load(&id).await.map_err(out_of_reach)?;
            let record = record.ok_or_else(|| AuthError::new(AuthErrorKind::UnknownSession))?;
            // A session that began with a visit, or with a form: nobody has signed in yet.
            let Some(value) = record.data.get(USER) else { return Ok(None) };
            let malformed = |_| AuthError::new(AuthErrorKind::MalformedClaims);
            let SignedIn { user_id, auth_hash } = SignedIn::deserialize(value).map_err(malformed)?;
            let Some(user) = user_id else { return Ok(None) };
            // As `axum-login` does it: another password ends the sessions that began with the old one.
            let expected = database.auth_hash(&user).await.map_err(out_of_reach)?;
            if expected.is_none() || auth_hash != expected {
                return Err(AuthError::new(AuthErrorKind::UnknownSession));
            }
            let user = UserId::new(user).map_err(|_| AuthError::new(AuthErrorKind::MalformedClaims))?;
            Ok(Some(Session::assertion(user, record.expiry_date.into()).build()))
        }))
    }

    fn max_token_bytes(&self) -> usize {
        22
    }
}

/// An outage is no logout: the client hears 503 and comes back, and the cause is in the log.
fn out_of_reach(error: tower_sessions::session_store::Error) -> AuthError {
    AuthError::new(AuthErrorKind::SessionsUnavailable).with_source(error).with_retry_after(Duration::from_secs(1))
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    log::start()?;
    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let port: u16 =
        port.parse().map_err(|_| Error::new(format!("PORT must be a number up to 65535, and is {port:?}")))?;
    let database_url = std::env::var("DATABASE_URL").unwrap_or_else(|_| "sqlite://user-metadata.db".to_owned());
    let sessions = SqliteSessions::open(std::env::var("SESSIONS").unwrap_or_else(|_| "sessions.db".to_owned()))?;
    sessions.delete_expired().await?;
    let store = store::connect(&database_url).await?;

    // The cookie is `SameSite=Strict`, the default of `tower-sessions`: no browser sends it with a request that another
    // site started, and no `GET` here changes anything. Pages below the same domain are trusted. Where they are not,
    // demand `ViaCustomHeader`.
    let cookie = TokenSource::cookie(COOKIE, AntiCsrf::NoneBecauseCookiesAreSameSite)?;
    let users = UserMetadataLayer::new(DatabaseSessions(sessions.clone()), store.clone())
        .with_token_sources(TokenSources::new([cookie]));
    let visitors = users.clone().with_optional_sessions();
    let manager = SessionManagerLayer::new(sessions.clone())
        .with_name(COOKIE)
        .with_expiry(Expiry::OnInactivity(LIFETIME))
        // This is plain HTTP on 127.0.0.1. Behind TLS leave it as it is by default.
        .with_secure(false);

    let users = Router::new()
        .route("/userinfo", get(user_info))
        .route("/updateinfo", post(update_info))
        .route("/clearinfo", post(clear_info))
        .route("/logout-everywhere", post(logout_everywhere))
        .route_layer(users);
    let visitors = Router::new().route("/", get(greet)).route_layer(visitors);
    let own = Router::new()
        .route("/login", post(login))
        .route("/logout", post(logout))
        .route("/visit", post(visit))
        .route_layer(manager);
    let router = users.merge(visitors).merge(own).with_state(sessions);

    let shutdown = Shutdown::on_signal()?;
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}, for example:\n");
    println!(
        "  curl -c cookies http://{address}/login -H 'Content-Type: application/json' -d '{{\"userId\":\"alice\"}}'"
    );
    println!(
        "  curl -b cookies http://{address}/updateinfo -H 'Content-Type: application/json' -d '{{\"theme\":\"dark\"}}'"
    );
    println!("  curl -b cookies http://{address}/userinfo");
    println!("  curl -b cookies http://{address}/logout -X POST\n");
    let server = axum::serve(listener, router).with_graceful_shutdown(shutdown.begun());
    shutdown.finish(server, &*store).await
}

#[derive(Deserialize)]
struct Login {
    #[serde(rename = "userId")]
    user_id: String,
}

async fn login(
    State(sessions): State<SqliteSessions>,
    session: tower_sessions::Session,
    Json(Login { user_id }): Json<Login>,
) -> Result<StatusCode, Unavailable> {
    if UserId::new(user_id.as_str()).is_err() {
        return Ok(StatusCode::BAD_REQUEST);
    }
    let auth_hash = sessions.sign_up(&user_id).await?;
    // Somebody else may know the id that the visitor had.
    session.cycle_id().await?;
    session.insert(USER, SignedIn { user_id: Some(user_id), auth_hash: Some(auth_hash) }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn logout(session: tower_sessions::Session) -> Result<StatusCode, Unavailable> {
    session.flush().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn logout_everywhere(
    State(sessions): State<SqliteSessions>,
    session: Session,
) -> Result<StatusCode, Unavailable> {
    sessions.end_all_sessions(session.user_id().as_str()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn visit(session: tower_sessions::Session) -> Result<Json<Value>, Unavailable> {
    let visits = session.get("visits").await?.unwrap_or(0_u64) + 1;
    session.insert("visits", visits).await?;
    Ok(Json(json!({ "visits": visits })))
}

async fn greet(session: Option<Session>) -> Json<Value> {
    Json(json!({ "hello": session.as_ref().map_or("stranger", |session| session.user_id().as_str()) }))
}

async fn user_info(metadata: UserMetadataHandle) -> Result<Json<Metadata>, StoreError> {
    Ok(Json(metadata.get().await?))
}

async fn update_info(metadata: UserMetadataHandle, update: MetadataUpdate) -> Result<Json<Value>, StoreError> {
    let metadata = metadata.update(update).await?.metadata;
    Ok(Json(json!({ "message": "successfully updated user metadata", "metadata": metadata })))
}

async fn clear_info(metadata: UserMetadataHandle) -> Result<Json<Value>, StoreError> {
    metadata.clear().await?;
    Ok(Json(json!({ "success": true })))
}

/// The sessions are out of reach, in a handler of the application itself.
struct Unavailable;

impl<E: std::error::Error> From<E> for Unavailable {
    fn from(error: E) -> Self {
        tracing::warn!(%error, "the sessions are out of reach");
        Self
    }
}

impl axum::response::IntoResponse for Unavailable {
    fn into_response(self) -> axum::response::Response {
        StatusCode::SERVICE_UNAVAILABLE.into_response()
    }
}
