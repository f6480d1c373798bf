//! `service-vault serve DIRECTORY` is the service; without arguments the program is its test.

mod accounts;
mod auth;
mod db;
mod drive;
mod metadata;
#[path = "../../shared/service.rs"]
mod service;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use rocket::config::{Config, LogLevel};
use rocket::fairing::AdHoc;
use tower_user_metadata::adapter::rocket::UserMetadata;
use tower_user_metadata::store;

use crate::db::Database;

#[rocket::main]
async fn main() -> service::Outcome {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", directory] => serve(Path::new(directory)).await,
        _ => drive::main(),
    }
}

async fn serve(directory: &Path) -> service::Outcome {
    let database = Database::open(&directory.join("vault.db"))?;
    let metadata = store::connect(&format!("sqlite://{}", directory.join("user-metadata.db").display())).await?;
    let config = Config {
        address: Ipv4Addr::LOCALHOST.into(),
        port: 0,
        log_level: LogLevel::Off,
        cli_colors: false,
        ..Config::default()
    };
    rocket::custom(config)
        .manage(database)
        .manage(metadata)
        .attach(UserMetadata::without_authenticator())
        .mount("/", accounts::routes())
        .mount("/api/accounts/metadata", metadata::routes())
        .attach(AdHoc::on_liftoff("address", |rocket| {
            let address = SocketAddr::new(rocket.config().address, rocket.config().port);
            println!("{}{address}", service::LISTENS);
            Box::pin(async {})
        }))
        .launch()
        .await?;
    Ok(())
}
