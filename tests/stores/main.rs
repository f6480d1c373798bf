//! Each store from outside.

#[cfg(feature = "sqlite")]
mod sqlite;
