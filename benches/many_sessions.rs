//! How does the cost of known sessions grow with their number, and what do two threads do against one?
//!
//! `cargo bench --bench many_sessions`; numbers of different runs cannot be compared, those of one can. A million
//! sessions take some 4 GB of memory; `MAX_SESSIONS` sets another number to stop at.

mod support;

use std::sync::Barrier;
use std::time::{Duration, Instant};

use http::Request;
use support::{Contestant, Handler, Handles, again, bearer, call, contest, hs256, report};

const ROUNDS: usize = 15;
const ROUND: Duration = Duration::from_millis(200);

fn main() {
    let most = std::env::var("MAX_SESSIONS").map_or(1_000_000, |most| most.parse().expect("a number"));
    number_of_sessions(most);
    threads();
}

/// Beside no layer in the same order, since a request whose token is not in the processor's caches costs more by itself.
fn number_of_sessions(most: usize) {
    let signer = hs256();
    let mut first = None;
    for sessions in [1_000, 10_000, 100_000, 1_000_000].into_iter().filter(|sessions| *sessions <= most) {
        let mut known = signer.service(sessions * 4096);
        let requests: Vec<_> = (0..sessions).map(|n| bearer(&signer.token(&format!("user-{n}")))).collect();
        for request in &requests {
            assert_eq!(call(&mut known, again(request)), 200);
        }
        let (mut at, mut at_nothing, mut nothing) = (0, 0, Handler);
        let times = contest(&mut [
            Contestant::new("no layer", || call(&mut nothing, again(scattered(&requests, &mut at_nothing)))),
            Contestant::new("known session", || call(&mut known, again(scattered(&requests, &mut at)))),
        ]);
        let [(_, nothing), (_, known)] = times[..] else { unreachable!("two contestants") };
        let cost = known - nothing;
        let first = *first.get_or_insert(cost);
        let numbers =
            [("no layer", nothing), ("known session", known), ("cost of the layer", cost), ("of 1,000", cost / first)];
        report("number of sessions", &sessions.to_string(), &numbers);
    }
}

fn threads() {
    let signer = hs256();
    let known = signer.service(64 << 20);
    let requests: Vec<_> = (0..1_000).map(|n| bearer(&signer.token(&format!("user-{n}")))).collect();
    for request in &requests {
        assert_eq!(call(&mut known.clone(), again(request)), 200);
    }
    for (case, service) in [("known sessions", true), ("no layer", false)] {
        let (mut one, mut two) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            for (threads, rates) in [(1, &mut one), (2, &mut two)] {
                let rate = if service { rate(&known, &requests, threads) } else { rate(&Handler, &requests, threads) };
                rates.push(rate);
            }
        }
        let [one, two] = [one, two].map(|mut rates| {
            rates.sort_by(f64::total_cmp);
            rates[ROUNDS / 2]
        });
        report(
            "threads",
            case,
            &[("one, calls a second", one), ("two, calls a second", two), ("two to one", two / one)],
        );
    }
}

/// How many calls so many threads make in a second in which each of them has a processor, all of them for any of the
/// sessions.
fn rate(service: &(impl Handles + Clone + Send), requests: &[Request<()>], threads: usize) -> f64 {
    let start = Barrier::new(threads);
    std::thread::scope(|scope| {
        let works: Vec<_> = (0..threads)
            .map(|thread| {
                let (mut service, mut at, start) = (service.clone(), thread * requests.len() / 2, &start);
                scope.spawn(move || {
                    start.wait();
                    let (begin, begin_busy, mut calls) = (Instant::now(), busy(), 0_u32);
                    while begin.elapsed() < ROUND {
                        for _ in 0..32 {
                            call(&mut service, again(scattered(requests, &mut at)));
                        }
                        calls += 32;
                    }
                    let time = match (begin_busy, busy()) {
                        (Some(begin), Some(end)) => end - begin,
                        _ => begin.elapsed(),
                    };
                    f64::from(calls) / time.as_secs_f64()
                })
            })
            .collect();
        works.into_iter().map(|work| work.join().expect("no panic")).sum()
    })
}

/// For how long this thread has had a processor, where the system tells: other programs do not count.
fn busy() -> Option<Duration> {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    times.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// The next request, in an order that no prefetching knows and that comes to all of them.
fn scattered<'a>(requests: &'a [Request<()>], at: &mut usize) -> &'a Request<()> {
    // A prime, so that the steps come to each one before they come back, whatever the power of ten.
    *at = (*at + 7_654_319) % requests.len();
    &requests[*at]
}
