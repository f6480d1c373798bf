//! Opens connections: TCP or a Unix socket, TLS, and the login.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::socket2::{SockRef, TcpKeepalive};
use redis::{
    AsyncConnectionConfig, Pipeline, ProtocolVersion, PushInfo, RedisConnectionInfo, RedisError, ServerError, Value,
};
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
use super::query_server;
use crate::ConfigError;
use crate::store::StoreErrorKind;

/// How long a connection may be idle before the system sees whether the other end is still there. Balancers and firewalls
/// forget connections that are idle for some minutes (350 seconds at AWS, 4 minutes at Azure), without a word to either end:
/// the next call would wait for its deadline, and of a write the outcome would be unknown.
const KEEPALIVE: Duration = Duration::from_secs(60);

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
        self.patiently(address, async {
            // The login is ours: the driver's says of a refusal only that there is one.
            let anonymous = RedisConnectionInfo::default().set_skip_set_lib_name();
            let connection = self.attempt(address, &anonymous, self.config()).await?;
            self.log_in(&connection).await?;
            Ok(connection)
        })
        .await
    }

    /// A connection on which the server may push messages. They are passed to `pushes`, each before the answer to any command
    /// that the server read after it sent the message.
    pub(super) async fn listen(
        &self,
        address: &Address,
        pushes: UnboundedSender<PushInfo>,
    ) -> Result<Connection, Cause> {
        let login = self.login.clone().set_protocol(ProtocolVersion::RESP3);
        self.patiently(address, self.attempt(address, &login, self.config().set_push_sender(pushes))).await
    }

    async fn patiently(
        &self,
        address: &Address,
        attempt: impl Future<Output = Result<Connection, Cause>>,
    ) -> Result<Connection, Cause> {
        let outcome = timeout(self.patience, attempt).await.unwrap_or_else(|_| Err(Cause::slow()));
        outcome.map_err(|cause| cause.at(address))
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
                let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
                SockRef::from(&stream).set_tcp_keepalive(&keepalive).map_err(failed)?;
                let Some(tls) = &self.tls else { return self.start(stream, login, config).await };
                let name = ServerName::try_from(host.clone())
                    .map_err(|_| Cause::new(StoreErrorKind::Internal, "no certificate can be valid for the host"))?;
                // Less than the whole attempt, so that it is known what took so long.
                let handshake = timeout(self.patience.mul_f64(0.75), tls.connect(name, stream)).await;
                let stream = handshake.map_err(|_| Cause::silent_tls())?.map_err(|error| Cause::tls(&error))?;
                self.start(stream, login, config).await
            }
            #[cfg(unix)]
            Address::Socket(path) => {
                let stream = tokio::net::UnixStream::connect(path).await.map_err(failed)?;
                self.start(stream, login, config).await
            }
        }
    }

    async fn start(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        login: &RedisConnectionInfo,
        config: AsyncConnectionConfig,
    ) -> Result<Connection, Cause> {
        let connection = MultiplexedConnection::new_with_config(login, stream, config).await;
        let (calls, driver) = connection.map_err(|error| self.first_contact(error))?;
        Ok(Connection { calls, driver: tokio::spawn(driver).abort_handle() })
    }

    /// Authenticates, and makes the scripts known. A server that refuses the latter gets the text of a script instead of its
    /// digest.
    async fn log_in(&self, connection: &Connection) -> Result<(), Cause> {
        let login = query_server::login(&self.login);
        let demanded = login.len();
        let mut commands = login.into_iter().chain(query::scripts());
        let Some(first) = commands.next() else { return Ok(()) };
        let mut others = Pipeline::new();
        for command in commands {
            others.add_command(command);
        }
        // The first is a request by itself, sent together with the rest: a server that refuses everybody answers the first
        // with its reason and closes, and the driver returns all answers of a pipeline or none.
        let (mut one, mut many) = (connection.calls.clone(), connection.calls.clone());
        let (first, others) =
            tokio::join!(one.send_packed_command(&first), many.send_packed_commands(&others, 0, others.len()));
        let first = match first {
            Ok(answer) => answer,
            Err(error) => match ServerError::try_from(error) {
                Ok(refusal) => Value::ServerError(refusal),
                Err(error) => return Err(self.first_contact(error)),
            },
        };
        let refused =
            |answer: &Value| matches!(answer, Value::ServerError(refusal) if query_server::refuses_everything(refusal));
        if let Value::ServerError(refusal) = &first
            && (demanded > 0 || refused(&first))
        {
            return Err(Cause::refusal(refusal));
        }
        let others = others.map_err(Cause::connection)?;
        let login = others.iter().take(demanded.saturating_sub(1));
        let scripts = others.iter().skip(demanded.saturating_sub(1)).filter(|answer| refused(answer));
        match login.chain(scripts).find_map(|answer| match answer {
            Value::ServerError(refusal) => Some(Cause::refusal(refusal)),
            _ => None,
        }) {
            Some(cause) => Err(cause),
            None => Ok(()),
        }
    }

    fn first_contact(&self, error: RedisError) -> Cause {
        Cause::first_contact(error, self.tls.is_some())
    }
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
    let config = ClientConfig::builder_with_provider(crate::tls::provider()?)
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
