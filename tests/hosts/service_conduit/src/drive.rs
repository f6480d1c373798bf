//! The test: a client of the service, and whoever kills and restarts it.

use std::path::Path;

use hmac::{Hmac, Mac};
use jwt::SignWithKey;
use serde_json::{Value, json};
use sha2::{Sha256, Sha384};
use sqlx::SqlitePool;

use crate::service::{Answer, Outcome, Service};

const HMAC_KEY: &str = "q0X8c1rW4zPs7vKd2mTn9yLf6hBg3jUa5eQoRiYxZwVtCpNkMlJbHdGuSfEaIyOq";

pub(crate) async fn main() -> Outcome {
    let directory = tempfile::tempdir()?;
    let service = Service::start(directory.path(), &[("HMAC_KEY", HMAC_KEY)])?;
    let ann = sign_up(&service, "ann")?;
    let bob = sign_up(&service, "bob")?;
    let before = rows(directory.path()).await?;
    documents_are_kept_apart(&service, &ann, &bob)?;
    no_other_token_is_a_session(&service, &ann)?;
    assert_eq!(documents(directory.path()).await?, [(user_id(&ann)?, r#"{"theme":"light"}"#.to_owned())]);
    assert_eq!(rows(directory.path()).await?, before);
    routes_answer(&service, &ann, &bob)?;
    let rows = rows(directory.path()).await?;
    assert_eq!(rows.len(), 5, "{rows:?}");

    change(&service, &ann, &json!({ "theme": "dark" }))?.expect(200)?;
    service.kill()?;
    let service = Service::start(directory.path(), &[("HMAC_KEY", HMAC_KEY)])?;
    let current = service.call("GET", "/api/user", &[("authorization", &ann)], "")?.json(200)?;
    assert_eq!(current["user"]["bio"], "I write");
    assert_eq!(document(&service, &ann)?, json!({ "theme": "dark" }));
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

fn change(service: &Service, authorization: &str, update: &Value) -> Outcome<Answer> {
    service.json("PATCH", "/api/user/metadata", &[("authorization", authorization)], update)
}

fn document(service: &Service, authorization: &str) -> Outcome<Value> {
    service.call("GET", "/api/user/metadata", &[("authorization", authorization)], "")?.json(200)
}

fn documents_are_kept_apart(service: &Service, ann: &str, bob: &str) -> Outcome {
    assert_eq!(document(service, ann)?, json!({}));
    change(service, ann, &json!({ "theme": "dark", "draft": null, "todos": ["one"] }))?.expect(200)?;
    change(service, ann, &json!({ "draft": { "title": null } }))?.expect(200)?;
    let stored = json!({ "theme": "dark", "draft": { "title": null }, "todos": ["one"] });
    assert_eq!(document(service, ann)?, stored);
    change(service, bob, &json!({ "theme": "blue" }))?.expect(200)?;
    assert_eq!(document(service, ann)?, stored);
    let merged = change(service, ann, &json!({ "theme": "light", "draft": null, "todos": null }))?.json(200)?;
    assert_eq!(merged, json!({ "theme": "light" }));
    change(service, ann, &json!(["no object"]))?.expect(400)?;
    service.call("DELETE", "/api/user/metadata", &[("authorization", bob)], "")?.expect(200)?;
    assert_eq!(document(service, bob)?, json!({}));
    assert_eq!(document(service, ann)?, merged);
    Ok(())
}

/// Nobody's, another scheme's, an expired one, and what else could be signed by the same key or with another.
fn no_other_token_is_a_session(service: &Service, ann: &str) -> Outcome {
    let path = "/api/user/metadata";
    let stranger = service.call("GET", path, &[], "")?;
    assert_eq!(stranger.json(401)?, json!({ "message": "unauthorised" }));
    service.call("GET", path, &[("authorization", &ann.replace("Token", "Bearer"))], "")?.expect(401)?;

    let (id, later) = (user_id(ann)?, 4_102_444_800_u64);
    let good = Hmac::<Sha384>::new_from_slice(HMAC_KEY.as_bytes())?;
    let other_key = Hmac::<Sha384>::new_from_slice(&[7; 48])?;
    let other_algorithm = Hmac::<Sha256>::new_from_slice(HMAC_KEY.as_bytes())?;
    let session = json!({ "user_id": id, "exp": later });
    let call = |token: String| service.call("GET", path, &[("authorization", &format!("Token {token}"))], "");
    call(session.clone().sign_with_key(&good)?)?.expect(200)?;
    call(session.clone().sign_with_key(&other_key)?)?.expect(401)?;
    call(session.sign_with_key(&other_algorithm)?)?.expect(401)?;
    call(json!({ "user_id": id, "exp": 1_700_000_000 }).sign_with_key(&good)?)?.expect(401)?;
    call(json!({ "sub": id, "exp": later }).sign_with_key(&good)?)?.expect(401)?;
    call(json!({ "user_id": id }).sign_with_key(&good)?)?.expect(401)
}

/// What the token says.
fn user_id(authorization: &str) -> Outcome<String> {
    let claims: Value =
        jwt::Token::<jwt::Header, Value, _>::parse_unverified(authorization.trim_start_matches("Token "))?
            .claims()
            .clone();
    Ok(claims["user_id"].as_str().ok_or("no user")?.to_owned())
}

/// Whose documents are in the file, and what they are.
async fn documents(directory: &Path) -> Outcome<Vec<(String, String)>> {
    let database = SqlitePool::connect(&format!("sqlite://{}", directory.join("user-metadata.db").display())).await?;
    let rows = sqlx::query_as("SELECT user_id, document FROM user_metadata").fetch_all(&database).await?;
    database.close().await;
    Ok(rows)
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
    let own = |headers: &[(&str, &str)]| -> Outcome<Value> {
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
