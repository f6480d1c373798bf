//! One fetch at a time, at most one a cool-down, whoever asks and whoever goes away.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::task::JoinSet;
use tokio::time::{Instant, advance, sleep};
use tower_user_metadata::session::keys::{JwksErrorKind, KeySource};
use tower_user_metadata::session::{AuthErrorKind as Kind, JwtVerifier, SessionVerifier, Verdict, VerifyInput};

use crate::keys::{Key, judge, now, set, verifier, verify, verify_at_once};
use crate::script::{Reply, Script};

const COOL_DOWN: Duration = Duration::from_secs(10);

#[tokio::test(start_paused = true)]
async fn a_thousand_unknown_keys_make_one_fetch() {
    let key = Key::new("a");
    let server = Script::new(Reply::Keys(set([&key])));
    let jwks = server.jwks().await;
    advance(COOL_DOWN).await;
    server.delay(Duration::from_secs(1));
    let began = Instant::now();
    let mut requests = JoinSet::new();
    for n in 0..1000 {
        let (verifier, token) = (verifier(&jwks), key.token_as(&format!("made-up-{n}")));
        requests.spawn(async move { judge(&verifier, &token).await });
    }
    while let Some(judged) = requests.join_next().await {
        let judged = judged.expect("no panic");
        assert_eq!(judged.result, Err(Kind::UnknownKey));
        assert!(!judged.at_once);
    }
    assert_eq!(began.elapsed(), Duration::from_secs(1));
    assert_eq!(server.count(), 2);
    assert_eq!(jwks.status().fetches, 2);
    // What is remembered of them is bounded.
    assert_eq!(jwks.status().unknown_kids, 256);
}

/// No key could verify it, so none is looked for, and that there are none is no excuse.
#[tokio::test(start_paused = true)]
async fn an_algorithm_that_no_key_has_asks_nobody() {
    let key = Key::new("a");
    for (reply, supertokens) in [(Reply::Down, false), (Reply::Keys(set([&key])), false), (Reply::Down, true)] {
        let server = Script::new(reply);
        let jwks = server.builder().with_offline_start().build().await.expect("started");
        advance(COOL_DOWN).await;
        let fetches = server.count();
        let verifier = if supertokens {
            JwtVerifier::supertokens(jwks.clone()).build().expect("a verifier")
        } else {
            verifier(&jwks)
        };
        let mut names = vec!["none", "", "eddsa", "RS1", "ES256K", "dir", "A128KW", "null"];
        if supertokens {
            names.extend(["EdDSA", "HS256", "RS384", "PS256"]);
        }
        for name in names {
            let header = format!(r#"{{"alg":"{name}","typ":"JWT","version":"5","kid":"d-1"}}"#);
            let good = key.token();
            let (_, signed) = good.split_once('.').expect("a token");
            let token = format!("{}.{signed}", URL_SAFE_NO_PAD.encode(header));
            assert_eq!(verify_at_once(&verifier, &token), Err(Kind::BadSignature), "{name}");
        }
        assert_eq!(server.count(), fetches);
        jwks.close().await;
    }
}

/// The time that counts is that of the verdict, not that of the question.
#[tokio::test(start_paused = true)]
async fn a_token_that_ends_while_its_key_is_fetched_is_expired() {
    for (millis, expected) in [(999, Ok(())), (1_000, Err(Kind::Expired)), (4_000, Err(Kind::Expired))] {
        let (old, new) = (Key::new("old"), Key::new("new"));
        let server = Script::new(Reply::Keys(set([&old])));
        let jwks = server.jwks().await;
        advance(COOL_DOWN).await;
        server.answer(Reply::Keys(set([&new])));
        server.delay(Duration::from_millis(millis));
        let (verifier, token) = (verifier(&jwks), new.token());
        // A second before its end.
        let asked = now() + Duration::from_secs(3_599);
        let Verdict::Pending(verdict) = verifier.verify(VerifyInput::new(&token, asked)) else { panic!("no wait") };
        assert_eq!(verdict.await.map(drop).map_err(|error| error.kind()), expected, "{millis}");
    }
}

#[tokio::test(start_paused = true)]
async fn all_who_wait_get_the_new_key() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let server = Script::new(Reply::Keys(set([&old])));
    let jwks = server.jwks().await;
    advance(COOL_DOWN).await;
    server.answer(Reply::Keys(set([&old, &new])));
    server.delay(Duration::from_millis(300));
    let mut requests = JoinSet::new();
    for n in 0..100 {
        let (verifier, token) = (verifier(&jwks), new.token());
        requests.spawn(async move {
            sleep(Duration::from_millis(n * 2)).await;
            verify(&verifier, &token).await
        });
    }
    // Meanwhile those with a known key do not wait.
    sleep(Duration::from_millis(100)).await;
    assert!(jwks.status().fetching);
    assert_eq!(verify_at_once(&verifier(&jwks), &old.token()), Ok(()));
    assert!(requests.join_all().await.into_iter().all(|result| result == Ok(())));
    assert_eq!(server.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_herd_of_made_up_keys_makes_one_fetch_a_cool_down() {
    let key = Key::new("a");
    let server = Script::new(Reply::Keys(set([&key])));
    let jwks = server.jwks().await;
    server.delay(Duration::from_millis(50));
    let verifier = verifier(&jwks);
    let good = key.token();
    let mut waiting = JoinSet::new();
    for n in 0..10_000 {
        assert_eq!(verify_at_once(&verifier, &good), Ok(()));
        let (verifier, token) = (verifier.clone(), key.token_as(&format!("made-up-{n}")));
        waiting.spawn(async move { verify(&verifier, &token).await });
        advance(Duration::from_millis(5)).await;
    }
    assert!(waiting.join_all().await.into_iter().all(|result| result == Err(Kind::UnknownKey)));
    // Fifty seconds.
    assert!((5..=6).contains(&server.count()), "{}", server.count());
    assert!(server.gaps().iter().all(|gap| *gap >= COOL_DOWN), "{:?}", server.gaps());
    assert!(jwks.status().unknown_kids <= 256);
}

#[tokio::test(start_paused = true)]
async fn the_cool_down_does_not_depend_on_what_came_of_the_fetch() {
    let key = Key::new("a");
    for reply in [
        Reply::Keys(r#"{"keys":[]}"#.into()),
        Reply::Keys("<html>".into()),
        Reply::Status(500, None),
        Reply::Status(302, None),
        Reply::Down,
        Reply::Hang,
        Reply::Panic,
    ] {
        let server = Script::new(reply.clone());
        let jwks = server.builder().with_offline_start().build().await.expect("keys");
        let verifier = verifier(&jwks);
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(60) {
            // Each with a name that was not there before.
            let token = key.token_as(&format!("made-up-{}", began.elapsed().as_millis()));
            let judged = judge(&verifier, &token).await;
            let empty = matches!(&reply, Reply::Keys(body) if body.contains("keys"));
            assert_eq!(judged.result, Err(if empty { Kind::UnknownKey } else { Kind::KeysUnavailable }), "{reply:?}");
            sleep(Duration::from_millis(100)).await;
        }
        assert!((6..=7).contains(&server.count()), "{reply:?}: {}", server.count());
        assert!(server.gaps().iter().all(|gap| *gap >= COOL_DOWN), "{reply:?}: {:?}", server.gaps());
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_stays_unknown_is_looked_for_ever_more_rarely() {
    let (key, late) = (Key::new("a"), Key::new("late"));
    let server = Script::new(Reply::Keys(set([&key])));
    let jwks = server.jwks().await;
    let verifier = verifier(&jwks);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(600) {
        assert_eq!(verify(&verifier, &late.token()).await, Err(Kind::UnknownKey));
        sleep(Duration::from_millis(500)).await;
    }
    // At 10, 20, 40, 80, 140, 200 seconds and so on, instead of each ten seconds.
    assert!((10..=14).contains(&server.count()), "{:?}", server.gaps());
    assert!(server.gaps().iter().all(|gap| *gap <= Duration::from_secs(61)), "{:?}", server.gaps());

    // It is not given up, and whatever fetch finds it.
    server.answer(Reply::Keys(set([&key, &late])));
    let published = Instant::now();
    assert_eq!(verify(&verifier, &key.token_as("other")).await, Err(Kind::UnknownKey));
    while verify(&verifier, &late.token()).await.is_err() {
        sleep(Duration::from_millis(500)).await;
    }
    assert!(published.elapsed() <= Duration::from_secs(60));
    assert_eq!(jwks.status().unknown_kids, 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_used_before_it_is_shown_is_found_after_the_cool_down() {
    let (key, late) = (Key::new("a"), Key::new("late"));
    let server = Script::new(Reply::Keys(set([&key])));
    let jwks = server.jwks().await;
    let verifier = verifier(&jwks);
    advance(COOL_DOWN).await;
    assert_eq!(verify(&verifier, &late.token()).await, Err(Kind::UnknownKey));
    server.answer(Reply::Keys(set([&key, &late])));
    let published = Instant::now();
    while verify(&verifier, &late.token()).await.is_err() {
        sleep(Duration::from_millis(100)).await;
    }
    assert!(published.elapsed() <= COOL_DOWN, "{:?}", published.elapsed());
}

#[tokio::test(start_paused = true)]
async fn names_that_are_too_long_are_never_asked_for() {
    let key = Key::new("a");
    let server = Script::new(Reply::Keys(set([&key])));
    let jwks = server.jwks().await;
    let verifier = verifier(&jwks);
    advance(COOL_DOWN).await;
    let token = key.token_as(&"k".repeat(257));
    assert_eq!(verify_at_once(&verifier, &token), Err(Kind::UnknownKey));
    assert_eq!(server.count(), 1);
    assert_eq!(verify(&verifier, &key.token_as(&"k".repeat(256))).await, Err(Kind::UnknownKey));
    assert_eq!(server.count(), 2);
}

/// The future of a request is dropped after each possible number of polls, while another one waits and after it.
#[tokio::test(start_paused = true)]
async fn a_request_that_goes_away_stops_nothing() {
    for polls in 0..12 {
        let (old, new) = (Key::new("old"), Key::new("new"));
        let server = Script::new(Reply::Keys(set([&old])));
        let jwks = server.jwks().await;
        let verifier = verifier(&jwks);
        advance(COOL_DOWN).await;
        server.answer(Reply::Keys(set([&old, &new])));
        server.yields(6);
        let token = new.token();
        {
            let Verdict::Pending(request) = verifier.verify(VerifyInput::new(&token, now())) else { panic!("no wait") };
            let mut request = pin!(request);
            for _ in 0..polls {
                if let Poll::Ready(result) = request.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                    assert!(result.is_ok());
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(verify(&verifier, &token).await, Ok(()), "after {polls} polls");
        assert_eq!(server.count(), 2);
        assert!(!jwks.status().fetching);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_transport_wakes_those_who_wait() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let server = Script::new(Reply::Keys(set([&old])));
    let jwks = server.jwks().await;
    let verifier = verifier(&jwks);
    advance(COOL_DOWN).await;
    server.answer(Reply::Panic);
    assert_eq!(verify(&verifier, &new.token()).await, Err(Kind::UnknownKey));
    assert_eq!(jwks.status().last_error, Some(JwksErrorKind::Interrupted));
    server.answer(Reply::Keys(set([&old, &new])));
    advance(COOL_DOWN).await;
    assert_eq!(verify(&verifier, &new.token()).await, Ok(()));
    assert_eq!(jwks.status().last_error, None);
}

#[tokio::test(start_paused = true)]
async fn the_same_document_is_the_same_key_set() {
    let key = Key::new("a");
    let server = Script::new(Reply::Keys(set([&key])));
    let jwks = server.jwks().await;
    let first = jwks.snapshot().expect("keys");
    advance(COOL_DOWN).await;
    assert_eq!(verify(&verifier(&jwks), &key.token_as("b")).await, Err(Kind::UnknownKey));
    assert_eq!(server.count(), 2);
    assert!(std::sync::Arc::ptr_eq(&first, &jwks.snapshot().expect("keys")));
    server.answer(Reply::Keys(set([&key, &Key::new("b")])));
    advance(2 * COOL_DOWN).await;
    assert_eq!(verify(&verifier(&jwks), &key.token_as("c")).await, Err(Kind::UnknownKey));
    assert!(!std::sync::Arc::ptr_eq(&first, &jwks.snapshot().expect("keys")));
}

#[tokio::test(start_paused = true)]
async fn who_missed_the_landing_by_a_hair_gets_the_key() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let server = Script::new(Reply::Keys(set([&old])));
    let jwks = server.jwks().await;
    advance(COOL_DOWN).await;
    server.answer(Reply::Keys(set([&old, &new])));
    assert_eq!(verify(&verifier(&jwks), &new.token()).await, Ok(()));
    // As a request does that looked at the keys just before they were replaced: in the cool-down, and yet not in vain.
    assert!(jwks.refresh(Some("new")).is_some());
    assert!(jwks.refresh(Some("other")).is_none());
    assert_eq!(server.count(), 2);
}

/// A key without a `kid` may have been replaced when it does not verify a token, whatever that names; a key that the token
/// names may not.
#[tokio::test(start_paused = true)]
async fn a_key_without_a_name_is_looked_for_anew_when_it_does_not_fit() {
    let unnamed = |key: &Key| key.jwk().replace(r#""kid":"k","#, "");
    let (old, new, named) = (Key::new("k"), Key::new("k"), Key::new("named"));
    let document = |key: &Key| Reply::Keys(format!(r#"{{"keys":[{},{}]}}"#, unnamed(key), named.jwk()));
    let server = Script::new(document(&old));
    let jwks = server.jwks().await;
    let verifier = verifier(&jwks);
    assert_eq!(verify_at_once(&verifier, &old.token()), Ok(()));
    advance(COOL_DOWN).await;
    server.answer(document(&new));
    // The key of this name is there, so nobody is asked.
    assert_eq!(verify_at_once(&verifier, &new.token_as("named")), Err(Kind::BadSignature));
    assert_eq!(server.count(), 1);
    assert_eq!(verify(&verifier, &new.token()).await, Ok(()));
    assert_eq!(server.count(), 2);
    assert_eq!(verify_at_once(&verifier, &old.token()), Err(Kind::BadSignature));
    // A flood of such tokens makes one fetch a cool-down at most.
    let forged = Key::new("k");
    for n in 0..1000 {
        assert_eq!(verify(&verifier, &forged.token_as(&format!("made-up-{n}"))).await, Err(Kind::BadSignature));
    }
    assert_eq!(server.count(), 2);
}
