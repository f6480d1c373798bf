use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::{ErrorInternalServerError, InternalError};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, FromRequest, HttpMessage, HttpResponse, http::header::LOCATION};
use argon2::password_hash::SaltString;
use argon2::password_hash::rand_core::OsRng;
use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};
use sqlx::SqlitePool;
use tower_user_metadata::{MetadataStore, UserMetadataHandle};
use uuid::Uuid;

use crate::service::Outcome;
use crate::session_state::TypedSession;

/// Who is signed in, for the handlers behind [`reject_anonymous_users`].
#[derive(Clone, Copy)]
pub(crate) struct UserId(pub(crate) Uuid);

/// Sends strangers to the login.
pub(crate) async fn reject_anonymous_users(
    mut request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let (http, payload) = request.parts_mut();
    let session = TypedSession::from_request(http, payload).await?;
    let Some(user) = session.user().map_err(ErrorInternalServerError)? else {
        return Err(InternalError::from_response("nobody is signed in", see_other("/login")).into());
    };
    request.extensions_mut().insert(UserId(user));
    let store =
        request.app_data::<Data<dyn MetadataStore>>().cloned().ok_or_else(|| ErrorInternalServerError("no store"))?;
    let id = tower_user_metadata::UserId::new(user.to_string()).map_err(ErrorInternalServerError)?;
    request.extensions_mut().insert(UserMetadataHandle::for_user(id, store.into_inner()));
    next.call(request).await
}

pub(crate) fn see_other(location: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, location)).finish()
}

/// The user, if name and password are right.
pub(crate) async fn check(database: &SqlitePool, username: &str, password: String) -> Outcome<Option<Uuid>> {
    let user: Option<(Uuid, String)> = sqlx::query_as("SELECT user_id, password_hash FROM users WHERE username = ?")
        .bind(username)
        .fetch_optional(database)
        .await?;
    let Some((user, hash)) = user else { return Ok(None) };
    let right = actix_web::web::block(move || {
        PasswordHash::new(&hash).and_then(|hash| Argon2::default().verify_password(password.as_bytes(), &hash)).is_ok()
    });
    Ok(right.await?.then_some(user))
}

pub(crate) async fn add_user(database: &SqlitePool, username: &str, password: &str) -> Outcome {
    sqlx::query("INSERT INTO users (user_id, username, password_hash) VALUES (?, ?, ?)")
        .bind(Uuid::new_v4())
        .bind(username)
        .bind(hash(password)?)
        .execute(database)
        .await?;
    Ok(())
}

pub(crate) async fn set_password(database: &SqlitePool, user: Uuid, password: &str) -> Outcome {
    sqlx::query("UPDATE users SET password_hash = ? WHERE user_id = ?")
        .bind(hash(password)?)
        .bind(user)
        .execute(database)
        .await?;
    Ok(())
}

fn hash(password: &str) -> Outcome<String> {
    let salt = SaltString::generate(&mut OsRng);
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt).map_err(|error| error.to_string())?;
    Ok(hash.to_string())
}
