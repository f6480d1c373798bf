//! The example applications, one a framework, as processes with real sockets; and what is special to an adapter.

mod actix;
mod axum;
mod contract;
mod differences;
mod example;
mod faults;
mod issuer;
mod login;
mod poem;
mod salvo;
mod shared;
mod warp;

/// The examples that are held to the same answers.
const EXAMPLES: [&str; 6] = ["actix", "axum", "hyper", "poem", "salvo", "warp"];
