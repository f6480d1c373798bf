//! `service-conduit serve DIRECTORY` is the service; without arguments the program is its test.

mod articles;
mod drive;
mod error;
mod extractor;
mod metadata;
#[path = "../../shared/service.rs"]
mod service;
mod users;

use std::path::Path;
use std::sync::Arc;

use axum::{Extension, Router};
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;

/// What every handler can ask for.
#[derive(Clone)]
struct Context {
    /// Signs the tokens.
    hmac_key: Arc<str>,
    database: SqlitePool,
}

#[tokio::main]
async fn main() -> service::Outcome {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", directory] => serve(Path::new(directory)).await,
        _ => drive::main().await,
    }
}

async fn serve(directory: &Path) -> service::Outcome {
    let options = SqliteConnectOptions::new().filename(directory.join("conduit.db")).create_if_missing(true);
    let database = SqlitePool::connect_with(options).await?;
    sqlx::raw_sql(include_str!("schema.sql")).execute(&database).await?;
    let context = Context { hmac_key: std::env::var("HMAC_KEY")?.into(), database };

    let metadata = metadata::router(&context.hmac_key, directory).await?;
    let router =
        Router::new().merge(users::router()).merge(articles::router()).merge(metadata).layer(Extension(context));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}{}", service::LISTENS, listener.local_addr()?);
    Ok(axum::serve(listener, router).await?)
}
