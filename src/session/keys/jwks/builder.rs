use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use tokio::runtime::Handle;

#[cfg(feature = "jwks-no-provider")]
use super::client::HttpsClient;
use super::fetch::Fetcher;
use super::handle::Jwks;
use super::source::Source;
use super::times::Times;
use super::transport::JwksTransport;
use super::url;
use crate::ConfigError;
use crate::session::keys::InvalidKey;
use crate::session::keys::algorithm::{Algorithm, KeyType};

const REFRESH_INTERVAL: Duration = Duration::from_secs(4 * 3600);
const COOL_DOWN: Duration = Duration::from_secs(10);
const MIN_COOL_DOWN: Duration = Duration::from_millis(500);
const FETCH_DEADLINE: Duration = Duration::from_secs(5);
const MAX_STALE: Duration = Duration::from_secs(24 * 3600);

/// More than anybody means; within it no time overflows.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

impl Jwks {
    /// A key server, and the algorithms that its keys are taken for; a key without `alg` is used with the first that
    /// fits it.
    pub fn builder(algorithms: impl IntoIterator<Item = Algorithm>) -> JwksBuilder {
        JwksBuilder::new(algorithms.into_iter().collect())
    }
}

/// A [`Jwks`] in the making.
#[must_use]
pub struct JwksBuilder {
    algorithms: Vec<Algorithm>,
    urls: Vec<String>,
    times: Times,
    offline_start: bool,
    allow_http: bool,
    root_certificates: Vec<Vec<u8>>,
    transport: Option<Arc<dyn JwksTransport>>,
}

impl JwksBuilder {
    fn new(algorithms: Vec<Algorithm>) -> Self {
        Self {
            algorithms,
            urls: Vec::new(),
            times: Times {
                refresh_interval: REFRESH_INTERVAL,
                cool_down: COOL_DOWN,
                fetch_deadline: FETCH_DEADLINE,
                max_stale: MAX_STALE,
            },
            offline_start: false,
            allow_http: false,
            root_certificates: Vec::new(),
            transport: None,
        }
    }

    /// Adds the URL of a JWK set: `https`, or `http` to a loopback address (`127.0.0.0/8`, `[::1]`, `localhost`). Of
    /// several the first that answers with a JWK set is taken, in this order, in each fetch.
    pub fn with_url(mut self, url: impl Into<String>) -> Self {
        self.urls.push(url.into());
        self
    }

    /// Adds the JWK set of a SuperTokens core, by the `connectionURI` of its SDKs: one or several hosts with an
    /// optional path, separated by semicolons, for example `http://localhost:3567/appid-shop`.
    pub fn with_supertokens_core(mut self, connection_uri: impl AsRef<str>) -> Self {
        self.urls.extend(url::of_supertokens_core(connection_uri.as_ref()));
        self
    }

    /// Sets the longest time between two fetches that succeed. Default 4 hours, as in the SDKs of SuperTokens: new keys
    /// do not wait for it, only removed ones do.
    ///
    /// The key server can shorten it, never lengthen it, by `Cache-Control: max-age`, to 60 seconds at the least; to that
    /// also by `no-store` and `no-cache`. It is never shorter than the cool-down nor longer than
    /// [`with_max_stale`](Self::with_max_stale).
    pub fn with_refresh_interval(mut self, interval: Duration) -> Self {
        self.times.refresh_interval = interval;
        self
    }

    /// Sets the shortest time between the beginnings of two fetches. Default 10 seconds: a key that tokens use before it
    /// was fetched is waited for that long, and a flood of made-up tokens costs the key server six requests a minute. At
    /// least 500 milliseconds, as in the SDKs of SuperTokens.
    ///
    /// A key server that answers 429 or 503 can lengthen it once, by `Retry-After` in seconds, to 5 minutes at the most.
    pub fn with_cool_down(mut self, cool_down: Duration) -> Self {
        self.times.cool_down = cool_down;
        self
    }

    /// Sets how long a fetch may take as a whole, over all URLs, which share it. Default 5 seconds: a request with an
    /// unknown key waits that long.
    pub fn with_fetch_deadline(mut self, deadline: Duration) -> Self {
        self.times.fetch_deadline = deadline;
        self
    }

    /// Sets how old keys may get while fetches fail. Default 24 hours: long enough to mend a key server, and the longest
    /// time for which somebody who cuts it off can keep a withdrawn key alive.
    pub fn with_max_stale(mut self, age: Duration) -> Self {
        self.times.max_stale = age;
        self
    }

    /// Starts also when the key server cannot be reached or has no usable key, after the one try that there always is:
    /// until it has, sessions are answered with 503, or 401 in the latter case. By default such a start is an error, so
    /// that a wrong URL is found at once.
    pub fn with_offline_start(mut self) -> Self {
        self.offline_start = true;
        self
    }

    /// Takes keys by plain http from any host, for example `http://supertokens:3567` between containers.
    ///
    /// # Security
    ///
    /// An attacker who can answer in the place of that host sends keys of their own, and signs in as any user.
    pub fn with_dangerous_plain_http(mut self) -> Self {
        self.allow_http = true;
        self
    }

    /// Trusts these certificates, in PEM, beside the authorities that the system trusts: for private authorities.
    /// A transport of your own does not see them.
    pub fn with_root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificates.push(pem.into());
        self
    }

    /// Sets what carries the requests. Default hyper with rustls, HTTP/1.1, which is there with one of the features `jwks`,
    /// `jwks-ring` and `jwks-no-provider`.
    pub fn with_transport(mut self, transport: impl JwksTransport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// The keys, after the first fetch; to be called on a Tokio runtime with time and I/O. Fetches that are not due to a
    /// request run on that runtime for as long as it lasts, then on that of the requests.
    ///
    /// # Errors
    ///
    /// No algorithm or one of shared secrets, no URL or one that is not taken, a root certificate that is none, no client to
    /// ask with and no transport, or no provider of cryptography for TLS; and,
    /// unless [`with_offline_start`](Self::with_offline_start) is set, no key server or none with a usable key.
    pub async fn build(self) -> Result<Jwks, ConfigError> {
        let runtime = Handle::try_current().map_err(|error| ConfigError::JwksUnavailable(Box::new(error)))?;
        let offline_start = self.offline_start;
        let source = Source::new(self.fetcher()?, self.times());
        if let Some(fetching) = source.fetch(&runtime) {
            fetching.await;
        }
        if !offline_start {
            if let Some(error) = source.last_error() {
                return Err(ConfigError::JwksUnavailable(Box::new(error)));
            }
            if source.usable().is_none_or(|keys| keys.is_empty()) {
                return Err(ConfigError::Key(InvalidKey::NoUsableKey));
            }
        }
        source.keep_up();
        Ok(Jwks(source))
    }

    fn fetcher(&self) -> Result<Fetcher, ConfigError> {
        if self.algorithms.is_empty() {
            return Err(ConfigError::NoAlgorithm);
        }
        if let Some(secret) = self.algorithms.iter().find(|known| matches!(known.key_type(), KeyType::Secret(_))) {
            return Err(ConfigError::JwksSecret { algorithm: secret.name() });
        }
        let urls = self.urls.iter().map(|url| url::parse(url, self.allow_http)).collect::<Result<Vec<_>, _>>()?;
        if urls.is_empty() {
            return Err(ConfigError::JwksUrl { problem: "there is none" });
        }
        let transport = match &self.transport {
            Some(transport) => Arc::clone(transport),
            None => self.https_client(&urls)?,
        };
        Ok(Fetcher { urls, algorithms: self.algorithms.clone(), transport })
    }

    #[cfg(feature = "jwks-no-provider")]
    fn https_client(&self, urls: &[Uri]) -> Result<Arc<dyn JwksTransport>, ConfigError> {
        let speaks_tls = urls.iter().any(|url| url.scheme_str() == Some("https"));
        Ok(Arc::new(HttpsClient::new(speaks_tls, &self.root_certificates)?))
    }

    #[cfg(not(feature = "jwks-no-provider"))]
    #[expect(clippy::unused_self, reason = "as with the feature")]
    fn https_client(&self, _: &[Uri]) -> Result<Arc<dyn JwksTransport>, ConfigError> {
        Err(ConfigError::NoJwksTransport)
    }

    fn times(&self) -> Times {
        let cool_down = self.times.cool_down.clamp(MIN_COOL_DOWN, FOREVER);
        let max_stale = self.times.max_stale.clamp(cool_down, FOREVER);
        Times {
            refresh_interval: self.times.refresh_interval.clamp(cool_down, max_stale),
            cool_down,
            fetch_deadline: self.times.fetch_deadline.min(FOREVER),
            max_stale,
        }
    }
}

impl fmt::Debug for JwksBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A URL that was not looked at yet may hold a password.
        f.debug_struct("JwksBuilder")
            .field("algorithms", &self.algorithms)
            .field("urls", &self.urls.len())
            .field("times", &self.times)
            .finish_non_exhaustive()
    }
}
