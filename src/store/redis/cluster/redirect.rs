//! Follows the redirections of a Cluster, and bounds for how long.

use std::time::Duration;

use redis::{RedisError, ServerErrorKind, Value};
use tokio::time::{Instant, sleep};

use crate::store::StoreErrorKind;
use crate::store::redis::address::Address;
use crate::store::redis::error::{Cause, Failure};
use crate::store::redis::link::jitter;

/// What to do after an answer. All but the first say that nothing happened.
pub(super) enum Verdict {
    Answer(Value),
    /// The slot belongs to another server.
    Moved(Address),
    /// The slot moves to another server, and this call is to be taken there.
    Ask(Address),
    /// The server cannot answer now.
    Later(Cause),
}

pub(super) fn verdict(answer: Value, asked: &Address) -> Verdict {
    let error = match answer {
        Value::ServerError(error) => error,
        answer => return Verdict::Answer(answer),
    };
    match error.kind() {
        Some(kind @ (ServerErrorKind::Moved | ServerErrorKind::Ask)) => {
            let error = RedisError::from(error);
            let address = error.redirect_node().and_then(|(node, _)| node.rsplit_once(':'));
            let address = address.and_then(|(host, port)| Address::named(host, port.parse().ok()?, asked));
            match address {
                Some(address) if kind == ServerErrorKind::Moved => Verdict::Moved(address),
                Some(address) => Verdict::Ask(address),
                None => Verdict::Later(Cause::new(StoreErrorKind::Unavailable, "a slot moves to an unknown server")),
            }
        }
        Some(
            ServerErrorKind::TryAgain
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::MasterDown
            | ServerErrorKind::BusyLoading
            | ServerErrorKind::ReadOnly,
        ) => Verdict::Later(Cause::refusal(&error)),
        _ => Verdict::Answer(Value::ServerError(error)),
    }
}

/// Why an answer is no map of the Cluster.
pub(super) fn no_map(answer: &Value) -> Cause {
    match answer {
        Value::ServerError(error) if error.details().is_some_and(|text| text.contains("support disabled")) => {
            Cause::new(StoreErrorKind::Internal, "the server is not one of a Cluster; `redis:` opens it")
        }
        Value::ServerError(error) => Cause::refusal(error),
        _ => Cause::new(StoreErrorKind::Internal, "an answer that is no map of the Cluster"),
    }
}

/// How often a call follows redirections before it counts as sent in circles.
const REDIRECTIONS: u32 = 16;

/// How long a call waits in all for a Cluster that changes. Not until the deadline: while one part of a Cluster has no
/// primary, calls to it would take the room of the calls to the others.
const LONGEST: Duration = Duration::from_millis(500);

const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// What a call has left.
#[derive(Default)]
pub(super) struct Patience {
    redirections: u32,
    pauses: u32,
    paused: Duration,
}

impl Patience {
    /// Before a call is sent again: waits if there was trouble, and fails when enough was tried.
    pub(super) async fn take(&mut self, trouble: Option<Cause>, deadline: Instant) -> Result<(), Failure> {
        let Some(cause) = trouble else {
            self.redirections += 1;
            if self.redirections > REDIRECTIONS {
                let cause = Cause::new(StoreErrorKind::Unavailable, "the Cluster sends a call in circles");
                return Err(Failure::NotSent(cause));
            }
            return Ok(());
        };
        let pause = jitter(FIRST_PAUSE * 2_u32.pow(self.pauses.min(4)));
        if self.paused >= LONGEST || Instant::now() + pause >= deadline {
            return Err(Failure::NotSent(cause));
        }
        self.pauses += 1;
        self.paused += pause;
        sleep(pause).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirections_are_understood() {
        let asked = Address::Tcp("asked".to_owned(), 1);
        let verdict = |line: &str| {
            let answer = redis::parse_redis_value(format!("{line}\r\n").as_bytes()).expect("a reply");
            verdict(answer, &asked)
        };
        let at = |host: &str, port| Address::Tcp(host.to_owned(), port);
        assert!(matches!(verdict("-MOVED 3999 10.0.0.1:6381"), Verdict::Moved(to) if to == at("10.0.0.1", 6381)));
        assert!(matches!(verdict("-MOVED 3999 ::1:6381"), Verdict::Moved(to) if to == at("::1", 6381)));
        assert!(matches!(verdict("-MOVED 3999 :6381"), Verdict::Moved(to) if to == at("asked", 6381)));
        assert!(matches!(verdict("-ASK 3999 b:6381"), Verdict::Ask(to) if to == at("b", 6381)));
        for later in ["-ASK 3999 ?:6381", "-MOVED 3999", "-TRYAGAIN x", "-CLUSTERDOWN x", "-LOADING x", "-READONLY x"] {
            assert!(matches!(verdict(later), Verdict::Later(_)), "{later}");
        }
        for answer in ["+OK", "-OOM x", "-NOSCRIPT x", ":1"] {
            assert!(matches!(verdict(answer), Verdict::Answer(_)), "{answer}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends() {
        let mut patience = Patience::default();
        let deadline = Instant::now() + Duration::from_secs(60);
        for _ in 0..REDIRECTIONS {
            assert!(patience.take(None, deadline).await.is_ok());
        }
        assert!(matches!(patience.take(None, deadline).await, Err(Failure::NotSent(_))));
        let begin = Instant::now();
        while patience.take(Some(Cause::late()), deadline).await.is_ok() {}
        let took = begin.elapsed();
        assert!(took >= LONGEST && took < 2 * LONGEST, "{took:?}");
        let mut patience = Patience::default();
        assert!(patience.take(Some(Cause::late()), Instant::now()).await.is_err());
    }
}
