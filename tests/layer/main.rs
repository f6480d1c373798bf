//! The layer as a Tower service: whom it calls and when, what it adds to a request, and what it leaves alone.

mod answers;
mod cors;
mod extensions;
#[path = "../support/log.rs"]
mod log;
mod logs;
mod preflight;
mod problems;
mod tower_contract;
mod verifier;
