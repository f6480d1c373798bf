//! The stores of this crate: the contract over each of them, and what each promises beyond it.

mod broken;
#[cfg(feature = "mariadb")]
mod mariadb;
mod memory;
#[cfg(feature = "mariadb")]
#[path = "../support/servers/mod.rs"]
mod servers;
#[cfg(feature = "sqlite")]
mod sqlite;
mod suite;
#[path = "../support/mod.rs"]
mod support;
