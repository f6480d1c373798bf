//! The one place where a failure of Redis becomes a [`StoreError`].

use std::borrow::Cow;
use std::io;

use redis::{ErrorKind, RedisError, ServerError, Value};

use crate::store::{StoreError, StoreErrorKind};

/// Why a call has no answer.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// It was not sent, so nothing happened.
    NotSent(Cause),
    /// It was sent and no answer came, so a write may have happened.
    NoAnswer(Cause),
}

/// What went wrong. The texts of the server and of the driver stay out: they repeat arguments, addresses and names.
#[derive(Clone, Debug, thiserror::Error)]
#[error("Redis: {what}")]
pub(super) struct Cause {
    kind: StoreErrorKind,
    what: Cow<'static, str>,
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
    pub(super) fn new(kind: StoreErrorKind, what: &'static str) -> Self {
        Self { kind, what: Cow::Borrowed(what) }
    }

    pub(super) fn late() -> Self {
        Self::new(StoreErrorKind::Timeout, "the deadline passed")
    }

    /// An attempt to reach a server that failed.
    pub(super) fn unreachable(error: &io::Error) -> Self {
        // What rustls says is about the certificate of the server only.
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let what = tls.map_or_else(|| error.kind().to_string(), ToString::to_string);
        Self { kind: StoreErrorKind::Unavailable, what: Cow::Owned(what) }
    }

    /// A connection that broke, or that the server did not let in.
    pub(super) fn connection(error: RedisError) -> Self {
        let kind = error.kind();
        match ServerError::try_from(error) {
            Ok(refusal) => Self::refusal(&refusal),
            Err(_) if kind == ErrorKind::AuthenticationFailed => Self::of_code("WRONGPASS", None),
            Err(error) => Self { kind: StoreErrorKind::Unavailable, what: Cow::Owned(error.category().to_owned()) },
        }
    }

    /// An answer that refuses a command. Commands and scripts are refused before they write, so nothing happened.
    pub(super) fn refusal(error: &ServerError) -> Self {
        Self::of_code(error.code(), error.details())
    }

    fn of_code(code: &str, details: Option<&str>) -> Self {
        let (kind, what) = match code {
            // It starts, fails over, lacks memory, disk or replicas, or runs a long script: this passes.
            "LOADING" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "READONLY" | "OOM" | "MISCONF" | "NOREPLICAS"
            | "BUSY" => (StoreErrorKind::Unavailable, None),
            "ERR" if details.is_some_and(|text| text.starts_with("max number of clients")) => {
                (StoreErrorKind::Unavailable, Some("the server has too many clients"))
            }
            "MOVED" | "ASK" => {
                (StoreErrorKind::Internal, Some("the server is one of a Cluster, which `redis+cluster:` opens"))
            }
            "WRONGTYPE" => (StoreErrorKind::Corrupt, None),
            // A name, a password or a right is missing, or a command: somebody has to do something.
            _ => (StoreErrorKind::Internal, None),
        };
        let is_code = !code.is_empty() && code.len() <= 32 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        let what = match what {
            Some(what) => Cow::Borrowed(what),
            None if is_code => Cow::Owned(code.to_owned()),
            None => Cow::Borrowed("an error without a code"),
        };
        Self { kind, what }
    }
}

impl From<Cause> for StoreError {
    fn from(cause: Cause) -> Self {
        Self::new(cause.kind).with_source(cause)
    }
}

/// What is stored for a user is no document.
pub(super) fn damaged() -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt).with_source(DamagedHash)
}

/// An answer that no server that works gives.
pub(super) fn unexpected() -> StoreError {
    Cause::new(StoreErrorKind::Internal, "an answer that was not expected").into()
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

    fn refused(line: &str) -> StoreError {
        let value = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).expect("a reply");
        let redis::Value::ServerError(error) = value else { panic!("{line} is no error") };
        Cause::refusal(&error).into()
    }

    #[test]
    fn each_refusal_has_a_kind_and_changed_nothing() {
        for (line, kind) in [
            ("OOM command not allowed when used memory > 'maxmemory'.", StoreErrorKind::Unavailable),
            ("READONLY You can't write against a read only replica.", StoreErrorKind::Unavailable),
            ("LOADING Redis is loading the dataset in memory", StoreErrorKind::Unavailable),
            ("CLUSTERDOWN Hash slot not served", StoreErrorKind::Unavailable),
            ("MISCONF Errors writing to the AOF file", StoreErrorKind::Unavailable),
            ("NOREPLICAS Not enough good replicas to write.", StoreErrorKind::Unavailable),
            ("ERR max number of clients reached", StoreErrorKind::Unavailable),
            ("MOVED 3999 127.0.0.1:6381", StoreErrorKind::Internal),
            ("NOSCRIPT No matching script.", StoreErrorKind::Internal),
            ("NOAUTH Authentication required.", StoreErrorKind::Internal),
            ("WRONGPASS invalid username-password pair or user is disabled.", StoreErrorKind::Internal),
            ("NOPERM this user has no permissions to access the 'secret' key", StoreErrorKind::Internal),
            ("WRONGTYPE Operation against a key holding the wrong kind of value", StoreErrorKind::Corrupt),
            ("secret of a proxy", StoreErrorKind::Internal),
        ] {
            let error = refused(line);
            assert_eq!((error.kind(), error.may_have_happened()), (kind, false), "{line}");
            let printed = format!("{error:?}");
            assert!(!printed.contains("secret") && !printed.contains("127.0.0.1"), "{printed}");
        }
        assert!(refused("OOM x").is_retryable());
        assert!(format!("{:?}", refused("OOM x")).contains("OOM"));
    }

    #[test]
    fn only_a_write_without_an_answer_may_have_happened() {
        let lost = Failure::NoAnswer(Cause::late());
        assert!(lost.clone().of_write().may_have_happened());
        assert!(!lost.of_read().may_have_happened());
        assert!(!Failure::NotSent(Cause::late()).of_write().may_have_happened());
    }
}
