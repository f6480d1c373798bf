//! The test: a client of the service, and whoever kills and restarts it.

use std::path::Path;

use serde_json::json;
use sqlx::SqlitePool;

use crate::service::{Outcome, Service};

const HMAC_KEY: &str = "q0X8c1rW4zPs7vKd2mTn9yLf6hBg3jUa5eQoRiYxZwVtCpNkMlJbHdGuSfEaIyOq";

pub(crate) async fn main() -> Outcome {
    let directory = tempfile::tempdir()?;
    let service = Service::start(directory.path(), &[("HMAC_KEY", HMAC_KEY)])?;
    let ann = sign_up(&service, "ann")?;
    let bob = sign_up(&service, "bob")?;
    routes_answer(&service, &ann, &bob)?;
    let rows = rows(directory.path()).await?;
    assert_eq!(rows.len(), 5, "{rows:?}");

    service.kill()?;
    let service = Service::start(directory.path(), &[("HMAC_KEY", HMAC_KEY)])?;
    let current = service.call("GET", "/api/user", &[("authorization", &ann)], "")?.json(200)?;
    assert_eq!(current["user"]["bio"], "I write");
    Ok(())
}

/// Their `Authorization`.
fn sign_up(service: &Service, name: &str) -> Outcome<String> {
    let email = format!("{name}@example.com");
    let user = json!({ "user": { "username": name, "email": email, "password": "sesame" } });
    service.json("POST", "/api/users", &[], &user)?.expect(200)?;
    let login = json!({ "user": { "email": email, "password": "sesame" } });
    let user = service.json("POST", "/api/users/login", &[], &login)?.json(200)?;
    Ok(format!("Token {}", user["user"]["token"].as_str().ok_or("no token")?))
}

/// The service's own routes, as they answer with and without the metadata.
fn routes_answer(service: &Service, ann: &str, bob: &str) -> Outcome {
    let stranger = service.call("GET", "/api/user", &[], "")?;
    stranger.expect(401)?;
    assert_eq!(stranger.header("www-authenticate"), Some("Token"));
    service.call("GET", "/api/user", &[("authorization", &ann.replace("Token", "Bearer"))], "")?.expect(401)?;
    let wrong = json!({ "user": { "email": "ann@example.com", "password": "wrong" } });
    service.json("POST", "/api/users/login", &[], &wrong)?.expect(401)?;
    let taken = json!({ "user": { "email": "bob@example.com" } });
    let taken = service.json("PUT", "/api/user", &[("authorization", ann)], &taken)?.json(422)?;
    assert_eq!(taken, json!({ "errors": { "email": ["is taken"] } }));

    let bio = json!({ "user": { "bio": "I write" } });
    service.json("PUT", "/api/user", &[("authorization", ann)], &bio)?.expect(200)?;
    service.json("POST", "/api/articles", &[("authorization", ann)], &json!({ "title": "On Tea" }))?.expect(200)?;
    service.json("POST", "/api/articles", &[], &json!({ "title": "On Tea" }))?.expect(401)?;
    let own = |headers: &[(&str, &str)]| -> Outcome<serde_json::Value> {
        Ok(service.call("GET", "/api/articles", headers, "")?.json(200)?["articles"][0]["own"].take())
    };
    assert_eq!(own(&[])?, false);
    assert_eq!(own(&[("authorization", ann)])?, true);
    assert_eq!(own(&[("authorization", bob)])?, false);
    Ok(())
}

/// The tables of the service and every row in them.
async fn rows(directory: &Path) -> Outcome<Vec<String>> {
    let database = SqlitePool::connect(&format!("sqlite://{}", directory.join("conduit.db").display())).await?;
    let all = "SELECT sql FROM sqlite_master WHERE type = 'table' \
               UNION ALL SELECT concat_ws(' ', hex(user_id), username, email, bio, password_hash) FROM user \
               UNION ALL SELECT concat_ws(' ', slug, hex(user_id), title) FROM article";
    let rows = sqlx::query_scalar(all).fetch_all(&database).await?;
    database.close().await;
    Ok(rows)
}
