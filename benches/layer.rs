//! What does the layer cost? A request with a new and with a known session through the layer, beside the same request
//! through a layer that does nothing and beside a bare `jsonwebtoken::decode`, all in one run.
//!
//! `cargo bench --bench layer` prints medians and ratios; numbers of different runs cannot be compared.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use tower::{Layer, Service};
use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
use tower_user_metadata::store::MemoryStore;
use tower_user_metadata::{JwtVerifier, UserMetadataLayer};

const ROUNDS: usize = 15;
const ROUND: Duration = Duration::from_millis(60);

/// A signing key in the three forms that the contestants want.
struct Signer {
    name: &'static str,
    algorithm: jsonwebtoken::Algorithm,
    private: EncodingKey,
    public: DecodingKey,
    key: VerificationKey,
}

#[derive(Clone)]
struct Handler;

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

fn main() {
    println!("{:24} {:>12} {:>12} {:>12} {:>12}", "", "no-op", "known", "new", "jsonwebtoken");
    for signer in signers() {
        let token = token(&signer);
        let layer = |cache_bytes| {
            let verifier = JwtVerifier::builder(signer.key.clone()).with_cache_bytes(cache_bytes).build();
            UserMetadataLayer::new(verifier, MemoryStore::new())
        };
        let validation = {
            let mut validation = Validation::new(signer.algorithm);
            validation.leeway = 0;
            validation.validate_nbf = true;
            validation
        };
        let request = |header: &'static str, value: String| {
            move || Request::get("/").header(header, &value).body(()).expect("a request")
        };
        let bearer = request("authorization", format!("Bearer {token}"));
        let cookie = request("cookie", format!("theme=dark; sAccessToken={token}; lang=en"));

        for (carrier, request) in [("bearer", &bearer as &dyn Fn() -> Request<()>), ("cookie", &cookie)] {
            let mut no_op = Handler;
            let mut known = layer(16 << 20).layer(Handler);
            let mut new = layer(0).layer(Handler);
            assert_eq!((call(&mut known, request()), call(&mut new, request())), (200, 200));
            let medians = contest(&mut [
                &mut || _ = black_box(call(&mut no_op, request())),
                &mut || _ = black_box(call(&mut known, request())),
                &mut || _ = black_box(call(&mut new, request())),
                &mut || drop(black_box(decode(&token, &signer.public, &validation))),
            ]);
            let [no_op, known, new, bare] = medians[..] else { unreachable!("four contestants") };
            println!(
                "{:24} {no_op:>9.0} ns {known:>9.0} ns {new:>9.0} ns {bare:>9.0} ns",
                format!("{} {carrier}", signer.name)
            );
            println!(
                "{:24} over the no-op layer: known {:.0} ns, new {:.0} ns; of bare jsonwebtoken: known 1/{:.0}, new {:.2}",
                "",
                known - no_op,
                new - no_op,
                bare / (known - no_op).max(1.0),
                (new - no_op) / bare,
            );
        }
    }
}

fn call(
    service: &mut impl Service<Request<()>, Response = Response<Full<Bytes>>, Error = Infallible>,
    request: Request<()>,
) -> u16 {
    let future = pin!(service.call(request));
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(response)) => response.status().as_u16(),
        Poll::Ready(Err(never)) => match never {},
        Poll::Pending => panic!("fixed keys need no waiting"),
    }
}

fn decode(token: &str, key: &DecodingKey, validation: &Validation) -> serde_json::Value {
    jsonwebtoken::decode::<serde_json::Value>(token, key, validation).expect("a good token").claims
}

/// The median time of one call of each contestant, in nanoseconds, measured in turns so that the machine's moods hit
/// all of them alike.
fn contest(contestants: &mut [&mut dyn FnMut()]) -> Vec<f64> {
    let mut times = vec![Vec::new(); contestants.len()];
    for _ in 0..ROUNDS {
        for (contestant, times) in contestants.iter_mut().zip(&mut times) {
            let (start, mut calls) = (Instant::now(), 0_u32);
            while start.elapsed() < ROUND {
                for _ in 0..32 {
                    contestant();
                }
                calls += 32;
            }
            times.push(start.elapsed().as_secs_f64() * 1e9 / f64::from(calls));
        }
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    times.iter_mut().map(median).collect()
}

fn token(signer: &Signer) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let claims = serde_json::json!({
        "sub": "7b1f0a8e-6d1c-4a52-9f0e-2f6c3b0d9a11",
        "iat": now,
        "exp": now + 3600,
        "iss": "https://auth.example.com",
        "tId": "public",
        "sessionHandle": "f522a4d7-5e41-45fb-9e91-ea0e33bd6bca",
        "refreshTokenHash1": "89f14938f397f5e92df32bf001b81cd9d770f13fd33f51a0acc120e240ad1ddc",
        "st-role": { "v": ["admin", "user"], "t": now * 1000 },
    });
    jsonwebtoken::encode(&Header::new(signer.algorithm), &claims, &signer.private).expect("signs")
}

fn signers() -> Vec<Signer> {
    let rsa = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).expect("a key");
    let rsa_private: Pkcs8V1Der<'_> = rsa.as_der().expect("der");
    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let ed = Ed25519KeyPair::generate().expect("a key");
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).expect("randomness");
    let pem = |der: &[u8]| pem::encode(&pem::Pem::new("PUBLIC KEY", der));
    let spki =
        |key: &dyn AsDer<aws_lc_rs::encoding::PublicKeyX509Der<'static>>| key.as_der().expect("der").as_ref().to_vec();
    let rsa_private_pem = pem::encode(&pem::Pem::new("PRIVATE KEY", rsa_private.as_ref()));
    let rsa_pem = pem(&spki(rsa.public_key()));
    let ec_pem = pem(&spki(ec.public_key()));
    let ed_pem = pem(&spki(ed.public_key()));
    vec![
        Signer {
            name: "RS256",
            algorithm: jsonwebtoken::Algorithm::RS256,
            private: EncodingKey::from_rsa_pem(rsa_private_pem.as_bytes()).expect("a key"),
            public: DecodingKey::from_rsa_pem(rsa_pem.as_bytes()).expect("a key"),
            key: VerificationKey::from_pem(Algorithm::RS256, &rsa_pem).expect("a key"),
        },
        Signer {
            name: "ES256",
            algorithm: jsonwebtoken::Algorithm::ES256,
            private: EncodingKey::from_ec_der(ec.to_pkcs8v1().expect("der").as_ref()),
            public: DecodingKey::from_ec_pem(ec_pem.as_bytes()).expect("a key"),
            key: VerificationKey::from_pem(Algorithm::ES256, &ec_pem).expect("a key"),
        },
        Signer {
            name: "EdDSA",
            algorithm: jsonwebtoken::Algorithm::EdDSA,
            private: EncodingKey::from_ed_der(ed.to_pkcs8v1().expect("der").as_ref()),
            public: DecodingKey::from_ed_pem(ed_pem.as_bytes()).expect("a key"),
            key: VerificationKey::from_pem(Algorithm::EdDSA, &ed_pem).expect("a key"),
        },
        Signer {
            name: "HS256",
            algorithm: jsonwebtoken::Algorithm::HS256,
            private: EncodingKey::from_secret(&secret),
            public: DecodingKey::from_secret(&secret),
            key: VerificationKey::from_secret(Algorithm::HS256, secret).expect("a key"),
        },
    ]
}
