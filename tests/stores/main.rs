//! The stores of this crate: the contract over each of them, and what each promises beyond it.

mod broken;
mod memory;
#[cfg(feature = "sqlite")]
mod sqlite;
mod suite;
#[path = "../support/mod.rs"]
mod support;
mod wrap;
