//! The test: a browser, and whoever kills and restarts the service.

use std::path::Path;

use serde_json::{Value, json};
use sqlx::SqlitePool;
use uuid::Uuid;

use crate::service::{Answer, Outcome, Service};

const SECRET: (&str, &str) = ("HMAC_SECRET", "y7Hn2vKq9sLx4wTz8mBc1dRf6gJp3aUe5oQiXrYtWkNzVbMlCjSuDhGfEaPw0I7T");

pub(crate) async fn main() -> Outcome {
    let directory = tempfile::tempdir()?;
    let service = Service::start(directory.path(), &[SECRET])?;
    let admin = sign_in(&service, "admin", "first-password")?.ok_or("the admin cannot sign in")?;
    let editor = sign_in(&service, "editor", "first-password")?.ok_or("the editor cannot sign in")?;
    let before = rows(directory.path()).await?;
    documents_are_kept_apart(&service, &admin, &editor)?;
    strangers_are_sent_to_the_login(&service)?;
    let documents = documents(directory.path()).await?;
    assert_eq!(documents, [(user_id(directory.path(), "admin").await?, r#"{"theme":"light"}"#.to_owned())]);
    assert_eq!(rows(directory.path()).await?, before);
    routes_answer(&service, &admin, &editor)?;
    let rows = rows(directory.path()).await?;
    assert_eq!(rows.len(), 5, "{rows:?}");

    change(&service, &admin, &json!({ "theme": "dark" }))?.expect(200)?;
    service.kill()?;
    let service = Service::start(directory.path(), &[SECRET])?;
    let dashboard = get(&service, "/admin/dashboard", &admin)?;
    assert_eq!((dashboard.status, &*dashboard.body), (200, "<p>Welcome admin!</p>"));
    assert_eq!(document(&service, &admin)?, json!({ "theme": "dark" }));
    Ok(())
}

fn get(service: &Service, path: &str, cookie: &str) -> Outcome<Answer> {
    service.call("GET", path, &[("cookie", cookie)], "")
}

fn form(service: &Service, path: &str, cookie: &str, form: &str) -> Outcome<Answer> {
    let headers = [("cookie", cookie), ("content-type", "application/x-www-form-urlencoded")];
    service.call("POST", path, &headers, form)
}

/// The session's cookie, if the password is right.
fn sign_in(service: &Service, username: &str, password: &str) -> Outcome<Option<String>> {
    let answer = form(service, "/login", "", &format!("username={username}&password={password}"))?;
    answer.expect(303)?;
    let cookie = answer.header("set-cookie").and_then(|cookie| cookie.split(';').next());
    Ok(cookie.filter(|_| answer.header("location") == Some("/admin/dashboard")).map(str::to_owned))
}

fn change(service: &Service, cookie: &str, update: &Value) -> Outcome<Answer> {
    service.json("PATCH", "/admin/metadata", &[("cookie", cookie)], update)
}

fn document(service: &Service, cookie: &str) -> Outcome<Value> {
    get(service, "/admin/metadata", cookie)?.json(200)
}

fn documents_are_kept_apart(service: &Service, admin: &str, editor: &str) -> Outcome {
    assert_eq!(document(service, admin)?, json!({}));
    change(service, admin, &json!({ "theme": "dark", "draft": { "title": null }, "todos": ["one"] }))?.expect(200)?;
    let stored = json!({ "theme": "dark", "draft": { "title": null }, "todos": ["one"] });
    assert_eq!(document(service, admin)?, stored);
    change(service, editor, &json!({ "theme": "blue" }))?.expect(200)?;
    assert_eq!(document(service, admin)?, stored);
    let merged = change(service, admin, &json!({ "theme": "light", "draft": null, "todos": null }))?.json(200)?;
    assert_eq!(merged, json!({ "theme": "light" }));
    change(service, admin, &json!(["no object"]))?.expect(400)?;
    service.call("DELETE", "/admin/metadata", &[("cookie", editor)], "")?.expect(204)?;
    assert_eq!(document(service, editor)?, json!({}));
    assert_eq!(document(service, admin)?, merged);
    Ok(())
}

/// As on the other routes of the scope.
fn strangers_are_sent_to_the_login(service: &Service) -> Outcome {
    for cookie in ["", "id=forged"] {
        for answer in [get(service, "/admin/metadata", cookie)?, change(service, cookie, &json!({ "theme": "red" }))?] {
            assert_eq!((answer.status, answer.header("location")), (303, Some("/login")));
        }
    }
    Ok(())
}

async fn open(directory: &Path, file: &str) -> Outcome<SqlitePool> {
    Ok(SqlitePool::connect(&format!("sqlite://{}", directory.join(file).display())).await?)
}

/// Whose documents are in the file, and what they are.
async fn documents(directory: &Path) -> Outcome<Vec<(String, String)>> {
    let database = open(directory, "user-metadata.db").await?;
    let rows = sqlx::query_as("SELECT user_id, document FROM user_metadata").fetch_all(&database).await?;
    database.close().await;
    Ok(rows)
}

async fn user_id(directory: &Path, username: &str) -> Outcome<String> {
    let database = open(directory, "newsletter.db").await?;
    let user: Uuid =
        sqlx::query_scalar("SELECT user_id FROM users WHERE username = ?").bind(username).fetch_one(&database).await?;
    database.close().await;
    Ok(user.to_string())
}

/// The service's own routes, as they answer with and without the metadata.
fn routes_answer(service: &Service, admin: &str, editor: &str) -> Outcome {
    get(service, "/health_check", "")?.expect(200)?;
    get(service, "/login", "")?.expect(200)?;
    form(service, "/subscriptions", "", "name=ann&email=ann%40example.com")?.expect(200)?;
    for cookie in ["", "id=forged"] {
        let stranger = get(service, "/admin/dashboard", cookie)?;
        assert_eq!((stranger.status, stranger.header("location")), (303, Some("/login")));
    }
    assert_eq!(get(service, "/admin/dashboard", editor)?.body, "<p>Welcome editor!</p>");
    form(service, "/admin/password", admin, "new_password=second-password")?.expect(303)?;
    assert_eq!(sign_in(service, "admin", "first-password")?, None);
    assert!(sign_in(service, "admin", "second-password")?.is_some());
    let signed_out = form(service, "/admin/logout", editor, "")?;
    assert!(signed_out.header("set-cookie").is_some_and(|cookie| cookie.contains("Max-Age=0")), "{signed_out:?}");
    Ok(())
}

/// The tables of the service and every row in them.
async fn rows(directory: &Path) -> Outcome<Vec<String>> {
    let database = open(directory, "newsletter.db").await?;
    let all = "SELECT sql FROM sqlite_master WHERE type = 'table' \
               UNION ALL SELECT concat_ws(' ', hex(user_id), username, password_hash) FROM users \
               UNION ALL SELECT concat_ws(' ', email, name) FROM subscriptions";
    let rows = sqlx::query_scalar(all).fetch_all(&database).await?;
    database.close().await;
    Ok(rows)
}
