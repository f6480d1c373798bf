//! Fetches that nobody asks for, rotation, and how long keys are good while the key server fails.

use std::time::Duration;

use tokio::time::{Instant, advance, sleep};
use tower_user_metadata::ConfigError;
use tower_user_metadata::session::keys::{Jwks, JwksErrorKind};
use tower_user_metadata::session::{AuthErrorKind as Kind, SessionVerifier, Verdict, VerifyInput};

use crate::keys::{Key, judge, now, set, verifier, verify, verify_at_once};
use crate::script::{Reply, Script};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// As `advance`, with the tasks that become ready in between run at their times.
async fn pass(time: Duration) {
    sleep(time).await;
}

#[tokio::test(start_paused = true)]
async fn keys_rotate_each_second_and_no_token_of_a_shown_key_is_refused() {
    let mut keys = vec![Key::new("0")];
    let server = Script::new(Reply::Keys(set(&keys)));
    let jwks = server.builder().with_cool_down(Duration::from_millis(500)).build().await.expect("keys");
    server.delay(Duration::from_millis(20));
    let verifier = verifier(&jwks);
    for n in 1..60 {
        keys.push(Key::new(n.to_string()));
        // Two are shown at a time.
        let shown = &keys[n - 1..];
        server.answer(Reply::Keys(set(shown)));
        let published = Instant::now();
        assert_eq!(verify_at_once(&verifier, &shown[0].token()), Ok(()));
        while verify(&verifier, &shown[1].token()).await.is_err() {
            assert_eq!(verify_at_once(&verifier, &shown[0].token()), Ok(()));
            pass(Duration::from_millis(10)).await;
        }
        assert!(published.elapsed() <= Duration::from_millis(530), "{:?}", published.elapsed());
        // The one before them is gone with the same fetch.
        if n > 1 {
            assert_eq!(verify(&verifier, &keys[n - 2].token()).await, Err(Kind::UnknownKey));
        }
        pass(SECOND - published.elapsed()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_removed_key_is_refused_within_the_interval_although_nobody_asks() {
    for _ in 0..20 {
        let (removed, kept) = (Key::new("removed"), Key::new("kept"));
        let server = Script::new(Reply::Keys(set([&removed, &kept])));
        let jwks = server.jwks().await;
        let verifier = verifier(&jwks);
        server.answer(Reply::Keys(set([&kept])));
        server.delay(Duration::from_secs(4));
        pass(2 * HOUR).await;
        assert_eq!(verify_at_once(&verifier, &removed.token()), Ok(()));
        pass(2 * HOUR).await;
        assert_eq!(verify_at_once(&verifier, &kept.token()), Ok(()));
        assert_eq!(verify(&verifier, &removed.token()).await, Err(Kind::UnknownKey));
        assert_eq!(jwks.status().keys, Some(1));
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_fetch_by_the_schedule() {
    let key = Key::new("a");
    let server = Script::new(Reply::Keys(set([&key])));
    let jwks = server.jwks().await;
    let verifier = verifier(&jwks);
    server.answer(Reply::Hang);
    let mut fetching = 0;
    for _ in 0..4 * 3600 {
        pass(SECOND).await;
        assert_eq!(verify_at_once(&verifier, &key.token()), Ok(()));
        fetching += u32::from(jwks.status().fetching);
    }
    assert!(server.count() > 1);
    assert!(fetching > 0);
}

#[tokio::test(start_paused = true)]
async fn the_key_server_may_shorten_the_interval() {
    let key = Key::new("a");
    for (cache_control, least, most) in [
        ("max-age=600", 450, 540),
        ("max-age=1", 45, 54),
        ("no-store", 45, 54),
        ("max-age=999999999999999999999", 3 * 3600, 4 * 3600),
        ("public", 3 * 3600, 4 * 3600),
    ] {
        let server = Script::new(Reply::KeysWith("cache-control", cache_control, set([&key])));
        let jwks = server.jwks().await;
        while server.count() < 10 {
            pass(SECOND).await;
        }
        let bounds = Duration::from_secs(least)..=Duration::from_secs(most + 1);
        assert!(server.gaps().iter().all(|gap| bounds.contains(gap)), "{cache_control}: {:?}", server.gaps());
        jwks.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn failures_back_off() {
    let key = Key::new("a");
    let server = Script::new(Reply::Keys(set([&key])));
    let jwks = server.jwks().await;
    server.answer(Reply::Down);
    while server.count() < 12 {
        pass(SECOND).await;
    }
    let gaps: Vec<_> = server.gaps().iter().skip(1).map(Duration::as_secs).collect();
    for (gap, least) in gaps.iter().zip([10, 20, 40, 60, 60, 60, 60, 60, 60, 60]) {
        assert!((least..=least * 3 / 2 + 1).contains(gap), "{gaps:?}");
    }
    let status = jwks.status();
    assert_eq!((status.keys, status.failures, status.last_error), (Some(1), 11, Some(JwksErrorKind::Unreachable)));
    server.answer(Reply::Keys(set([&key])));
    pass(Duration::from_secs(91)).await;
    let status = jwks.status();
    assert_eq!((status.keys, status.failures, status.last_error), (Some(1), 0, None));
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured_within_bounds() {
    let key = Key::new("a");
    for (status, retry_after, pause) in
        [(429, "40", 40), (503, "40", 40), (429, "86400", 300), (429, "0", 10), (500, "40", 10)]
    {
        let server = Script::new(Reply::Keys(set([&key])));
        let jwks = server.jwks().await;
        let verifier = verifier(&jwks);
        pass(10 * SECOND).await;
        server.answer(Reply::Status(status, Some(retry_after)));
        assert_eq!(verify(&verifier, &key.token_as("0")).await, Err(Kind::UnknownKey));
        assert_eq!(server.count(), 2);
        for n in 1..=pause {
            assert_eq!(server.count(), 2, "{status} {retry_after}");
            pass(SECOND).await;
            assert_eq!(verify(&verifier, &key.token_as(&n.to_string())).await, Err(Kind::UnknownKey));
        }
        assert_eq!(server.count(), 3, "{status} {retry_after}");
        assert_eq!(verify_at_once(&verifier, &key.token()), Ok(()));
    }
}

#[tokio::test(start_paused = true)]
async fn old_keys_are_good_up_to_the_cap_and_no_longer() {
    let key = Key::new("a");
    let server = Script::new(Reply::Keys(set([&key])));
    let jwks = server.jwks().await;
    let verifier = verifier(&jwks);
    let began = Instant::now();
    server.answer(Reply::Status(500, None));
    pass(24 * HOUR - SECOND).await;
    assert!(server.count() > 100);
    assert_eq!(verify_at_once(&verifier, &key.token()), Ok(()));
    assert!(jwks.status().age.is_some_and(|age| age >= 24 * HOUR - SECOND));
    pass(SECOND).await;
    assert_eq!(verify(&verifier, &key.token()).await, Err(Kind::KeysUnavailable));
    assert_eq!(jwks.status().keys, None);
    pass(100 * HOUR).await;
    assert_eq!(verify(&verifier, &key.token()).await, Err(Kind::KeysUnavailable));

    server.answer(Reply::Keys(set([&key])));
    let up = Instant::now();
    while verify(&verifier, &key.token()).await.is_err() {
        pass(Duration::from_millis(100)).await;
    }
    assert!(up.elapsed() <= 10 * SECOND, "{:?}", up.elapsed());
    assert!(began.elapsed() > 124 * HOUR);
}

#[tokio::test(start_paused = true)]
async fn a_cap_below_the_interval_shortens_the_interval() {
    let key = Key::new("a");
    let server = Script::new(Reply::Keys(set([&key])));
    let jwks = server.builder().with_max_stale(60 * SECOND).build().await.expect("keys");
    for _ in 0..1000 {
        pass(SECOND).await;
        assert_eq!(verify_at_once(&verifier(&jwks), &key.token()), Ok(()));
    }
}

#[tokio::test(start_paused = true)]
async fn starts_with_the_key_server_down_when_told_to() {
    let key = Key::new("a");
    for reply in [Reply::Down, Reply::Hang, Reply::Status(503, Some("1000")), Reply::Keys("{}".into())] {
        let server = Script::new(reply.clone());
        let began = Instant::now();
        let error = server.builder().build().await.expect_err("no keys");
        assert!(matches!(error, ConfigError::JwksUnavailable(_)), "{error}");
        assert!(began.elapsed() <= 5 * SECOND);

        for asked in [true, false] {
            server.answer(reply.clone());
            let jwks = server.builder().with_offline_start().build().await.expect("told to");
            let verifier = verifier(&jwks);
            for _ in 0..100 {
                let judged = judge(&verifier, &key.token()).await;
                assert_eq!(judged.result, Err(Kind::KeysUnavailable));
                pass(SECOND).await;
            }
            server.answer(Reply::Keys(set([&key])));
            let up = Instant::now();
            // With requests, or by itself.
            while jwks.status().keys.is_none() {
                if asked {
                    let _ = verify(&verifier, &key.token()).await;
                }
                pass(Duration::from_millis(100)).await;
            }
            let most = match reply {
                Reply::Status(..) => 301,
                _ if asked => 10,
                _ => 91,
            };
            assert!(up.elapsed() <= most * SECOND, "{reply:?} {:?}", up.elapsed());
            assert_eq!(verify_at_once(&verifier, &key.token()), Ok(()));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_without_a_usable_key_is_an_error_unless_told_to() {
    let server = Script::new(Reply::Keys(r#"{"keys":[]}"#.into()));
    assert!(matches!(server.builder().build().await, Err(ConfigError::Key(_))));
    let jwks = server.builder().with_offline_start().build().await.expect("told to");
    assert_eq!(jwks.status().keys, Some(0));
    assert_eq!(verify(&verifier(&jwks), &Key::new("a").token()).await, Err(Kind::UnknownKey));
}

#[tokio::test(start_paused = true)]
async fn several_urls_are_tried_in_order_within_one_deadline() {
    let key = Key::new("a");
    let good = || Reply::Keys(set([&key]));
    let build = async |server: &Script| -> (Result<Jwks, ConfigError>, Duration) {
        let began = Instant::now();
        let builder = server.builder().with_url("https://second.test/jwks").with_url("https://third.test/jwks");
        (builder.build().await, began.elapsed())
    };
    for bad in [Reply::Down, Reply::Status(302, None), Reply::Status(404, None), Reply::Keys("[]".into())] {
        let server = Script::new(bad);
        server.answer_at("second.test", good());
        let (result, _) = build(&server).await;
        assert_eq!(result.expect("keys").status().keys, Some(1));
        assert_eq!(server.count(), 2);
    }

    // The first that has a JWK set is taken, also when none of its keys is of use.
    let server = Script::new(good());
    server.answer_at("keys.test", Reply::Keys(r#"{"keys":[]}"#.into()));
    let (result, _) = build(&server).await;
    assert!(matches!(result, Err(ConfigError::Key(_))));
    assert_eq!(server.count(), 1);

    // One that hangs leaves time for the others.
    let server = Script::new(Reply::Hang);
    let (result, took) = build(&server).await;
    assert!(result.is_err());
    assert!(took >= 4990 * SECOND / 1000 && took <= 5 * SECOND + Duration::from_millis(10), "{took:?}");
    assert_eq!(server.count(), 3);
    let server = Script::new(Reply::Hang);
    server.answer_at("third.test", good());
    let (result, took) = build(&server).await;
    assert!(result.is_ok());
    assert!(took < 4 * SECOND, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_behind() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let key = Key::new("a");
    let before = tasks();
    for hanging in [false, true] {
        for close in [false, true] {
            let server = Script::new(Reply::Keys(set([&key])));
            let jwks = server.jwks().await;
            assert_eq!(tasks(), before + 1);
            if hanging {
                server.answer(Reply::Hang);
                advance(10 * SECOND).await;
                let verifier = verifier(&jwks);
                let token = key.token_as("b");
                let request = verifier.verify(VerifyInput::new(&token, now()));
                tokio::task::yield_now().await;
                assert_eq!(tasks(), before + 2);
                assert!(jwks.status().fetching);
                drop(request);
            }
            if close {
                let other = jwks.clone();
                jwks.close().await;
                assert_eq!(tasks(), before);
                // The keys stay, and nothing begins again.
                let (verifier, fetched) = (verifier(&other), server.count());
                assert_eq!(verify_at_once(&verifier, &key.token()), Ok(()));
                pass(23 * HOUR).await;
                assert_eq!(verify_at_once(&verifier, &key.token_as("c")), Err(Kind::UnknownKey));
                pass(HOUR).await;
                assert_eq!(verify_at_once(&verifier, &key.token()), Err(Kind::KeysUnavailable));
                assert_eq!((tasks(), server.count()), (before, fetched));
                assert!(!other.status().fetching);
            }
            drop(jwks);
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            assert_eq!(tasks(), before, "hanging: {hanging}, close: {close}");
        }
    }
}

/// The runtime on which the keys were made is gone, or there but not run, as when an application makes them before its
/// server starts.
#[test]
fn another_runtime_takes_over() {
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("one");
    for gone in [true, false] {
        let (old, new) = (Key::new("old"), Key::new("new"));
        let server = Script::new(Reply::Keys(set([&old])));
        let cool_down = Duration::from_millis(500);
        let builder = server.builder().with_refresh_interval(HOUR).with_cool_down(cool_down);
        let first = runtime();
        let jwks = first.block_on(builder.build()).expect("keys");
        let _still_there = (!gone).then_some(first);
        let verifier = verifier(&jwks);
        // Outside of any runtime too, without an unknown key being looked for.
        assert_eq!(verify_at_once(&verifier, &old.token()), Ok(()));
        assert_eq!(verify_at_once(&verifier, &new.token()), Err(Kind::UnknownKey));
        runtime().block_on(async {
            server.answer(Reply::Keys(set([&old, &new])));
            pass(SECOND).await;
            assert_eq!(verify(&verifier, &new.token()).await, Ok(()));
            assert_eq!(server.count(), 2);
            // Removed, and found out with no more than requests under known keys.
            server.answer(Reply::Keys(set([&new])));
            for _ in 0..70 {
                pass(60 * SECOND).await;
                assert_eq!(verify_at_once(&verifier, &new.token()), Ok(()));
            }
            assert!(verify(&verifier, &old.token()).await.is_err(), "gone: {gone}");
        });
    }
}

/// A fetch that began on a runtime that is not run any more is given up for another.
#[test]
fn a_fetch_that_stands_still_is_given_up() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("one");
    let (old, new) = (Key::new("old"), Key::new("new"));
    let server = Script::new(Reply::Keys(set([&old])));
    let (first, second) = (runtime(), runtime());
    let times = Duration::from_millis(500);
    let builder = server.builder().with_cool_down(times).with_fetch_deadline(times);
    let jwks = first.block_on(builder.build()).expect("keys");
    let verifier = verifier(&jwks);
    server.answer(Reply::Keys(set([&old, &new])));
    let token = new.token();
    let waiting = first.block_on(async {
        sleep(times).await;
        verifier.verify(VerifyInput::new(&token, now()))
    });
    assert!(jwks.status().fetching);
    second.block_on(async {
        assert_eq!(verify(&verifier, &new.token()).await, Err(Kind::UnknownKey));
        sleep(times).await;
        assert_eq!(verify(&verifier, &new.token()).await, Ok(()));
    });
    assert_eq!(jwks.status().fetches, 3);
    // The first goes on, and what it says comes too late.
    server.answer(Reply::Keys(set([&old])));
    let Verdict::Pending(waiting) = waiting else { panic!("no wait") };
    assert!(first.block_on(waiting).is_ok());
    first.block_on(async { sleep(Duration::from_millis(50)).await });
    assert_eq!((jwks.status().keys, jwks.status().failures), (Some(2), 0));
}
