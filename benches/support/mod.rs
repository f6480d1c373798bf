//! What the benchmarks share: keys and tokens, a handler that does nothing, and contests in which every contestant has
//! the same weather.
#![allow(dead_code, reason = "each benchmark uses a part of it")]

use std::convert::Infallible;
use std::fs::OpenOptions;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::io::Write;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use jsonwebtoken::{DecodingKey, EncodingKey, Header};
use tower::{Layer, Service};
use tower_user_metadata::UserMetadataLayer;
use tower_user_metadata::session::JwtVerifier;
use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
use tower_user_metadata::store::MemoryStore;

/// A signing key in the forms that the contestants want.
pub(crate) struct Signer {
    pub(crate) name: &'static str,
    pub(crate) algorithm: jsonwebtoken::Algorithm,
    pub(crate) private: EncodingKey,
    pub(crate) public: DecodingKey,
    pub(crate) key: VerificationKey,
    /// What the bare check of a signature is made with; `None` where a secret signs.
    pub(crate) prepared: Option<ParsedPublicKey>,
}

impl Signer {
    /// A token of one user, in the form of a SuperTokens access token: 1 hour, some 480 bytes of claims.
    pub(crate) fn token(&self, user: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let claims = serde_json::json!({
            "sub": user,
            "iat": now,
            "exp": now + 3600,
            "iss": "https://auth.example.com",
            "tId": "public",
            "sessionHandle": "f522a4d7-5e41-45fb-9e91-ea0e33bd6bca",
            "refreshTokenHash1": "89f14938f397f5e92df32bf001b81cd9d770f13fd33f51a0acc120e240ad1ddc",
            "st-role": { "v": ["admin", "user"], "t": now * 1000 },
        });
        jsonwebtoken::encode(&Header::new(self.algorithm), &claims, &self.private).expect("signs")
    }

    /// The layer of this crate around [`Handler`], with a cache of so many bytes.
    pub(crate) fn service(&self, cache_bytes: usize) -> impl Handles + Clone + Send + use<> {
        let verifier = JwtVerifier::builder(self.key.clone())
            .with_cache_bytes(cache_bytes)
            .without_audience()
            .build()
            .expect("a verifier");
        UserMetadataLayer::new(verifier, MemoryStore::new()).layer(Handler)
    }
}

pub(crate) const USER: &str = "7b1f0a8e-6d1c-4a52-9f0e-2f6c3b0d9a11";

/// A service that these benchmarks can call.
pub(crate) trait Handles: Service<Request<()>, Response = Response<Full<Bytes>>, Error = Infallible> {}

impl<S: Service<Request<()>, Response = Response<Full<Bytes>>, Error = Infallible>> Handles for S {}

/// Answers at once, so that all that is measured is around it.
#[derive(Clone)]
pub(crate) struct Handler;

impl Service<Request<()>> for Handler {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        black_box(request.extensions().len());
        ready(Ok(Response::new(Full::default())))
    }
}

pub(crate) fn bearer(token: &str) -> Request<()> {
    request("authorization", &format!("Bearer {token}"))
}

pub(crate) fn cookie(token: &str) -> Request<()> {
    request("cookie", &format!("theme=dark; sAccessToken={token}; lang=en"))
}

fn request(name: &'static str, value: &str) -> Request<()> {
    Request::get("/").header(name, value).body(()).expect("a request")
}

/// A fresh copy of a request, as each call of a service needs one.
pub(crate) fn again(request: &Request<()>) -> Request<()> {
    let mut copy = Request::new(());
    *copy.headers_mut() = request.headers().clone();
    copy
}

/// Calls a service whose answer is there without waiting.
pub(crate) fn call(service: &mut impl Handles, request: Request<()>) -> u16 {
    let future = pin!(service.call(request));
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(response)) => response.status().as_u16(),
        Poll::Ready(Err(never)) => match never {},
        Poll::Pending => panic!("fixed keys need no waiting"),
    }
}

/// One who takes part in a contest.
pub(crate) struct Contestant<'a> {
    name: &'static str,
    go: Box<dyn FnMut() + 'a>,
}

impl<'a> Contestant<'a> {
    pub(crate) fn new<T>(name: &'static str, mut go: impl FnMut() -> T + 'a) -> Self {
        Self { name, go: Box::new(move || drop(black_box(go()))) }
    }

    fn time(&mut self, calls: u32) -> Duration {
        let start = Instant::now();
        for _ in 0..calls {
            (self.go)();
        }
        start.elapsed()
    }
}

const ROUNDS: usize = 400;
/// Shorter than the time that the system gives a process at once, so that many rounds are not disturbed.
const ROUND: Duration = Duration::from_millis(2);

/// The time of one call of each contestant, in nanoseconds: that of its quickest round, since whatever disturbs a round
/// only makes it longer. They take turns, so that the machine's moods hit all of them alike.
pub(crate) fn contest(contestants: &mut [Contestant<'_>]) -> Vec<(&'static str, f64)> {
    let calls: Vec<_> =
        contestants.iter_mut().map(|contestant| (1..).find(|n| contestant.time(1 << n) > ROUND)).collect();
    let mut times = vec![f64::INFINITY; contestants.len()];
    for _ in 0..ROUNDS {
        for ((contestant, calls), time) in contestants.iter_mut().zip(&calls).zip(&mut times) {
            let calls = 1_u32 << calls.unwrap_or(0);
            *time = time.min(contestant.time(calls).as_secs_f64() * 1e9 / f64::from(calls));
        }
    }
    contestants.iter().zip(times).map(|(contestant, time)| (contestant.name, time)).collect()
}

/// One line of results: to people, and as JSON to the file that `BENCH_OUT` names, if it is set.
pub(crate) fn report(question: &str, case: &str, numbers: &[(&str, f64)]) {
    let shown: Vec<_> = numbers.iter().map(|(name, number)| format!("{name} {number:.2}")).collect();
    println!("{question}, {case}: {}", shown.join(", "));
    if let Some(path) = std::env::var_os("BENCH_OUT") {
        let numbers: serde_json::Map<_, _> =
            numbers.iter().map(|(name, number)| ((*name).to_owned(), serde_json::json!(number))).collect();
        let line = serde_json::json!({ "question": question, "case": case, "numbers": numbers });
        let mut out = OpenOptions::new().create(true).append(true).open(path).expect("BENCH_OUT can be written");
        writeln!(out, "{line}").expect("BENCH_OUT can be written");
    }
}

pub(crate) fn rs256() -> Signer {
    let key = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).expect("a key");
    let private: Pkcs8V1Der<'_> = key.as_der().expect("der");
    let public = spki(key.public_key());
    Signer {
        name: "RS256",
        algorithm: jsonwebtoken::Algorithm::RS256,
        private: EncodingKey::from_rsa_pem(block("PRIVATE KEY", private.as_ref()).as_bytes()).expect("a key"),
        public: DecodingKey::from_rsa_pem(block("PUBLIC KEY", &public).as_bytes()).expect("a key"),
        key: VerificationKey::from_pem(Algorithm::RS256, block("PUBLIC KEY", &public)).expect("a key"),
        prepared: Some(ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &public).expect("a key")),
    }
}

pub(crate) fn es256() -> Signer {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let public = spki(key.public_key());
    Signer {
        name: "ES256",
        algorithm: jsonwebtoken::Algorithm::ES256,
        private: EncodingKey::from_ec_der(key.to_pkcs8v1().expect("der").as_ref()),
        public: DecodingKey::from_ec_pem(block("PUBLIC KEY", &public).as_bytes()).expect("a key"),
        key: VerificationKey::from_pem(Algorithm::ES256, block("PUBLIC KEY", &public)).expect("a key"),
        prepared: Some(ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &public).expect("a key")),
    }
}

pub(crate) fn eddsa() -> Signer {
    let key = Ed25519KeyPair::generate().expect("a key");
    let public = spki(key.public_key());
    Signer {
        name: "EdDSA",
        algorithm: jsonwebtoken::Algorithm::EdDSA,
        private: EncodingKey::from_ed_der(key.to_pkcs8v1().expect("der").as_ref()),
        public: DecodingKey::from_ed_pem(block("PUBLIC KEY", &public).as_bytes()).expect("a key"),
        key: VerificationKey::from_pem(Algorithm::EdDSA, block("PUBLIC KEY", &public)).expect("a key"),
        prepared: Some(ParsedPublicKey::new(&ED25519, &public).expect("a key")),
    }
}

/// The quickest to sign with, where a benchmark needs many sessions.
pub(crate) fn hs256() -> Signer {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).expect("randomness");
    Signer {
        name: "HS256",
        algorithm: jsonwebtoken::Algorithm::HS256,
        private: EncodingKey::from_secret(&secret).expect("not empty"),
        public: DecodingKey::from_secret(&secret).expect("not empty"),
        key: VerificationKey::from_secret(Algorithm::HS256, secret).expect("a key"),
        prepared: None,
    }
}

fn spki(key: &dyn AsDer<PublicKeyX509Der<'static>>) -> Vec<u8> {
    key.as_der().expect("der").as_ref().to_vec()
}

fn block(tag: &str, der: &[u8]) -> String {
    pem::encode(&pem::Pem::new(tag, der))
}
