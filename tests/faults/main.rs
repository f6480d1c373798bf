//! Stores that keep a server: what they promise when the network, the server or the caller fails.

mod postgres;
#[path = "../support/proxy.rs"]
mod proxy;
#[path = "../support/servers/mod.rs"]
mod servers;
#[path = "../support/mod.rs"]
mod support;
