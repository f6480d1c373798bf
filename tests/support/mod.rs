//! What several test binaries share; each takes it in by `#[path = "../support/mod.rs"] mod support;`.

pub(crate) mod vectors;
