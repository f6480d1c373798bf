use std::pin::pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderValue, header};
use jsonwebtoken::{EncodingKey, Header};
use tower_user_metadata::Authenticator;
use tower_user_metadata::session::keys::{Algorithm, KeySet, KeySource, VerificationKey};
use tower_user_metadata::session::{AuthErrorKind, Clock, JwtVerifier, SessionVerifier, Verdict, VerifyInput};
use tower_user_metadata::store::MemoryStore;

pub(crate) const SECRET: &[u8; 32] = b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*";

/// The time at which the tests begin, in seconds since 1970.
pub(crate) const START: i64 = 1_800_000_000;

/// Two days: longer than any test, however the machine dawdles.
pub(crate) const LIFETIME: i64 = 172_800;

/// A clock that is set by hand.
#[derive(Clone, Debug)]
pub(crate) struct Hand(Arc<AtomicI64>);

impl Hand {
    pub(crate) fn set(&self, seconds: i64) {
        self.0.store(seconds, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(u64::try_from(self.0.load(Ordering::SeqCst)).expect("after 1970"))
    }
}

/// Keys that can be taken away.
#[derive(Clone, Debug)]
pub(crate) struct Keys(Arc<Mutex<Option<Arc<KeySet>>>>);

impl Keys {
    pub(crate) fn set(&self, keys: Option<KeySet>) {
        *self.0.lock().expect("no panic") = keys.map(Arc::new);
    }
}

impl KeySource for Keys {
    fn snapshot(&self) -> Option<Arc<KeySet>> {
        self.0.lock().expect("no panic").clone()
    }

    fn refresh(&self, _: Option<&str>) -> Option<std::pin::Pin<Box<dyn Future<Output = ()> + Send>>> {
        None
    }
}

/// A verifier with a cache, behind an authenticator.
pub(crate) struct World {
    pub(crate) clock: Hand,
    pub(crate) keys: Keys,
    pub(crate) verifier: JwtVerifier,
    authenticator: Authenticator,
}

impl World {
    pub(crate) fn new(cache_bytes: usize) -> Self {
        Self::with_leeway(cache_bytes, Duration::ZERO)
    }

    pub(crate) fn with_leeway(cache_bytes: usize, leeway: Duration) -> Self {
        let clock = Hand(Arc::new(AtomicI64::new(START)));
        let keys = Keys(Arc::default());
        keys.set(Some(keys_of(SECRET)));
        let source: Arc<dyn KeySource> = Arc::new(keys.clone());
        let verifier = JwtVerifier::builder(source)
            .with_cache_bytes(cache_bytes)
            .with_leeway(leeway)
            .without_audience()
            .build()
            .expect("a verifier");
        let authenticator = Authenticator::new(verifier.clone(), MemoryStore::new()).with_clock(clock.clone());
        Self { clock, keys, verifier, authenticator }
    }

    /// What becomes of a request with this token: the user, or why it was refused.
    pub(crate) fn ask(&self, token: &str) -> Result<String, AuthErrorKind> {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_str(&format!("Bearer {token}")).expect("a header value");
        headers.insert(header::AUTHORIZATION, value);
        let outcome = at_once(self.authenticator.authenticate("GET", &headers));
        let found = outcome.map_err(|error| error.kind())?.expect("sessions are not optional");
        assert_eq!(found.session.user_id(), found.metadata.user_id());
        Ok(found.session.user_id().as_str().to_owned())
    }

    /// Whether the verifier takes the token without looking at it, which allocates nothing.
    pub(crate) fn is_known(&self, token: &str) -> bool {
        let mut outcome = Ok(());
        let allocated = allocation_counter::measure(|| outcome = self.verify(token)).count_total;
        outcome.is_ok() && allocated == 0
    }

    /// As [`ask`](Self::ask), of the verifier alone.
    pub(crate) fn verify(&self, token: &str) -> Result<(), AuthErrorKind> {
        let Verdict::Ready(outcome) = self.verifier.verify(VerifyInput::new(token, self.clock.now())) else {
            panic!("nothing to wait for");
        };
        outcome.map(drop).map_err(|error| error.kind())
    }
}

pub(crate) fn keys_of(secret: &[u8]) -> KeySet {
    VerificationKey::from_secret(Algorithm::HS256, secret).expect("a key").into()
}

/// A token that is good from the start for the lifetime, with the claims that SuperTokens writes.
pub(crate) fn token(user: &str) -> String {
    let claims = serde_json::json!({
        "sub": user,
        "iat": START,
        "exp": START + LIFETIME,
        "iss": "https://auth.example.com",
        "tId": "public",
        "rsub": user,
        "sessionHandle": "f522a4d7-5e41-45fb-9e91-ea0e33bd6bca",
        "refreshTokenHash1": "89f14938f397f5e92df32bf001b81cd9d770f13fd33f51a0acc120e240ad1ddc",
        "parentRefreshTokenHash1": null,
        "antiCsrfToken": null,
        "st-role": { "v": ["admin", "user"], "t": START * 1000 },
        "st-ev": { "v": true, "t": START * 1000 },
    });
    jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET).expect("not empty"))
        .expect("signs")
}

/// The outcome of a future that has nothing to wait for.
pub(crate) fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("there is nothing to wait for"),
    }
}
