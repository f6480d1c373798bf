use crate::store::StoreError;

/// A mistake in how the middleware is set up: for the developer, at start-up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The scheme of a store URL is not one that [`store::connect`](crate::store::connect) knows.
    #[error("no store is called `{scheme}:`; `memory:` and `sqlite:` (feature `sqlite`) are known")]
    UnknownStore {
        /// The part of the URL before the first colon; the rest may hold a password.
        scheme: String,
    },
    /// The store cannot be opened.
    #[error("the store cannot be opened: {0}")]
    Store(#[source] StoreError),
}
