//! The one place where a failure of Redis becomes a [`StoreError`].

use std::borrow::Cow;
use std::io;

use redis::{ErrorKind, RedisError, ServerError, Value};

use super::address::Address;
use super::refusal;
use crate::store::{StoreError, StoreErrorKind};

/// Why a call has no answer.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// It was not sent, so nothing happened.
    NotSent(Cause),
    /// It was sent and no answer came, so a write may have happened.
    NoAnswer(Cause),
}

/// What went wrong, for the operator. The texts of the server stay out: they repeat arguments, keys and names of users.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{reason}")]
pub(super) struct Cause {
    kind: StoreErrorKind,
    reason: Cow<'static, str>,
    server: Option<Address>,
}

/// A stored hash that is not a document.
#[derive(Debug, thiserror::Error)]
#[error("the stored document is damaged")]
struct DamagedHash;

impl Failure {
    /// The failure of a call that reads, after which nothing can have happened.
    pub(super) fn of_read(self) -> StoreError {
        let (Self::NotSent(cause) | Self::NoAnswer(cause)) = self;
        cause.into()
    }

    /// The failure of a call that writes.
    pub(super) fn of_write(self) -> StoreError {
        match self {
            Self::NotSent(cause) => cause.into(),
            Self::NoAnswer(cause) => StoreError::from(cause).with_may_have_happened(),
        }
    }
}

impl Cause {
    pub(super) fn new(kind: StoreErrorKind, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, reason: reason.into(), server: None }
    }

    /// Says which server it was.
    pub(super) fn at(mut self, server: &Address) -> Self {
        self.server = Some(server.clone());
        self
    }

    pub(super) fn late() -> Self {
        Self::new(StoreErrorKind::Timeout, "the deadline of the call passed before the server answered")
    }

    /// An attempt to connect that took too long.
    pub(super) fn slow() -> Self {
        Self::new(StoreErrorKind::Timeout, "the server did not let us in within the time for an attempt to connect")
    }

    /// An attempt to reach a server that failed.
    pub(super) fn unreachable(error: &io::Error) -> Self {
        // The system says no more than what is wrong with the name, the address or the socket.
        Self::new(StoreErrorKind::Unavailable, error.to_string())
    }

    /// A server that says nothing when it is spoken to by TLS.
    pub(super) fn silent_tls() -> Self {
        Self::new(
            StoreErrorKind::Timeout,
            "the server did not answer the handshake; perhaps it speaks no TLS on this port",
        )
    }

    /// An attempt to speak TLS that failed.
    pub(super) fn tls(error: &io::Error) -> Self {
        // What rustls says is about the server only.
        let reason = match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidMessage(_)) => "the server does not speak TLS on this port".to_owned(),
            Some(rustls::Error::InvalidCertificate(problem)) => {
                format!("the certificate of the server is not trusted: {problem}")
            }
            Some(error) => format!("TLS with the server failed: {error}"),
            None => format!("TLS with the server failed, perhaps since it speaks none on this port: {error}"),
        };
        Self::new(StoreErrorKind::Unavailable, reason)
    }

    /// A connection that broke, or that the server did not let in.
    pub(super) fn connection(error: RedisError) -> Self {
        let error = match ServerError::try_from(error) {
            Ok(error) => return Self::refusal(&error),
            Err(error) => error,
        };
        match error.kind() {
            ErrorKind::AuthenticationFailed => Self::of_code("WRONGPASS", None),
            // An answer that was cut off is one that cannot be parsed, too.
            ErrorKind::Parse if error.detail().is_some_and(|detail| detail.contains("end of input")) => Self::closed(),
            ErrorKind::Parse => Self::new(StoreErrorKind::Internal, "the server does not speak the protocol of Redis"),
            ErrorKind::Io if error.is_connection_dropped() => Self::closed(),
            _ => Self::new(StoreErrorKind::Unavailable, error.category().to_owned()),
        }
    }

    fn closed() -> Self {
        Self::new(StoreErrorKind::Unavailable, "the server or a proxy before it closed the connection")
    }

    /// A connection that broke before anything was answered on it.
    pub(super) fn first_contact(error: RedisError, tls: bool) -> Self {
        let dropped = error.is_connection_dropped();
        match Self::connection(error) {
            cause if dropped && !tls => Self {
                // A reset may overtake the reason that a server gives before it closes.
                reason: Cow::Borrowed(
                    "the server closed the connection before it answered; perhaps it has too many clients (`maxclients`), is \
                     in protected mode, wants TLS (`rediss:`), or is no Redis",
                ),
                ..cause
            },
            cause => cause,
        }
    }

    /// An answer that refuses a command. Commands and scripts are refused before they write, so nothing happened.
    pub(super) fn refusal(error: &ServerError) -> Self {
        Self::of_code(error.code(), error.details())
    }

    fn of_code(code: &str, details: Option<&str>) -> Self {
        let (kind, reason) = refusal::explained(code, details.unwrap_or_default());
        Self::new(kind, reason)
    }
}

impl From<Cause> for StoreError {
    fn from(mut cause: Cause) -> Self {
        let server = cause.server.take();
        let error = Self::new(cause.kind).with_source(cause);
        match server {
            Some(server) => error.with_server(server.to_string()),
            None => error,
        }
    }
}

/// What is stored for a user is no document.
pub(super) fn damaged() -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt).with_source(DamagedHash)
}

/// An answer that no server that works gives.
pub(super) fn unexpected() -> StoreError {
    Cause::new(StoreErrorKind::Internal, "the server gave an answer that was not expected").into()
}

/// The refusal of a server, or an answer that no server that works gives.
pub(super) fn refused(answer: Value) -> StoreError {
    match answer {
        Value::ServerError(refusal) => Cause::refusal(&refusal).into(),
        _ => unexpected(),
    }
}

/// The write is done, and too few replicas have it.
pub(super) fn too_few_replicas() -> StoreError {
    let cause = Cause::new(StoreErrorKind::Unavailable, "too few replicas acknowledged the write in time");
    StoreError::from(cause).with_may_have_happened()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_write_without_an_answer_may_have_happened() {
        let lost = Failure::NoAnswer(Cause::late());
        assert!(lost.clone().of_write().may_have_happened());
        assert!(!lost.of_read().may_have_happened());
        assert!(!Failure::NotSent(Cause::late()).of_write().may_have_happened());
    }

    #[test]
    fn an_error_names_its_server() {
        let error = StoreError::from(Cause::late().at(&Address::Tcp("::1".to_owned(), 7)));
        assert_eq!(error.server(), Some("[::1]:7"));
    }
}
