//! The test: a client of the service, and whoever kills and restarts it.

use std::path::Path;

use diesel::prelude::*;
use diesel::sql_types::Text;
use serde_json::{Value, json};

use crate::service::{Answer, Outcome, Service};

pub(crate) fn main() -> Outcome {
    let directory = tempfile::tempdir()?;
    let service = Service::start(directory.path(), &[])?;
    let ann = sign_up(&service, "ann")?;
    let bob = sign_up(&service, "bob")?;
    routes_answer(&service, &ann, &bob)?;
    let rows = rows(directory.path())?;
    assert_eq!(rows.len(), 3, "{rows:?}");

    service.kill()?;
    let service = Service::start(directory.path(), &[])?;
    assert_eq!(call(&service, "GET", "/api/accounts/profile", &ann)?.json(200)?["email"], "ann@example.com");
    ended_sessions_are_refused(&service, &ann, &bob)
}

/// A request with a token.
fn call(service: &Service, method: &str, path: &str, token: &str) -> Outcome<Answer> {
    service.call(method, path, &[("authorization", &format!("Bearer {token}"))], "")
}

fn sign_up(service: &Service, name: &str) -> Outcome<String> {
    let account = json!({ "email": format!("{name}@example.com"), "password": "sesame" });
    service.json("POST", "/identity/accounts/register", &[], &account)?.expect(200)?;
    sign_in(service, name)
}

/// Their access token.
fn sign_in(service: &Service, name: &str) -> Outcome<String> {
    let form = format!("grant_type=password&username={name}%40example.com&password=sesame");
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let answer = service.call("POST", "/identity/connect/token", &headers, &form)?.json(200)?;
    text(&answer, "access_token")
}

fn text(answer: &Value, name: &str) -> Outcome<String> {
    Ok(answer[name].as_str().ok_or("no such text")?.to_owned())
}

/// The service's own routes, as they answer with and without the metadata.
fn routes_answer(service: &Service, ann: &str, bob: &str) -> Outcome {
    service.call("GET", "/api/accounts/profile", &[], "")?.expect(401)?;
    assert_eq!(call(service, "GET", "/api/accounts/profile", bob)?.json(200)?["email"], "bob@example.com");
    let again = json!({ "email": "ann@example.com", "password": "other" });
    service.json("POST", "/identity/accounts/register", &[], &again)?.expect(400)?;

    let invitation = text(&call(service, "POST", "/api/organizations/invite", ann)?.json(200)?, "mail")?;
    let accepted = service.json("POST", "/api/organizations/accept", &[], &json!({ "token": invitation }))?;
    assert_eq!(accepted.json(200)?["email"], "ann@example.com");
    service.json("POST", "/api/organizations/accept", &[], &json!({ "token": ann }))?.expect(400)?;
    call(service, "GET", "/api/accounts/profile", &invitation)?.expect(401)
}

/// Also of those whose token has not expired.
fn ended_sessions_are_refused(service: &Service, ann: &str, bob: &str) -> Outcome {
    call(service, "POST", "/api/accounts/security-stamp", ann)?.expect(200)?;
    call(service, "GET", "/api/accounts/profile", ann)?.expect(401)?;
    call(service, "GET", "/api/accounts/profile", bob)?.expect(200)?;
    call(service, "GET", "/api/accounts/profile", &sign_in(service, "ann")?)?.expect(200)
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    text: String,
}

/// The table of the service and every row in it.
fn rows(directory: &Path) -> Outcome<Vec<String>> {
    let path = directory.join("vault.db");
    let mut database = SqliteConnection::establish(path.to_str().ok_or("a path")?)?;
    let all = "SELECT sql AS text FROM sqlite_master WHERE type = 'table' UNION ALL \
               SELECT concat_ws(' ', uuid, email, hex(salt), hex(password_hash), security_stamp) FROM users";
    let rows: Vec<Row> = diesel::sql_query(all).load(&mut database)?;
    Ok(rows.into_iter().map(|row| row.text).collect())
}
