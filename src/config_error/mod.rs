mod invalid_key;

use std::error::Error;
use std::path::PathBuf;

pub use invalid_key::InvalidKey;

use crate::store_error::StoreError;

/// A mistake in how the middleware is set up: for the developer, at start-up.
///
/// `Display` does not repeat what [`source`](Error::source) gives, so print the whole chain: that of the store has what
/// the database said.
///
/// ```
/// use std::error::Error;
///
/// use tower_user_metadata::ConfigError;
/// use tower_user_metadata::session::JwtVerifier;
/// use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
///
/// let key = VerificationKey::from_secret(Algorithm::HS256, b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*")?;
/// let refused = JwtVerifier::builder(key).with_issuer("https://auth.example.com\n").build().unwrap_err();
/// assert!(matches!(refused, ConfigError::VerifierOption { option: "with_issuer", .. }));
/// # Ok::<(), Box<dyn Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The scheme of a store URL is not one that [`store::connect`](crate::store::connect) knows.
    #[error(
        "no store is called `{scheme}:`; `memory:`, and with the feature of the same name `sqlite:`, `postgres:`, \
         `mariadb:` and `redis:` are known"
    )]
    UnknownStore {
        /// The part of the URL before the first colon; the rest may hold a password.
        scheme: String,
    },
    /// The name of a cookie to read tokens from is not one.
    #[error("`{name}` is not the name of a cookie")]
    InvalidCookieName {
        /// The name as given.
        name: String,
    },
    /// The name of a header to read tokens from is not one.
    #[error("`{name}` is not the name of a header")]
    InvalidHeaderName {
        /// The name as given.
        name: String,
    },
    /// The name of a scheme of `Authorization` is not one.
    #[error("`{scheme}` is not the name of a scheme of `Authorization`, such as `Token`")]
    InvalidScheme {
        /// The name as given.
        scheme: String,
    },
    /// A verification key or a key set cannot be used.
    #[error("the verification key cannot be used")]
    Key(#[source] InvalidKey),
    /// A verifier of plain tokens was told neither an issuer nor an audience, nor that it shall take tokens for any.
    #[error(
        "the verifier has neither an issuer nor an audience, so it would take every token that the same keys sign; call \
         `with_issuer`, `with_audience` or `without_audience`"
    )]
    AnyAudience,
    /// A verifier shall take id tokens and was not told for which client.
    #[error(
        "the verifier takes id tokens and has no audience, so those of every client of the provider would be sessions; \
         call `with_audience` with the id of the client, or `without_audience`"
    )]
    IdTokensForAnyone,
    /// An option of a verifier cannot be used.
    #[error("the option `{option}` of the verifier cannot be {value:?}: {problem}")]
    VerifierOption {
        /// The method that sets it.
        option: &'static str,
        /// Its value as given.
        value: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// An allow-list of algorithms is empty.
    #[error("a key set needs at least one allowed algorithm")]
    NoAlgorithm,
    /// The URL of a key server cannot be used.
    #[error("the key server's URL cannot be used: {problem}")]
    JwksUrl {
        /// What is wrong with it; the URL itself may hold credentials.
        problem: &'static str,
    },
    /// A key server shall be asked for shared secrets, with which whoever reads its answer could make sessions.
    #[error("keys for `{algorithm}` are secrets, and a key server tells its keys to everybody")]
    JwksSecret {
        /// The name of the algorithm as given.
        algorithm: &'static str,
    },
    /// A root certificate to trust is not one, or there is none at all.
    #[error("the root certificate cannot be used: {problem}")]
    RootCertificate {
        /// What is wrong.
        problem: &'static str,
    },
    /// TLS is needed, and the process has no provider of cryptography for rustls.
    #[error(
        "rustls has no provider of cryptography: install one for the process, or use the feature of this crate without \
         `-no-provider`"
    )]
    NoTlsProvider,
    /// There is no client that could ask the key server.
    #[error("the HTTPS client of key servers needs the feature `jwks`, `jwks-ring` or `jwks-no-provider`")]
    NoJwksTransport,
    /// The key server could not be reached at start-up.
    #[error("the key server could not be reached at start-up")]
    JwksUnavailable(#[source] Box<dyn Error + Send + Sync>),
    /// A store URL with a known scheme and a rest that cannot be used.
    #[error("the URL of the store cannot be used: {problem}")]
    StoreUrl {
        /// What is wrong; the URL is not repeated, since it may hold a password.
        problem: &'static str,
    },
    /// A parameter in the URL of a store is not known.
    #[error("the URL of the store has the parameter `{parameter}`, which is not known; known: {known}")]
    UnknownStoreParameter {
        /// Its name, without the value, which may be a password.
        parameter: String,
        /// The names of those that are known.
        known: &'static str,
    },
    /// An option of a store cannot be used.
    #[error("the option `{option}` of the store cannot be used: {problem}")]
    StoreOption {
        /// The method that sets it.
        option: &'static str,
        /// What is wrong with its value.
        problem: &'static str,
    },
    /// The file of a store cannot be created or opened.
    #[error("the database file `{}` cannot be opened", .path.display())]
    StoreFile {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The database was made by something else; it was left as it is.
    #[error("the database file `{}` holds something else than user metadata", .path.display())]
    ForeignDatabase {
        /// The file.
        path: PathBuf,
    },
    /// The database was written by a newer version of this crate; it was left as it is.
    #[error("the store has schema version {found}, and this version of the crate knows schemas up to {known}")]
    NewerSchema {
        /// The version of the stored schema.
        found: u32,
        /// The newest version that is known.
        known: u32,
    },
    /// The store cannot be opened.
    #[error("the store cannot be opened")]
    Store(#[source] StoreError),
}

impl ConfigError {
    #[cfg(any(
        feature = "mariadb-no-provider",
        feature = "postgres-no-provider",
        feature = "redis-no-provider",
        feature = "sqlite"
    ))]
    pub(crate) fn unknown_store_parameter(name: &str, known: &'static str) -> Self {
        // What is no name may be a part of a password.
        let is_name = (1..=64).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
        let parameter = if is_name { name } else { "(another, whose name is not shown)" };
        Self::UnknownStoreParameter { parameter: parameter.to_owned(), known }
    }
}
