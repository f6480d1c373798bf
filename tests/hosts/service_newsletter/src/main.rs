//! `service-newsletter serve DIRECTORY` is the service; without arguments the program is its test.

mod authentication;
mod drive;
mod routes;
#[path = "../../shared/service.rs"]
mod service;
mod session_state;
mod startup;

use std::path::Path;

#[actix_web::main]
async fn main() -> service::Outcome {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", directory] => startup::serve(Path::new(directory)).await,
        _ => drive::main().await,
    }
}
