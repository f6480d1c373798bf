//! The example applications, one a framework, as processes with real sockets; and what is special to an adapter.

mod actix;
mod axum;
mod cases;
mod contract;
mod database_sessions;
mod differences;
mod example;
mod faults;
mod issuer;
mod lambda;
mod login;
mod own_sessions;
mod panics;
mod poem;
mod policy;
mod problems;
mod rocket;
mod salvo;
mod settings;
mod shared;
mod tonic;
mod warp;

/// The examples that have sockets of their own and are held to the same answers.
const EXAMPLES: [&str; 7] = ["actix", "axum", "hyper", "poem", "rocket", "salvo", "warp"];

/// These, and the one on AWS Lambda: a name for each of the gateways that it may stand behind.
fn everywhere() -> impl Iterator<Item = &'static str> {
    EXAMPLES.into_iter().chain(lambda::EQUAL.map(lambda::Trigger::name))
}
