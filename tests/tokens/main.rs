//! Tokens of all kinds against the real layer: test vectors, a module a family, and attacks of our own.
//!
//! Each family prints how many of its rows were accepted and refused, and of those rows where either answer can be
//! defended, where ours is not the recommended one.

#[path = "../support/log.rs"]
mod log;
#[path = "../support/mod.rs"]
mod support;

mod attack;
mod cookbook;
mod cookies;
mod harness;
mod hostile;
mod http;
mod json;
mod keys;
mod mint;
mod socket;
mod strings;
mod supertokens;
mod warnings;
mod wycheproof;
