//! What known sessions take in memory, and what a request of one allocates.

use std::hint::black_box;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header};
use tower_user_metadata::store::MemoryStore;
use tower_user_metadata::{Authenticator, MetadataStore, UserId, UserMetadataHandle};

use super::world::{World, at_once, token};

const SESSIONS: usize = 5_000;

#[test]
fn a_known_session_takes_little_more_than_its_token() {
    let world = World::new(SESSIONS * 8192);
    let tokens: Vec<_> = (0..SESSIONS).map(|n| token(&format!("7b1f0a8e-6d1c-4a52-9f0e-{n:012}"))).collect();
    world.verify(&token("the first, for what is allocated once")).expect("good");
    let taken = allocation_counter::measure(|| tokens.iter().for_each(|token| world.verify(token).expect("good")));
    assert!(tokens.iter().all(|token| world.is_known(token)));

    let lengths: usize = tokens.iter().map(String::len).sum();
    let beyond = (usize::try_from(taken.bytes_current).expect("more than before") - lengths) / SESSIONS;
    println!("{} bytes of token, {beyond} bytes beyond it", lengths / SESSIONS);
    assert!(beyond <= 1228, "{beyond} bytes beyond the token");
}

#[test]
fn the_cache_keeps_within_its_bytes() {
    for max in [64 * 1024, 1 << 20, 4 << 20] {
        let world = World::new(max);
        let taken = allocation_counter::measure(|| {
            for n in 0..SESSIONS {
                world.verify(&token(&format!("7b1f0a8e-6d1c-4a52-9f0e-{n:012}"))).expect("good");
            }
        });
        let taken = usize::try_from(taken.bytes_current).expect("more than before");
        // And the remembered header.
        assert!(taken <= max + max / 8, "{taken} bytes of {max}");
        assert!(taken >= max / 3, "{taken} bytes of {max}: it could keep more");
    }
}

#[test]
fn a_request_of_a_known_session_allocates_nothing_before_the_extensions() {
    let world = World::new(1 << 20);
    let token = token("alice");
    let authenticator = Authenticator::new(world.verifier.clone(), MemoryStore::new()).with_clock(world.clock.clone());
    for (name, value) in [
        (header::AUTHORIZATION, format!("Bearer {token}")),
        (header::COOKIE, format!("a=b; sAccessToken={token}; c=d")),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(&value).expect("a header value"));
        let ask = || drop(black_box(at_once(authenticator.authenticate("GET", &headers))));
        ask();
        assert!(world.is_known(&token));
        assert_eq!(allocation_counter::measure(ask).count_total, 0);
    }
}

/// One for the session and one for the handle; the map that they are put into is there when anybody has put something
/// into it before.
#[test]
fn a_request_of_a_known_session_allocates_twice() {
    use std::convert::Infallible;
    use tower::{Layer, Service};

    let world = World::new(1 << 20);
    let layer = tower_user_metadata::UserMetadataLayer::new(world.verifier.clone(), MemoryStore::new())
        .with_clock(world.clock.clone());
    let mut service = layer.layer(tower::service_fn(|_: http::Request<()>| {
        std::future::ready(Ok::<_, Infallible>(http::Response::new(bytes::Bytes::new())))
    }));
    let request = |extensions: bool| {
        let bearer = format!("Bearer {}", token("alice"));
        let mut request = http::Request::get("/").header("authorization", bearer).body(()).expect("a request");
        if extensions {
            request.extensions_mut().insert("an extension");
        }
        request
    };
    for (extensions, expected) in [(true, 2), (true, 2), (false, 4)] {
        let first = request(extensions);
        let mut call = |request| drop(futures_now(service.call(request)));
        call(first);
        let second = request(extensions);
        assert_eq!(allocation_counter::measure(|| call(second)).count_total, expected);
    }
}

/// The outcome of a future that is ready at once.
fn futures_now<F: Future>(future: F) -> F::Output {
    let future = std::pin::pin!(future);
    match future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(outcome) => outcome,
        std::task::Poll::Pending => panic!("nothing to wait for"),
    }
}

/// A service with sessions of its own makes one for each request.
#[test]
fn a_handle_for_a_user_takes_one_allocation() {
    let store: Arc<dyn MetadataStore> = Arc::new(MemoryStore::new());
    let user = UserId::new("7b1f0a8e-6d1c-4a52-9f0e-000000000001").expect("an id");
    let make = || drop(black_box(UserMetadataHandle::for_user(user.clone(), Arc::clone(&store))));
    assert_eq!(allocation_counter::measure(make).count_total, 1);
}

/// A verifier of somebody else around ours, or an `Arc` of it, has the same sessions and remembers them.
#[test]
fn a_wrapped_verifier_remembers_sessions_too() {
    use tower_user_metadata::session::{SessionVerifier, Verdict, VerifyInput};

    #[derive(Debug)]
    struct Wrapped<V>(V);

    impl<V: SessionVerifier> SessionVerifier for Wrapped<V> {
        fn verify(&self, input: VerifyInput<'_>) -> Verdict {
            self.0.verify(input)
        }
    }

    let world = World::new(1 << 20);
    let token = token("alice");
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).expect("a header value"));
    let around = |verifier: Arc<dyn SessionVerifier>| {
        Authenticator::new(verifier, MemoryStore::new()).with_clock(world.clock.clone())
    };
    for authenticator in [
        around(Arc::new(world.verifier.clone())),
        around(Arc::new(Arc::new(world.verifier.clone()))),
        around(Arc::new(Wrapped(world.verifier.clone()))),
    ] {
        let ask = || {
            let found = at_once(authenticator.authenticate("GET", &headers)).expect("good").expect("a session");
            assert_eq!(found.session.user_id().as_str(), "alice");
        };
        ask();
        assert_eq!(allocation_counter::measure(ask).count_total, 0);
    }
}
