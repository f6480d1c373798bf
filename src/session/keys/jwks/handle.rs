use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::source::Source;
use super::status::JwksStatus;
use super::url;
use crate::session::internal::Internal;
use crate::session::keys::set::KeySet;
use crate::session::keys::source::KeySource;
use crate::session::keys::version::KeySetVersion;

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
/// [deadline](super::JwksBuilder::with_fetch_deadline), and only if one is under way or may begin: between the beginnings of
/// two fetches lies at least the [cool-down](super::JwksBuilder::with_cool_down), whatever came of the first. So a new key is
/// taken after the cool-down at the latest, and no flood of made-up tokens makes more than one request to the key
/// server in that time. A `kid` of more than 256 bytes is never asked for.
///
/// # How long a key is good
///
/// Fetches also begin on schedule, so a key that was removed is refused within the
/// [refresh interval](super::JwksBuilder::with_refresh_interval). When a fetch fails, the keys at hand stay for as long as
/// [`with_max_stale`](super::JwksBuilder::with_max_stale) says; after that, and when there never were keys, the answer is 503
/// and not 401. An answer that is a JWK set replaces the keys also if none of its keys can be used: then every token is
/// refused. Ages are measured by a clock that is never set and that stands still while the machine sleeps.
///
/// # What is taken from a key server
///
/// An answer with status 200 that is a JWK set (RFC 7517 section 5) of at most 256 KiB and 100 keys. A key that cannot be
/// used is skipped, a warning in the log says why, and the others are used. Redirects are not followed, no proxy
/// of the environment is used, there are no cookies, and no URL is ever taken from a token. A request says
/// `User-Agent: tower-user-metadata/VERSION` and `Accept: */*`.
#[derive(Clone)]
pub struct Jwks(pub(super) Arc<Source>);

impl Jwks {
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

    fn refresh(&self, kid: Option<&str>) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        self.0.refresh(kid)
    }

    fn current_version(&self, _: Internal) -> Option<KeySetVersion> {
        self.0.for_request(|keys| keys.version())
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
