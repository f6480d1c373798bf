use std::num::NonZeroU32;

use ring::pbkdf2;
use rocket::form::{Form, FromForm};
use rocket::http::Status;
use rocket::serde::json::Json;
use rocket::{Route, State, get, post, routes};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::auth::{Headers, Kind, claims, token};
use crate::db::{Database, User};

/// Far fewer than a real service needs: a test waits for them.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(1000).expect("it is not 0");

pub(crate) fn routes() -> Vec<Route> {
    routes![register, sign_in, profile, new_security_stamp, invite, accept, ask_to_delete]
}

#[derive(Deserialize)]
struct Register {
    email: String,
    password: String,
}

#[post("/identity/accounts/register", data = "<form>")]
async fn register(form: Json<Register>, database: &State<Database>) -> Status {
    let Register { email, password } = form.into_inner();
    let salt = Uuid::new_v4().into_bytes().to_vec();
    let mut hash = vec![0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, &salt, password.as_bytes(), &mut hash);
    let (uuid, stamp) = (Uuid::new_v4().to_string(), Uuid::new_v4().to_string());
    let user = User { uuid, email, salt, password_hash: hash, security_stamp: stamp };
    if database.add(user).await.is_some() { Status::Ok } else { Status::BadRequest }
}

#[derive(FromForm)]
struct Grant {
    grant_type: String,
    username: String,
    password: String,
}

#[post("/identity/connect/token", data = "<grant>")]
async fn sign_in(grant: Form<Grant>, database: &State<Database>) -> Result<Json<Value>, Status> {
    let user = database.user_by_email(grant.username.clone()).await.ok_or(Status::BadRequest)?;
    let checked = pbkdf2::verify(
        pbkdf2::PBKDF2_HMAC_SHA256,
        ITERATIONS,
        &user.salt,
        grant.password.as_bytes(),
        &user.password_hash,
    );
    if checked.is_err() || grant.grant_type != "password" {
        return Err(Status::BadRequest);
    }
    Ok(Json(json!({ "access_token": token(Kind::Login, &user), "expires_in": 7200, "token_type": "Bearer" })))
}

#[get("/api/accounts/profile")]
async fn profile(headers: Headers) -> Json<Value> {
    Json(json!({ "id": headers.user.uuid, "email": headers.user.email, "object": "profile" }))
}

/// Ends all sessions of the user.
#[post("/api/accounts/security-stamp")]
async fn new_security_stamp(headers: Headers, database: &State<Database>) -> Status {
    let set = database.set_stamp(headers.user.uuid, Uuid::new_v4().to_string()).await;
    if set.is_some() { Status::Ok } else { Status::InternalServerError }
}

/// There is no mail here: the answer has what would be sent.
#[post("/api/organizations/invite")]
async fn invite(headers: Headers) -> Json<Value> {
    Json(json!({ "mail": token(Kind::Invite, &headers.user) }))
}

#[derive(Deserialize)]
struct Accept {
    token: String,
}

#[post("/api/organizations/accept", data = "<accept>")]
async fn accept(accept: Json<Accept>) -> Result<Json<Value>, Status> {
    let claims = claims(Kind::Invite, &accept.token).ok_or(Status::BadRequest)?;
    Ok(Json(json!({ "id": claims.sub, "email": claims.email })))
}

#[post("/api/accounts/delete-recover")]
async fn ask_to_delete(headers: Headers) -> Json<Value> {
    Json(json!({ "mail": token(Kind::Delete, &headers.user) }))
}
