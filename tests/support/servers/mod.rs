//! Servers of databases that tests start for themselves: private, on free ports of the loopback, in temporary
//! directories. What already runs on the machine is not touched.

#[cfg(feature = "mariadb")]
pub(crate) mod mariadb;
#[cfg(any(feature = "mariadb", feature = "postgres"))]
mod owner;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(any(feature = "mariadb", feature = "postgres", feature = "redis"))]
pub(crate) mod process;
#[cfg(feature = "redis")]
pub(crate) mod redis;
