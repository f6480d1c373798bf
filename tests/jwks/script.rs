//! A key server in memory, for tests in which time is the tests' own.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Response, Uri};
use tokio::time::Instant;
use tower_user_metadata::session::keys::{Algorithm, Jwks, JwksBuilder, JwksError, JwksErrorKind, JwksTransport};

#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Keys(String),
    KeysWith(&'static str, &'static str, String),
    Status(u16, Option<&'static str>),
    Down,
    Hang,
    Panic,
}

/// The server; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Script(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// By the host of the URL; `None` is for every other.
    replies: Vec<(Option<&'static str>, Reply)>,
    delay: Duration,
    yields: usize,
    gets: Vec<Instant>,
}

impl Script {
    pub(crate) fn new(reply: Reply) -> Self {
        let state = State { replies: vec![(None, reply)], delay: Duration::ZERO, yields: 0, gets: Vec::new() };
        Self(Arc::new(Mutex::new(state)))
    }

    pub(crate) fn answer(&self, reply: Reply) {
        self.0.lock().expect("a lock").replies = vec![(None, reply)];
    }

    pub(crate) fn answer_at(&self, host: &'static str, reply: Reply) {
        self.0.lock().expect("a lock").replies.insert(0, (Some(host), reply));
    }

    /// Each answer takes that long from now on.
    pub(crate) fn delay(&self, delay: Duration) {
        self.0.lock().expect("a lock").delay = delay;
    }

    /// Each answer takes so many polls from now on.
    pub(crate) fn yields(&self, yields: usize) {
        self.0.lock().expect("a lock").yields = yields;
    }

    /// When requests came.
    pub(crate) fn gets(&self) -> Vec<Instant> {
        self.0.lock().expect("a lock").gets.clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.gets().len()
    }

    /// The times between requests.
    pub(crate) fn gaps(&self) -> Vec<Duration> {
        self.gets().windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    pub(crate) fn builder(&self) -> JwksBuilder {
        Jwks::builder([Algorithm::EdDSA]).with_url("https://keys.test/jwks").with_transport(self.clone())
    }

    pub(crate) async fn jwks(&self) -> Jwks {
        self.builder().build().await.expect("keys")
    }
}

#[async_trait]
impl JwksTransport for Script {
    async fn get(&self, url: &Uri, max_bytes: usize) -> Result<Response<Bytes>, JwksError> {
        assert_eq!(max_bytes, 256 * 1024);
        let (reply, delay, yields) = {
            let mut state = self.0.lock().expect("a lock");
            state.gets.push(Instant::now());
            let ours = |host: &Option<&str>| host.is_none_or(|host| url.host() == Some(host));
            let (_, reply) = state.replies.iter().find(|(host, _)| ours(host)).expect("a reply");
            (reply.clone(), state.delay, state.yields)
        };
        for _ in 0..yields {
            tokio::task::yield_now().await;
        }
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let response = Response::builder();
        let response = match reply {
            Reply::Keys(body) => response.body(body.into()),
            Reply::KeysWith(name, value, body) => response.header(name, value).body(body.into()),
            Reply::Status(status, retry_after) => {
                let response = response.status(status);
                let response =
                    retry_after.into_iter().fold(response, |response, value| response.header("retry-after", value));
                response.body(Bytes::new())
            }
            Reply::Down => return Err(JwksError::new(JwksErrorKind::Unreachable).with_source("scripted")),
            Reply::Hang => std::future::pending().await,
            Reply::Panic => panic!("scripted"),
        };
        Ok(response.expect("a response"))
    }
}
