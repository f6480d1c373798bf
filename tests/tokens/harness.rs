//! The real layer around a service that records what it was given, and the judge of its answers.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service};
use tower_user_metadata::layer::NoSession;
use tower_user_metadata::session::{Clock, SessionVerifier};
use tower_user_metadata::store::MemoryStore;
use tower_user_metadata::{AuthError, AuthErrorKind, Session, UserId, UserMetadataHandle, UserMetadataLayer};

use crate::support::vectors::say;

/// Every body that a refused token may get.
const BODIES: [&str; 2] = [r#"{"message":"unauthorised"}"#, r#"{"message":"try refresh token"}"#];

/// A clock that stands still.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At(SystemTime);

impl At {
    pub(crate) fn seconds(seconds: u64) -> Self {
        Self(UNIX_EPOCH + Duration::from_secs(seconds))
    }
}

impl Clock for At {
    fn now(&self) -> SystemTime {
        self.0
    }
}

/// What the inner service was given.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) session: Option<Session>,
    pub(crate) user: Option<UserId>,
    pub(crate) no_session: bool,
}

/// The inner service.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder(Arc<Mutex<Vec<Given>>>);

impl Recorder {
    pub(crate) fn take(&self) -> Vec<Given> {
        std::mem::take(&mut self.0.lock().expect("not poisoned"))
    }
}

impl<B> Service<Request<B>> for Recorder {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let extensions = request.extensions();
        self.0.lock().expect("not poisoned").push(Given {
            session: extensions.get::<Session>().cloned(),
            user: extensions.get::<UserMetadataHandle>().map(|handle| handle.user_id().clone()),
            no_session: extensions.get::<NoSession>().is_some(),
        });
        ready(Ok(Response::new(Full::from("inner"))))
    }
}

/// A layer over a memory store at a fixed time.
pub(crate) fn layer(verifier: impl SessionVerifier, now: At) -> UserMetadataLayer {
    UserMetadataLayer::new(verifier, MemoryStore::new()).with_clock(now)
}

/// What the layer did with one request.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
    error: Option<AuthError>,
    given: Vec<Given>,
}

pub(crate) fn send(layer: &UserMetadataLayer, request: Request<()>) -> Answer {
    let recorder = Recorder::default();
    let mut service = layer.layer(recorder.clone());
    let mut context = Context::from_waker(Waker::noop());
    assert!(Service::<Request<()>>::poll_ready(&mut service, &mut context).is_ready());
    let future = std::pin::pin!(service.call(request));
    let Poll::Ready(Ok(response)) = future.poll(&mut context) else { panic!("fixed keys need no waiting") };
    let (parts, body) = response.into_parts();
    let body = std::pin::pin!(body.collect());
    let Poll::Ready(Ok(body)) = body.poll(&mut context) else { panic!("the body is there") };
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8(body.to_bytes().to_vec()).expect("text"),
        error: parts.extensions.get::<AuthError>().cloned(),
        given: recorder.take(),
    }
}

/// Sends bytes as the value of one header.
pub(crate) fn send_header(layer: &UserMetadataLayer, name: &str, value: &[u8]) -> Result<Answer, String> {
    // What HTTP itself refuses never comes to the layer.
    let value = HeaderValue::from_bytes(value).map_err(|_| "no header can hold it".to_owned())?;
    let mut request = get();
    request.headers_mut().insert(http::HeaderName::try_from(name).expect("a name"), value);
    Ok(send(layer, request))
}

pub(crate) fn send_bearer(layer: &UserMetadataLayer, token: &[u8]) -> Result<Answer, String> {
    send_header(layer, "authorization", &[b"Bearer ", token].concat())
}

pub(crate) fn get() -> Request<()> {
    Request::builder().method(Method::GET).uri("/").body(()).expect("a request")
}

/// The outcome of a request, once everything about the answer was found to be in order.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Accepted(Session),
    Refused(AuthErrorKind),
}

impl Outcome {
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Accepted(_) => "accept",
            Self::Refused(_) => "reject",
        }
    }
}

impl Answer {
    /// The error in the response's extensions, for rules beyond the verdict.
    pub(crate) fn error(&self) -> Option<&AuthError> {
        self.error.as_ref()
    }

    /// Whether the request came through without a session, as is right only where sessions are optional.
    pub(crate) fn passed_without_session(&self) -> bool {
        matches!(self.given.as_slice(), [Given { session: None, user: None, no_session: true }])
    }

    /// Tells what happened; an error names the rule for answers that was broken.
    pub(crate) fn outcome(&self) -> Result<Outcome, String> {
        match (&self.error, self.given.as_slice()) {
            (None, [Given { session: Some(session), user: Some(user), no_session: false }]) => {
                if self.status != StatusCode::OK || self.body != "inner" || user != session.user_id() {
                    return Err(format!("accepted, but {self:?}"));
                }
                Ok(Outcome::Accepted(session.clone()))
            }
            (Some(error), []) => {
                let header = |name| self.headers.get(name).and_then(|value| value.to_str().ok());
                let proper = self.status == StatusCode::UNAUTHORIZED
                    && BODIES.contains(&self.body.as_str())
                    && error.kind().status() == self.status
                    && header("www-authenticate").is_some_and(|value| value.starts_with("Bearer"))
                    && header("cache-control") == Some("no-store")
                    && header("vary") == Some("Authorization, Cookie")
                    && header("content-type") == Some("application/json; charset=utf-8")
                    && error.claims().is_empty();
                if proper { Ok(Outcome::Refused(error.kind())) } else { Err(format!("refused, but {self:?}")) }
            }
            _ => Err(format!("neither accepted nor refused: {self:?}")),
        }
    }
}

/// The rows of one family, counted; every one that is not as expected is kept until the end.
#[derive(Debug)]
pub(crate) struct Count {
    family: String,
    accepted: usize,
    refused: usize,
    policy: usize,
    as_recommended: usize,
    other: Vec<String>,
    wrong: Vec<String>,
}

impl Count {
    pub(crate) fn of(family: &str) -> Self {
        Self {
            family: family.to_owned(),
            accepted: 0,
            refused: 0,
            policy: 0,
            as_recommended: 0,
            other: Vec::new(),
            wrong: Vec::new(),
        }
    }

    /// Judges a row whose `expect` is `accept`, `reject` or `policy:…` one of them.
    pub(crate) fn judge(&mut self, id: &str, expect: &str, outcome: Result<Outcome, String>) {
        match outcome {
            Err(broken) => self.wrong(id, &broken),
            Ok(outcome) => match expect.strip_prefix("policy:") {
                Some(recommended) => self.policy(id, outcome.word(), recommended),
                None if expect != outcome.word() => self.wrong(id, &format!("{expect} expected, but {outcome:?}")),
                None if expect == "accept" => self.accepted(),
                None => self.refused(),
            },
        }
    }

    pub(crate) fn accepted(&mut self) {
        self.accepted += 1;
    }

    pub(crate) fn refused(&mut self) {
        self.refused += 1;
    }

    /// A row where either answer can be defended.
    pub(crate) fn policy(&mut self, id: &str, ours: &str, recommended: &str) {
        self.policy += 1;
        if ours == recommended {
            self.as_recommended += 1;
        } else {
            self.other.push(format!("  {id}: {ours}, where {recommended} is recommended"));
        }
    }

    pub(crate) fn wrong(&mut self, id: &str, what: &str) {
        self.wrong.push(format!("{id}: {what}"));
    }

    /// Records a row that holds unless something is said against it.
    pub(crate) fn check(&mut self, id: &str, accepted: bool, fault: Option<String>) {
        match fault {
            Some(fault) => self.wrong(id, &fault),
            None if accepted => self.accepted(),
            None => self.refused(),
        }
    }

    /// Prints the counts and fails if a row was wrong.
    pub(crate) fn finish(self) {
        let Self { family, accepted, refused, policy, as_recommended, other, wrong } = self;
        let rows = accepted + refused + policy + wrong.len();
        if rows == 0 {
            // A family that is not there has said so already.
            return;
        }
        let mut line = format!("vectors: {family}: {rows} rows, {accepted} accepted, {refused} refused");
        if policy > 0 {
            line += &format!(", {policy} policy ({as_recommended} as recommended)");
        }
        say(&[&[line][..], &other].concat().join("\n"));
        assert!(wrong.is_empty(), "{family}: {} rows are wrong:\n{}", wrong.len(), wrong.join("\n"));
    }
}
