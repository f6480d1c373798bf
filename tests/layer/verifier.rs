//! Verifiers that answer as a test tells them.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower_user_metadata::session::{SessionVerifier, Verdict, VerifyInput};
use tower_user_metadata::store::MemoryStore;
use tower_user_metadata::{AuthError, AuthErrorKind, Session, UserId, UserMetadataLayer};

/// Why the sessions cannot be looked up.
#[derive(Debug, thiserror::Error)]
#[error("the sessions cannot be read")]
struct Outage(#[from] Refused);

#[derive(Debug, thiserror::Error)]
#[error("the connection was refused")]
struct Refused;

/// Takes the token `good`, at once or after having been polled so many times.
#[derive(Clone, Debug)]
pub(crate) struct Scripted {
    polls: Option<usize>,
    asked: Arc<AtomicUsize>,
}

impl Scripted {
    pub(crate) fn at_once() -> Self {
        Self { polls: None, asked: Arc::default() }
    }

    /// Is pending that many times, and wakes its task each time.
    pub(crate) fn after(polls: usize) -> Self {
        Self { polls: Some(polls), asked: Arc::default() }
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl SessionVerifier for Scripted {
    fn max_token_bytes(&self) -> usize {
        100
    }

    fn verify(&self, input: VerifyInput<'_>) -> Verdict {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = match input.token {
            "good" => Ok(Some(session("alice"))),
            "nobody" => Ok(None),
            "ended" => Err(AuthError::new(AuthErrorKind::UnknownSession)),
            "out-of-reach" => Err(AuthError::new(AuthErrorKind::SessionsUnavailable).with_source(Outage(Refused))),
            "down" => Err(AuthError::new(AuthErrorKind::KeysUnavailable).with_retry_after(Duration::from_secs(7))),
            _ => Err(AuthError::new(AuthErrorKind::BadSignature)),
        };
        match self.polls {
            None => Verdict::Ready(answer),
            Some(polls) => Verdict::Pending(Box::pin(async move {
                Polls(polls).await;
                answer
            })),
        }
    }
}

pub(crate) fn session(user: &str) -> Session {
    Session::assertion(UserId::new(user).expect("an id"), UNIX_EPOCH + Duration::from_secs(4_000_000_000)).build()
}

/// Pending so many times.
pub(crate) struct Polls(pub(crate) usize);

impl Future for Polls {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

pub(crate) type Body = Full<Bytes>;

pub(crate) fn layer(verifier: &Scripted) -> UserMetadataLayer {
    UserMetadataLayer::new(verifier.clone(), MemoryStore::new())
}

/// Both ways in which a verifier may answer.
pub(crate) fn both_ways() -> [Scripted; 2] {
    [Scripted::at_once(), Scripted::after(2)]
}

pub(crate) fn with_token(token: &str) -> Request<()> {
    Request::builder().header("authorization", format!("Bearer {token}")).body(()).expect("a request")
}

pub(crate) fn answer(text: &'static str) -> Response<Body> {
    Response::new(Body::from(text))
}

pub(crate) fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Polls until the future is ready.
pub(crate) fn run<F: Future>(future: F) -> F::Output {
    let mut future = Box::pin(future);
    for _ in 0..100 {
        if let Poll::Ready(output) = poll(&mut future) {
            return output;
        }
    }
    panic!("never ready")
}
