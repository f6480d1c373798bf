//! What stores promise when the network, the server, the disk or the caller fails, and when many write at once.

#[cfg(any(feature = "mariadb", feature = "postgres", feature = "redis"))]
mod backend;
#[cfg(any(feature = "mariadb", feature = "postgres", feature = "redis"))]
mod cancel;
mod check;
#[cfg(any(feature = "mariadb", feature = "postgres", feature = "redis"))]
mod crash;
#[cfg(any(feature = "mariadb", feature = "postgres", feature = "redis"))]
mod crowd;
#[cfg(any(feature = "mariadb", feature = "postgres", feature = "redis"))]
#[path = "../support/disk.rs"]
mod disk;
#[cfg(any(feature = "mariadb", feature = "postgres", feature = "redis", feature = "sqlite"))]
mod fields;
mod history;
#[path = "../support/linear.rs"]
mod linear;
#[cfg(feature = "mariadb")]
mod mariadb;
#[cfg(any(feature = "mariadb", feature = "postgres", feature = "redis"))]
mod outages;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(any(feature = "mariadb", feature = "postgres", feature = "redis"))]
#[path = "../support/proxy.rs"]
mod proxy;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "mariadb", feature = "postgres", feature = "redis"))]
#[path = "../support/servers/mod.rs"]
mod servers;
#[cfg(feature = "sqlite")]
mod sqlite;
#[path = "../support/mod.rs"]
mod support;
#[cfg(any(feature = "mariadb", feature = "postgres", feature = "redis"))]
mod sweep;

use tower_user_metadata::UserId;

fn user(id: &str) -> UserId {
    UserId::new(id).expect("a user id")
}
