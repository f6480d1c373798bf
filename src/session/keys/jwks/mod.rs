//! The keys of a key server: a JWK set behind a URL.

mod builder;
#[cfg(feature = "jwks-no-provider")]
mod client;
mod control;
mod error;
mod fetch;
mod flight;
mod schedule;
mod source;
mod transport;
mod unknown;
mod url;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use builder::JwksBuilder;
pub use error::{JwksError, JwksErrorKind};
pub use transport::JwksTransport;

use self::source::Source;
use super::{Algorithm, Generation, KeySet, KeySource, SkippedKey};

type Fetching = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The keys of a key server, kept fresh; clones share them.
///
/// ```
/// use tower_user_metadata::session::JwtVerifier;
/// use tower_user_metadata::session::keys::{Algorithm, Jwks};
///
/// # use tower_user_metadata::session::keys::{JwksError, JwksTransport};
/// # #[derive(Debug)]
/// # struct OneKey;
/// # #[async_trait::async_trait]
/// # impl JwksTransport for OneKey {
/// #     async fn get(&self, _: &http::Uri, _: usize) -> Result<http::Response<bytes::Bytes>, JwksError> {
/// #         let key = r#"{"kty":"OKP","crv":"Ed25519","kid":"2026","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
/// #         Ok(http::Response::new(format!(r#"{{"keys":[{key}]}}"#).into()))
/// #     }
/// # }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let keys = Jwks::builder([Algorithm::EdDSA])
///     .with_url("https://auth.example.com/.well-known/jwks.json")
/// #   .with_transport(OneKey)
///     .build()
///     .await?;
/// assert_eq!(keys.status().keys, Some(1));
/// let verifier = JwtVerifier::builder(keys.clone()).with_issuer("https://auth.example.com").build()?;
/// // At shutdown.
/// keys.close().await;
/// # drop(verifier);
/// # Ok::<(), tower_user_metadata::ConfigError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What a request pays
///
/// A token under a known key is verified without waiting and without I/O, also while keys are being fetched and while
/// the key server is down. A token under an unknown key waits for a fetch, at most for its
/// [deadline](JwksBuilder::with_fetch_deadline), and only if one is under way or may begin: between the beginnings of
/// two fetches lies at least the [cool-down](JwksBuilder::with_cool_down), whatever came of the first. So a new key is
/// taken after the cool-down at the latest, and no flood of made-up tokens makes more than one request to the key
/// server in that time. A `kid` of more than 256 bytes is never asked for.
///
/// # How long a key is good
///
/// Fetches also begin on schedule, so a key that was removed is refused within the
/// [refresh interval](JwksBuilder::with_refresh_interval). When a fetch fails, the keys at hand stay for as long as
/// [`with_max_stale`](JwksBuilder::with_max_stale) says; after that, and when there never were keys, the answer is 503
/// and not 401. An answer that is a JWK set replaces the keys also if none of its keys can be used: then every token is
/// refused. Ages are measured by a clock that is never set and that stands still while the machine sleeps.
///
/// # What is taken from a key server
///
/// An answer with status 200 that is a JWK set (RFC 7517 section 5) of at most 256 KiB and 100 keys. A key that cannot be
/// used is skipped, a warning in the log says why, and the others are used. Redirects are not followed, no proxy
/// of the environment is used, there are no cookies, and no URL is ever taken from a token.
#[derive(Clone)]
pub struct Jwks(Arc<Source>);

/// How a [`Jwks`] is doing: for health checks and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JwksStatus {
    /// The number of keys that tokens are verified with now; `None` when there never were any or they are too old.
    pub keys: Option<usize>,
    /// The age of the keys, `None` when there never were any.
    pub age: Option<Duration>,
    /// The keys of the JWK set that were left out, and why.
    pub skipped: Vec<SkippedKey>,
    /// The fetches that were begun.
    pub fetches: u64,
    /// The fetches that failed since the last one that did not.
    pub failures: u32,
    /// Why the last fetch failed; `None` when it did not.
    pub last_error: Option<JwksErrorKind>,
    /// Whether a fetch is under way.
    pub fetching: bool,
    /// The number of names that are remembered because fresh key sets did not have them.
    pub unknown_kids: usize,
}

impl Jwks {
    /// A key server, and the algorithms that its keys are taken for; a key without `alg` is used with the first that
    /// fits it.
    pub fn builder(algorithms: impl IntoIterator<Item = Algorithm>) -> JwksBuilder {
        JwksBuilder::new(algorithms.into_iter().collect())
    }

    /// How the keys are doing.
    #[must_use]
    pub fn status(&self) -> JwksStatus {
        self.0.status()
    }

    /// Ends the background work, of all clones, and waits for that; the keys at hand stay until they are too old.
    ///
    /// When the last clone is dropped the work ends too, without waiting.
    ///
    /// # Cancel safety
    ///
    /// What is ended is ended with the first poll; the rest is waiting, for as long as the deadline of a fetch at most.
    pub async fn close(&self) {
        self.0.close().await;
    }
}

impl KeySource for Jwks {
    fn snapshot(&self) -> Option<Arc<KeySet>> {
        self.0.for_request(Arc::clone)
    }

    fn current_generation(&self) -> Option<Generation> {
        self.0.for_request(|keys| keys.generation())
    }

    fn refresh(&self, kid: Option<&str>) -> Option<Fetching> {
        self.0.refresh(kid)
    }
}

impl From<Jwks> for Arc<dyn KeySource> {
    fn from(keys: Jwks) -> Self {
        Arc::new(keys)
    }
}

impl fmt::Debug for Jwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls: Vec<_> = self.0.urls().iter().map(url::shown).collect();
        f.debug_struct("Jwks").field("urls", &urls).field("status", &self.status()).finish()
    }
}
