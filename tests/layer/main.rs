//! The layer as a Tower service: whom it calls and when, what it adds to a request, and what it leaves alone.

mod answers;
mod extensions;
mod logs;
mod tower_contract;
mod verifier;
