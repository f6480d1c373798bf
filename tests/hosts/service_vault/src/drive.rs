//! The test: a client of the service, and whoever kills and restarts it.

use std::path::Path;

use diesel::prelude::*;
use diesel::sql_types::Text;
use serde_json::{Value, json};

use crate::service::{Answer, Outcome, Service};

const METADATA: &str = "/api/accounts/metadata";

pub(crate) fn main() -> Outcome {
    let directory = tempfile::tempdir()?;
    let service = Service::start(directory.path(), &[])?;
    let ann = sign_up(&service, "ann")?;
    let bob = sign_up(&service, "bob")?;
    let before = rows(directory.path())?;
    documents_are_kept_apart(&service, &ann, &bob)?;
    no_other_token_is_a_session(&service, &ann)?;
    let id = text(&call(&service, "GET", "/api/accounts/profile", &ann)?.json(200)?, "id")?;
    assert_eq!(documents(directory.path())?, [format!(r#"{id} {{"theme":"light"}}"#)]);
    assert_eq!(rows(directory.path())?, before);
    routes_answer(&service, &ann, &bob)?;
    let rows = rows(directory.path())?;
    assert_eq!(rows.len(), 3, "{rows:?}");

    change(&service, &ann, &json!({ "theme": "dark" }))?.expect(200)?;

    service.kill()?;
    let service = Service::start(directory.path(), &[])?;
    assert_eq!(call(&service, "GET", "/api/accounts/profile", &ann)?.json(200)?["email"], "ann@example.com");
    assert_eq!(document(&service, &ann)?, json!({ "theme": "dark" }));
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

fn change(service: &Service, token: &str, update: &Value) -> Outcome<Answer> {
    service.json("PATCH", METADATA, &[("authorization", &format!("Bearer {token}"))], update)
}

fn document(service: &Service, token: &str) -> Outcome<Value> {
    call(service, "GET", METADATA, token)?.json(200)
}

fn documents_are_kept_apart(service: &Service, ann: &str, bob: &str) -> Outcome {
    assert_eq!(document(service, ann)?, json!({}));
    change(service, ann, &json!({ "theme": "dark", "draft": { "title": null }, "todos": ["one"] }))?.expect(200)?;
    let stored = json!({ "theme": "dark", "draft": { "title": null }, "todos": ["one"] });
    assert_eq!(document(service, ann)?, stored);
    change(service, bob, &json!({ "theme": "blue" }))?.expect(200)?;
    assert_eq!(document(service, ann)?, stored);
    let merged = change(service, ann, &json!({ "theme": "light", "draft": null, "todos": null }))?.json(200)?;
    assert_eq!(merged, json!({ "theme": "light" }));
    let invalid = change(service, ann, &json!(["no object"]))?;
    assert_eq!(
        (invalid.status, invalid.header("content-type")),
        (400, Some("application/json; charset=utf-8")),
        "{invalid:?}"
    );
    call(service, "DELETE", METADATA, bob)?.expect(200)?;
    assert_eq!(document(service, bob)?, json!({}));
    assert_eq!(document(service, ann)?, merged);
    Ok(())
}

/// Also none that the same key signed for the same user.
fn no_other_token_is_a_session(service: &Service, ann: &str) -> Outcome {
    service.call("GET", METADATA, &[], "")?.expect(401)?;
    service.json("PATCH", METADATA, &[], &json!({ "theme": "red" }))?.expect(401)?;
    for path in ["/api/organizations/invite", "/api/accounts/delete-recover"] {
        let other = text(&call(service, "POST", path, ann)?.json(200)?, "mail")?;
        call(service, "GET", METADATA, &other)?.expect(401)?;
        change(service, &other, &json!({ "theme": "red" }))?.expect(401)?;
    }
    Ok(())
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
    let again = sign_in(service, "ann")?;
    for path in ["/api/accounts/profile", METADATA] {
        call(service, "GET", path, ann)?.expect(401)?;
        call(service, "GET", path, bob)?.expect(200)?;
        call(service, "GET", path, &again)?.expect(200)?;
    }
    Ok(())
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    text: String,
}

/// The table of the service and every row in it.
fn rows(directory: &Path) -> Outcome<Vec<String>> {
    let all = "SELECT sql AS text FROM sqlite_master WHERE type = 'table' UNION ALL \
               SELECT concat_ws(' ', uuid, email, hex(salt), hex(password_hash), security_stamp) FROM users";
    texts(&directory.join("vault.db"), all)
}

/// Whose documents are in the file, and what they are.
fn documents(directory: &Path) -> Outcome<Vec<String>> {
    let all = "SELECT concat_ws(' ', user_id, document) AS text FROM user_metadata";
    texts(&directory.join("user-metadata.db"), all)
}

fn texts(file: &Path, query: &str) -> Outcome<Vec<String>> {
    let mut database = SqliteConnection::establish(file.to_str().ok_or("a path")?)?;
    let rows: Vec<Row> = diesel::sql_query(query).load(&mut database)?;
    Ok(rows.into_iter().map(|row| row.text).collect())
}
