//! The cache of verified sessions under a model checker: the code of `src/session/cache.rs`, and of the map below it,
//! with locks between whose every step another thread may come.
//!
//! `cargo run -p models`; `ITERATIONS` sets how many orders are tried of each model, by default 3,000.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use cache::{Fresh, Kept, Now, SessionCache};
use keys::KeySetVersion;
use shuttle::sync::Mutex;
use shuttle::thread::{self, JoinHandle};
use tokio::time::Instant;

#[path = "../../../src/session/cache.rs"]
mod cache;

mod keys {
    /// As that of the library, with a constructor.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct KeySetVersion(pub(crate) u64);
}

mod sync {
    pub(crate) use shuttle::sync::RwLock;
}

/// A session that knows the version of the keys that vouched for it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Session(u64);

impl Kept for Session {
    fn bytes(&self) -> usize {
        700
    }
}

const TOKEN: &[u8] = b"header.payload.signature";

/// When the token expires, in milliseconds since 1970.
const EXPIRY: i64 = 1_000;

#[derive(Debug, PartialEq, Eq)]
struct Refused;

fn main() {
    let iterations = std::env::var("ITERATIONS").map_or(3_000, |number| number.parse().expect("a number"));
    let models: [(&str, fn()); 4] = [
        ("after a swap of the keys no session of the old ones is taken", swap_of_keys),
        ("an expired session is never taken", expiry),
        ("after a session was forgotten it is not taken", forgetting),
        ("a session that is good stays known", renewal),
    ];
    for (name, model) in models {
        shuttle::check_random(model, iterations);
        shuttle::check_pct(model, iterations, 3);
        println!("model {name} ... ok");
    }
    println!("\n{} passed, 0 failed", models.len());
}

fn cache() -> Arc<SessionCache<Session>> {
    Arc::new(SessionCache::new(1 << 20))
}

fn now(wall: i64, start: Instant) -> Now {
    Now { wall, steady: start + Duration::from_millis(u64::try_from(wall).unwrap_or(0)) }
}

fn fresh(version: KeySetVersion) -> Fresh<Session> {
    Fresh { session: Session(version.0), good_until: EXPIRY, version }
}

fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().expect("the model holds"));
}

/// Requests beside a swap: one that begins after the swap is done gets what the new keys say.
fn swap_of_keys() {
    let (cache, keys, start) = (cache(), Arc::new(Mutex::new(KeySetVersion(1))), Instant::now());
    let swapped = Arc::new(AtomicU64::new(1));
    let request = || {
        let (cache, keys, swapped) = (Arc::clone(&cache), Arc::clone(&keys), Arc::clone(&swapped));
        thread::spawn(move || {
            for _ in 0..2 {
                let at_least = swapped.load(Ordering::SeqCst);
                let version = *keys.lock().expect("no panic");
                let found = cache.known_or_verified(TOKEN, now(0, start), Some(version), || {
                    let snapshot = *keys.lock().expect("no panic");
                    Ok::<_, Refused>(Ok::<_, Refused>(fresh(snapshot)))
                });
                let Ok(Ok(Session(version))) = found else { panic!("{found:?}") };
                assert!(version >= at_least, "keys {version} vouched after {at_least} were in force");
            }
        })
    };
    let requests = [request(), request()];
    *keys.lock().expect("no panic") = KeySetVersion(2);
    swapped.store(2, Ordering::SeqCst);
    join(requests);
}

/// Requests at times before and after the expiry, in any order.
fn expiry() {
    let (cache, start) = (cache(), Instant::now());
    let request = |wall: i64| {
        let cache = Arc::clone(&cache);
        thread::spawn(move || {
            let found = cache.known_or_verified(TOKEN, now(wall, start), Some(KeySetVersion(1)), || {
                if wall < EXPIRY { Ok(Ok::<_, Refused>(fresh(KeySetVersion(1)))) } else { Err(Refused) }
            });
            assert_eq!(found.is_ok(), wall < EXPIRY, "at {wall}");
        })
    };
    join([request(0), request(EXPIRY), request(EXPIRY - 1), request(EXPIRY + 1)]);
}

/// Requests beside a revocation: one that begins after it is done is refused.
fn forgetting() {
    let (cache, start) = (cache(), Instant::now());
    let revoked = Arc::new(Mutex::new(false));
    let forgotten = Arc::new(AtomicBool::new(false));
    let request = || {
        let (cache, revoked, forgotten) = (Arc::clone(&cache), Arc::clone(&revoked), Arc::clone(&forgotten));
        thread::spawn(move || {
            for _ in 0..2 {
                let must_fail = forgotten.load(Ordering::SeqCst);
                let found = cache.known_or_verified(TOKEN, now(0, start), Some(KeySetVersion(1)), || {
                    if *revoked.lock().expect("no panic") {
                        Err(Refused)
                    } else {
                        Ok(Ok::<_, Refused>(fresh(KeySetVersion(1))))
                    }
                });
                assert!(!must_fail || found == Err(Refused), "a forgotten session was taken");
            }
        })
    };
    let requests = [request(), request()];
    *revoked.lock().expect("no panic") = true;
    cache.forget(|_| true);
    forgotten.store(true, Ordering::SeqCst);
    join(requests);
}

/// Requests that find an entry of old keys: whoever takes it away does not take away the new one.
fn renewal() {
    let (cache, start) = (cache(), Instant::now());
    let request = |version: KeySetVersion| {
        let cache = Arc::clone(&cache);
        move || {
            let verify = || Ok::<_, Refused>(Ok::<_, Refused>(fresh(version)));
            let found = cache.known_or_verified(TOKEN, now(0, start), Some(version), verify);
            assert_eq!(found, Ok(Ok(Session(version.0))));
        }
    };
    request(KeySetVersion(1))();
    // The third only looks, and is refused by its verifier.
    let looks = {
        let cache = Arc::clone(&cache);
        move || {
            _ = cache
                .known_or_verified(TOKEN, now(0, start), Some(KeySetVersion(2)), || Err::<Result<_, ()>, _>(Refused))
        }
    };
    join([thread::spawn(request(KeySetVersion(2))), thread::spawn(request(KeySetVersion(2))), thread::spawn(looks)]);
    let known =
        cache.known_or_verified(TOKEN, now(0, start), Some(KeySetVersion(2)), || Err::<Result<_, ()>, _>(Refused));
    assert_eq!(known, Ok(Ok(Session(2))), "what was verified last is known");
}
