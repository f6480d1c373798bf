use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Response, Uri};

use super::error::JwksError;

/// Carries requests to a key server; the crate's own does it by hyper and rustls.
///
/// Implement it to go through a proxy, or to script a key server in a test. What holds for the crate's own must then
/// hold for yours: one request is sent, a redirect is an answer and is not followed, there are no cookies, the
/// certificate of the server is checked, and reading stops at `max_bytes`. A dropped future ends the request; the
/// deadline is kept by dropping it.
///
/// ```
/// use async_trait::async_trait;
/// use bytes::Bytes;
/// use http::{Response, Uri};
/// use tower_user_metadata::session::keys::{Algorithm, Jwks, JwksError, JwksTransport};
///
/// /// A key server that always has the same key.
/// #[derive(Debug)]
/// struct OneKey;
///
/// #[async_trait]
/// impl JwksTransport for OneKey {
///     async fn get(&self, url: &Uri, max_bytes: usize) -> Result<Response<Bytes>, JwksError> {
///         let body = br#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"2026","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
///         Ok(Response::new(Bytes::from_static(body)))
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let keys = Jwks::builder([Algorithm::EdDSA])
///     .with_url("https://auth.example.com/jwks")
///     .with_transport(OneKey)
///     .build()
///     .await?;
/// assert_eq!(keys.status().keys, Some(1));
/// # Ok::<(), tower_user_metadata::ConfigError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[async_trait]
pub trait JwksTransport: Debug + Send + Sync + 'static {
    /// Answers the response to a `GET` of this URL, whatever its status, with its whole body.
    ///
    /// # Errors
    ///
    /// There is no response, or its body has more than `max_bytes`.
    async fn get(&self, url: &Uri, max_bytes: usize) -> Result<Response<Bytes>, JwksError>;
}
