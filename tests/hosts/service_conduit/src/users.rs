use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{Error as HashError, SaltString};
use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use crate::Context;
use crate::error::Error;
use crate::extractor::AuthUser;

pub(crate) fn router() -> Router {
    Router::new()
        .route("/api/users", post(create))
        .route("/api/users/login", post(login))
        .route("/api/user", get(current).put(update))
}

/// Every body of these routes has this around it.
#[derive(Deserialize, Serialize)]
struct Body<T> {
    user: T,
}

#[derive(Deserialize)]
struct NewUser {
    username: String,
    email: String,
    password: String,
}

#[derive(Deserialize)]
struct Login {
    email: String,
    password: String,
}

#[derive(Deserialize)]
struct Update {
    bio: Option<String>,
    email: Option<String>,
}

#[derive(Serialize)]
struct User {
    email: String,
    token: String,
    username: String,
    bio: String,
}

struct Row {
    user_id: Uuid,
    email: String,
    username: String,
    bio: String,
    password_hash: String,
}

impl FromRow<'_, SqliteRow> for Row {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            user_id: row.try_get("user_id")?,
            email: row.try_get("email")?,
            username: row.try_get("username")?,
            bio: row.try_get("bio")?,
            password_hash: row.try_get("password_hash")?,
        })
    }
}

impl Row {
    fn answer(self, context: &Context) -> Result<Json<Body<User>>, Error> {
        let token = AuthUser { user_id: self.user_id }.token(context)?;
        Ok(Json(Body { user: User { email: self.email, token, username: self.username, bio: self.bio } }))
    }
}

async fn create(
    Extension(context): Extension<Context>,
    Json(Body { user }): Json<Body<NewUser>>,
) -> Result<Json<Body<User>>, Error> {
    let insert = "INSERT INTO user (user_id, username, email, password_hash) VALUES (?, ?, ?, ?) RETURNING *";
    let row: Row = sqlx::query_as(insert)
        .bind(Uuid::new_v4())
        .bind(user.username)
        .bind(user.email)
        .bind(hash(user.password).await?)
        .fetch_one(&context.database)
        .await
        .map_err(taken)?;
    row.answer(&context)
}

async fn login(
    Extension(context): Extension<Context>,
    Json(Body { user }): Json<Body<Login>>,
) -> Result<Json<Body<User>>, Error> {
    let row: Option<Row> =
        sqlx::query_as("SELECT * FROM user WHERE email = ?").bind(user.email).fetch_optional(&context.database).await?;
    let row = row.ok_or(Error::Unprocessable("email", "does not exist"))?;
    verify(user.password, row.password_hash.clone()).await?;
    row.answer(&context)
}

async fn current(auth: AuthUser, Extension(context): Extension<Context>) -> Result<Json<Body<User>>, Error> {
    let row: Row =
        sqlx::query_as("SELECT * FROM user WHERE user_id = ?").bind(auth.user_id).fetch_one(&context.database).await?;
    row.answer(&context)
}

async fn update(
    auth: AuthUser,
    Extension(context): Extension<Context>,
    Json(Body { user }): Json<Body<Update>>,
) -> Result<Json<Body<User>>, Error> {
    let update = "UPDATE user SET bio = coalesce(?, bio), email = coalesce(?, email) WHERE user_id = ? RETURNING *";
    let row: Row = sqlx::query_as(update)
        .bind(user.bio)
        .bind(user.email)
        .bind(auth.user_id)
        .fetch_one(&context.database)
        .await
        .map_err(taken)?;
    row.answer(&context)
}

fn taken(error: sqlx::Error) -> Error {
    match error.as_database_error().filter(|error| error.is_unique_violation()).map(|error| error.message()) {
        Some(message) if message.contains("user.email") => Error::Unprocessable("email", "is taken"),
        Some(_) => Error::Unprocessable("username", "is taken"),
        None => error.into(),
    }
}

async fn hash(password: String) -> Result<String, Error> {
    let hashed = spawn_blocking(move || {
        let salt = SaltString::generate(&mut OsRng);
        Argon2::default().hash_password(password.as_bytes(), &salt).map(|hash| hash.to_string())
    });
    Ok(hashed.await??)
}

async fn verify(password: String, hash: String) -> Result<(), Error> {
    let verified =
        spawn_blocking(move || Argon2::default().verify_password(password.as_bytes(), &PasswordHash::new(&hash)?));
    match verified.await? {
        Err(HashError::Password) => Err(Error::Unauthorized),
        verified => Ok(verified?),
    }
}
