//! Stores that keep a server: what they promise when the network, the server or the caller fails.

mod postgres;
#[path = "../support/proxy.rs"]
mod proxy;
mod servers {
    #[path = "../../support/servers/postgres.rs"]
    pub(crate) mod postgres;
}
#[path = "../support/mod.rs"]
mod support;
