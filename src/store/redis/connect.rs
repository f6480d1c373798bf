//! Opens connections: TCP or a Unix socket, TLS, and the login.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ProtocolVersion, PushInfo, RedisConnectionInfo};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::address::Address;
use super::connection::Connection;
use super::error::Cause;
use super::query;
use crate::ConfigError;
use crate::store::StoreErrorKind;

/// What connections to all servers of a store have in common.
pub(super) struct Connector {
    login: RedisConnectionInfo,
    tls: Option<TlsConnector>,
    patience: Duration,
    queue: usize,
}

impl Connector {
    /// `patience` is for one attempt; `queue` is the number of calls that a connection takes before others wait.
    pub(super) fn new(login: RedisConnectionInfo, tls: Option<TlsConnector>, patience: Duration, queue: usize) -> Self {
        Self { login, tls, patience, queue }
    }

    /// A connection for calls.
    pub(super) async fn connect(&self, address: &Address) -> Result<Connection, Cause> {
        let attempt = async {
            let connection = self.attempt(address, &self.login, self.config()).await?;
            // A server that refuses is sent the text of a script instead, when it does not know one.
            let scripts = query::scripts();
            let loaded = connection.calls.clone().send_packed_commands(&scripts, 0, scripts.len()).await;
            loaded.map_err(Cause::connection)?;
            Ok(connection)
        };
        timeout(self.patience, attempt).await.unwrap_or_else(|_| Err(Cause::late()))
    }

    /// A connection on which the server may also speak first; what it says so comes here, before the answer to
    /// anything that it has read later.
    pub(super) async fn listen(&self, address: &Address, said: UnboundedSender<PushInfo>) -> Result<Connection, Cause> {
        let login = self.login.clone().set_protocol(ProtocolVersion::RESP3);
        let attempt = self.attempt(address, &login, self.config().set_push_sender(said));
        timeout(self.patience, attempt).await.unwrap_or_else(|_| Err(Cause::late()))
    }

    fn config(&self) -> AsyncConnectionConfig {
        AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_pipeline_buffer_size(self.queue)
    }

    async fn attempt(
        &self,
        address: &Address,
        login: &RedisConnectionInfo,
        config: AsyncConnectionConfig,
    ) -> Result<Connection, Cause> {
        let failed = |error: io::Error| Cause::unreachable(&error);
        match address {
            Address::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(failed)?;
                // A call is one write: nothing is gained by waiting for more.
                stream.set_nodelay(true).map_err(failed)?;
                let Some(tls) = &self.tls else { return start(stream, login, config).await };
                let name = ServerName::try_from(host.clone())
                    .map_err(|_| Cause::new(StoreErrorKind::Internal, "no certificate can be valid for the host"))?;
                start(tls.connect(name, stream).await.map_err(failed)?, login, config).await
            }
            #[cfg(unix)]
            Address::Socket(path) => {
                let stream = tokio::net::UnixStream::connect(path).await.map_err(failed)?;
                start(stream, login, config).await
            }
        }
    }
}

async fn start(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    login: &RedisConnectionInfo,
    config: AsyncConnectionConfig,
) -> Result<Connection, Cause> {
    let (calls, driver) =
        MultiplexedConnection::new_with_config(login, stream, config).await.map_err(Cause::connection)?;
    Ok(Connection { calls, driver: tokio::spawn(driver).abort_handle() })
}

/// TLS by rustls, which trusts the authorities of the system and these certificates.
pub(super) fn tls(root_certificates: &[Vec<u8>]) -> Result<TlsConnector, ConfigError> {
    let invalid = |problem| ConfigError::RootCertificate { problem };
    let mut roots = RootCertStore::empty();
    for pem in root_certificates {
        let blocks = pem::parse_many(pem).map_err(|_| invalid("it is not PEM"))?;
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
    }
    // Some of the system's are odd on every system.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(invalid("the system has none and none was given"));
    }
    // The provider is named: the process may have another, or none, as its default.
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| invalid("no version of TLS is compiled in"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_certificate_is_a_certificate() {
        for text in [
            "",
            "-----BEGIN CERTIFICATE-----",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        ] {
            let outcome = tls(&[text.as_bytes().to_vec()]);
            assert!(matches!(outcome, Err(ConfigError::RootCertificate { .. })), "{text}");
        }
    }
}
