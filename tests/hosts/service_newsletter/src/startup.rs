use std::path::Path;

use actix_session::SessionMiddleware;
use actix_session::storage::CookieSessionStore;
use actix_web::cookie::Key;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;
use tower_user_metadata::adapter::actix::endpoints;
use tower_user_metadata::endpoints::UserMetadataEndpoints;
use tower_user_metadata::store;

use crate::authentication::{add_user, reject_anonymous_users};
use crate::routes::{change_password, dashboard, health_check, home, log_out, login, login_form, subscribe};
use crate::service::{LISTENS, Outcome};

/// Who can sign in to a new database, and change the password then.
const FIRST_USERS: [(&str, &str); 2] = [("admin", "first-password"), ("editor", "first-password")];

pub(crate) async fn serve(directory: &Path) -> Outcome {
    let options = SqliteConnectOptions::new().filename(directory.join("newsletter.db")).create_if_missing(true);
    let database = SqlitePool::connect_with(options).await?;
    sqlx::raw_sql(include_str!("schema.sql")).execute(&database).await?;
    let users: u32 = sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(&database).await?;
    if users == 0 {
        for (username, password) in FIRST_USERS {
            add_user(&database, username, password).await?;
        }
    }
    let key = Key::from(std::env::var("HMAC_SECRET")?.as_bytes());

    let metadata = directory.join("user-metadata.db");
    let metadata = web::Data::from(store::connect(&format!("sqlite://{}", metadata.display())).await?);

    let database = web::Data::new(database);
    let server = HttpServer::new(move || {
        let sessions = SessionMiddleware::builder(CookieSessionStore::default(), key.clone()).cookie_secure(false);
        App::new()
            .wrap(sessions.build())
            .route("/", web::get().to(home))
            .route("/health_check", web::get().to(health_check))
            .route("/subscriptions", web::post().to(subscribe))
            .route("/login", web::get().to(login_form))
            .route("/login", web::post().to(login))
            .service(
                web::scope("/admin")
                    .wrap(from_fn(reject_anonymous_users))
                    .route("/dashboard", web::get().to(dashboard))
                    .route("/password", web::post().to(change_password))
                    .route("/logout", web::post().to(log_out))
                    .service(web::resource("/metadata").route(endpoints(UserMetadataEndpoints::new()))),
            )
            .app_data(metadata.clone())
            .app_data(database.clone())
    });
    let server = server.workers(2).bind("127.0.0.1:0")?;
    println!("{LISTENS}{}", server.addrs()[0]);
    Ok(server.run().await?)
}
