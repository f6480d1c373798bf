//! The example applications, one a framework, as processes with real sockets; and what is special to an adapter.

mod axum;
mod contract;
mod example;
mod faults;
mod issuer;
mod login;

/// The examples that are held to the same answers.
const EXAMPLES: [&str; 2] = ["axum", "hyper"];
