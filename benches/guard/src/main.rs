//! The work that `scripts/bench guard` counts: instructions under callgrind, and allocations.
//!
//! `guard list` names the works, `guard allocations` counts the allocations of each, `guard run NAME` does one so often
//! that callgrind can count. What the signature check itself takes is left out there, since the library below has
//! different code for different processors.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{Request, Response};
use tower::{Layer, Service};
use tower_user_metadata::layer::RejectionResponse;
use tower_user_metadata::session::keys::{Algorithm, KeySet};
use tower_user_metadata::session::{AuthError, Clock, JwtVerifier};
use tower_user_metadata::store::MemoryStore;
use tower_user_metadata::{Limits, Metadata, MetadataUpdate, UserMetadataLayer};

/// How often a work is done under callgrind.
const TIMES: usize = 200;

const JWKS: &[u8] = include_bytes!("../../../tests/vectors/supertokens-tokens/jwks.json");
const TOKENS: &str = include_str!("../../../tests/vectors/supertokens-tokens/tokens.jsonl");

/// One thing to be counted: everything but the last step is made ready before.
struct Work {
    name: String,
    prepare: Box<dyn FnMut() -> Box<dyn FnOnce()>>,
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["list"] => works().iter().for_each(|work| println!("{}", work.name)),
        ["allocations"] => {
            for Work { name, mut prepare } in works() {
                prepare()();
                let step = prepare();
                let counted = allocation_counter::measure(|| measured(step));
                println!("{name}\t{}", counted.count_total);
            }
        }
        ["run", name] => {
            let mut work = works().into_iter().find(|work| work.name == name).expect("a name of the list");
            if name.starts_with("hit") {
                // What is to be hit.
                (work.prepare)()();
            }
            for _ in 0..TIMES {
                let step = (work.prepare)();
                measured(step);
            }
            println!("{TIMES}");
        }
        _ => panic!("guard list, guard allocations or guard run NAME"),
    }
}

/// Where callgrind begins and ends to count.
#[inline(never)]
fn measured(step: Box<dyn FnOnce()>) {
    step();
}

fn works() -> Vec<Work> {
    let token = token();
    let bad = {
        let (signed, signature) = token.rsplit_once('.').expect("three parts");
        let other = if signature.starts_with('A') { "B" } else { "A" };
        format!("{signed}.{other}{}", &signature[1..])
    };
    let cookie = |token: &str| format!("theme=dark; sAccessToken={token}; lang=en");
    let bearer = |token: &str| format!("Bearer {token}");
    let bomb = |pairs| format!("{}sAccessToken={token}", "a=b; ".repeat(pairs));
    let mut works = vec![
        request("hit-bearer", 16 << 20, "authorization", bearer(&token), 200),
        request("hit-cookie", 16 << 20, "cookie", cookie(&token), 200),
        request("miss-rs256", 0, "authorization", bearer(&token), 200),
        request("reject-bad-signature", 16 << 20, "authorization", bearer(&bad), 401),
        request("reject-1-mb-token", 16 << 20, "authorization", bearer(&"a.".repeat(500_000)), 401),
        request("hit-cookie-bomb", 16 << 20, "cookie", bomb(3_000), 200),
        request("reject-cookie-bomb", 16 << 20, "cookie", bomb(100_000), 401),
    ];
    for kibibytes in [1, 10, 64] {
        for fields in [1, 20] {
            works.push(merge(fields, kibibytes));
        }
    }
    works
}

fn request(name: &str, cache_bytes: usize, header: &'static str, value: String, status: u16) -> Work {
    let keys = KeySet::from_jwks(JWKS, &[Algorithm::RS256]).expect("keys");
    let verifier = JwtVerifier::supertokens(keys).with_cache_bytes(cache_bytes).build().expect("a verifier");
    let layer = UserMetadataLayer::new(verifier, MemoryStore::new()).with_clock(Fixed).with_rejection_response(Empty);
    let service = layer.layer(Handler);
    let request = Request::get("/").header(header, value).body(()).expect("a request");
    Work {
        name: name.to_owned(),
        prepare: Box::new(move || {
            let (mut service, request) = (service.clone(), request.clone());
            Box::new(move || {
                let future = pin!(service.call(request));
                match future.poll(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(Ok(response)) => assert_eq!(response.status(), status),
                    Poll::Ready(Err(never)) => match never {},
                    Poll::Pending => panic!("fixed keys need no waiting"),
                }
            })
        }),
    }
}

fn merge(fields: usize, kibibytes: usize) -> Work {
    let page = |n: usize| format!("\"page {n}\":{{\"theme\":\"dark\",\"columns\":[{n},2,3.5],\"text\":\"{n:0>190}\"}}");
    // Just below so many KiB, since 64 are the limit.
    let pages: Vec<_> = (0..kibibytes * 4 - 1).map(page).collect();
    let stored = Metadata::from_json(format!("{{{}}}", pages.join(",")).as_bytes()).expect("a document");
    let update: Vec<_> = (0..fields).map(|n| format!("\"page {n}\":{{\"theme\":\"light\",\"at\":{n}}}")).collect();
    let update = format!("{{{}}}", update.join(","));
    Work {
        name: format!("merge-{fields}-into-{kibibytes}-kib"),
        prepare: Box::new(move || {
            let (stored, update) = (stored.clone(), update.clone());
            Box::new(move || {
                let update = MetadataUpdate::from_json(update.as_bytes()).expect("an update");
                drop(black_box(update.apply(&stored, &Limits::default()).expect("within the limits").to_json()));
            })
        }),
    }
}

/// A token of SuperTokens that is good at the time of [`Fixed`].
fn token() -> String {
    let rows = TOKENS.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let real = rows.into_iter().find(|row| row["id"] == "real-097").expect("the row");
    real["token"].as_str().expect("a text").to_owned()
}

#[derive(Debug)]
struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_795_490_214)
    }
}

/// Refuses without a body, so that what is counted is how a refusal comes about.
#[derive(Clone)]
struct Empty;

impl RejectionResponse<()> for Empty {
    fn response(&self, error: &AuthError) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = error.kind().status();
        response
    }
}

#[derive(Clone)]
struct Handler;

impl Service<Request<()>> for Handler {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        black_box(request.extensions().len());
        ready(Ok(Response::new(())))
    }
}
