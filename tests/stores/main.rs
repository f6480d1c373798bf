//! The stores of this crate: the contract over each of them, and what each promises beyond it.

mod broken;
#[cfg(feature = "redis")]
#[path = "../support/servers/redis_several.rs"]
mod cluster;
#[cfg(feature = "sqlite")]
#[path = "../support/disk.rs"]
mod disk;
mod errors;
// The examples need these features.
#[cfg(all(feature = "actix", feature = "axum", feature = "sqlite", feature = "warp"))]
mod examples;
#[cfg(feature = "mariadb")]
#[path = "../support/servers/galera.rs"]
mod galera;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod heard;
#[cfg(any(feature = "mariadb", feature = "postgres"))]
mod ids;
#[path = "../support/log.rs"]
mod log;
#[cfg(feature = "mariadb")]
mod mariadb;
mod memory;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "metrics")]
#[path = "../support/recorder.rs"]
mod recorder;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "mariadb", feature = "postgres", feature = "redis"))]
#[path = "../support/servers/mod.rs"]
mod servers;
#[cfg(feature = "sqlite")]
mod sqlite;
mod suite;
#[path = "../support/mod.rs"]
mod support;
mod wrap;
