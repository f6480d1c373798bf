//! The stores of this crate: the contract over each of them, and what each promises beyond it.

mod broken;
mod memory;
mod suite;
#[path = "../support/mod.rs"]
mod support;
