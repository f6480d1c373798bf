use actix_web::error::ErrorInternalServerError;
use actix_web::http::header::ContentType;
use actix_web::web::{Data, Form, ReqData};
use actix_web::{Error, HttpResponse};
use serde::Deserialize;
use sqlx::SqlitePool;

use crate::authentication::{self, UserId, see_other};
use crate::session_state::TypedSession;

pub(crate) async fn health_check() -> HttpResponse {
    HttpResponse::Ok().finish()
}

pub(crate) async fn home() -> HttpResponse {
    page("<h1>The newsletter</h1>".to_owned())
}

#[derive(Deserialize)]
pub(crate) struct Subscription {
    name: String,
    email: String,
}

pub(crate) async fn subscribe(form: Form<Subscription>, database: Data<SqlitePool>) -> Result<HttpResponse, Error> {
    sqlx::query("INSERT OR REPLACE INTO subscriptions (email, name) VALUES (?, ?)")
        .bind(&form.email)
        .bind(&form.name)
        .execute(&**database)
        .await
        .map_err(ErrorInternalServerError)?;
    Ok(HttpResponse::Ok().finish())
}

pub(crate) async fn login_form() -> HttpResponse {
    page("<form action='/login' method='post'><input name='username'><input name='password'></form>".to_owned())
}

#[derive(Deserialize)]
pub(crate) struct Login {
    username: String,
    password: String,
}

pub(crate) async fn login(
    Form(form): Form<Login>,
    database: Data<SqlitePool>,
    session: TypedSession,
) -> Result<HttpResponse, Error> {
    let user = authentication::check(&database, &form.username, form.password).await;
    match user.map_err(ErrorInternalServerError)? {
        Some(user) => {
            session.sign_in(user)?;
            Ok(see_other("/admin/dashboard"))
        }
        None => Ok(see_other("/login")),
    }
}

pub(crate) async fn dashboard(user: ReqData<UserId>, database: Data<SqlitePool>) -> Result<HttpResponse, Error> {
    let username: String = sqlx::query_scalar("SELECT username FROM users WHERE user_id = ?")
        .bind(user.0)
        .fetch_one(&**database)
        .await
        .map_err(ErrorInternalServerError)?;
    Ok(page(format!("<p>Welcome {username}!</p>")))
}

#[derive(Deserialize)]
pub(crate) struct NewPassword {
    new_password: String,
}

pub(crate) async fn change_password(
    form: Form<NewPassword>,
    user: ReqData<UserId>,
    database: Data<SqlitePool>,
) -> Result<HttpResponse, Error> {
    let changed = authentication::set_password(&database, user.0, &form.new_password).await;
    changed.map_err(ErrorInternalServerError)?;
    Ok(see_other("/admin/dashboard"))
}

pub(crate) async fn log_out(session: TypedSession) -> HttpResponse {
    session.log_out();
    see_other("/login")
}

fn page(body: String) -> HttpResponse {
    HttpResponse::Ok().content_type(ContentType::html()).body(body)
}
