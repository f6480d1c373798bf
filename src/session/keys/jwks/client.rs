//! The transport that comes with the crate.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

use super::error::{JwksError, JwksErrorKind as Kind};
use super::transport::JwksTransport;
use crate::{ConfigError, tls};

/// The largest header of a response, in bytes.
const MAX_HEADER_BYTES: usize = 32 * 1024;

/// Firewalls refuse requests without one, among them AWS's managed rules.
const USER_AGENT: &str = concat!("tower-user-metadata/", env!("CARGO_PKG_VERSION"));

/// What curl sends, so every key server has been tried with it: the API server of Kubernetes answers 406 to
/// `application/json`, and the OWASP rules for firewalls refuse requests without this header.
const ACCEPT: &str = "*/*";

/// hyper's client: it knows nothing of redirects, proxies and cookies, and asks for no compressed body, so what is read
/// is never more than what was sent.
pub(super) struct HttpsClient(Client<HttpsConnector<HttpConnector>, Empty<Bytes>>);

impl HttpsClient {
    /// A client that trusts the authorities of the system, if it shall speak TLS, and these.
    pub(super) fn new(speaks_tls: bool, root_certificates: &[Vec<u8>]) -> Result<Self, ConfigError> {
        let mut roots = RootCertStore::empty();
        for pem in root_certificates {
            add(&mut roots, pem)?;
        }
        if speaks_tls {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(ConfigError::RootCertificate { problem: "the system has none and none was given" });
            }
        }
        let config = ClientConfig::builder_with_provider(tls::provider()?)
            .with_safe_default_protocol_versions()
            .map_err(|error| ConfigError::JwksUnavailable(Box::new(error)))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build();
        let client = Client::builder(TokioExecutor::new())
            // The next fetch is minutes away, and a kept connection would be a task that outlives this one.
            .pool_max_idle_per_host(0)
            // One fetch is one request.
            .retry_canceled_requests(false)
            .http1_max_buf_size(MAX_HEADER_BYTES)
            .build(connector);
        Ok(Self(client))
    }
}

#[async_trait]
impl JwksTransport for HttpsClient {
    async fn get(&self, url: &Uri, max_bytes: usize) -> Result<Response<Bytes>, JwksError> {
        let unreachable = |error| JwksError::new(Kind::Unreachable).with_source(error);
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = url.clone();
        request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static(ACCEPT));
        let (head, body) =
            self.0.request(request).await.map_err(|error| unreachable(Box::new(error).into()))?.into_parts();
        let body = Limited::new(body, max_bytes).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { JwksError::new(Kind::TooLarge) } else { unreachable(error) }
        })?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }
}

impl fmt::Debug for HttpsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpsClient")
    }
}

/// Adds the certificates of a PEM text, of which there must be one.
fn add(roots: &mut RootCertStore, text: &[u8]) -> Result<(), ConfigError> {
    let invalid = |problem| ConfigError::RootCertificate { problem };
    let blocks = pem::parse_many(text).map_err(|_| invalid("it is not PEM"))?;
    if blocks.is_empty() {
        return Err(invalid("there is no PEM block"));
    }
    for block in blocks {
        if block.tag() != "CERTIFICATE" {
            return Err(invalid("a PEM block is not a `CERTIFICATE`"));
        }
        let certificate = CertificateDer::from(block.into_contents());
        roots.add(certificate).map_err(|_| invalid("a certificate is malformed"))?;
    }
    Ok(())
}
