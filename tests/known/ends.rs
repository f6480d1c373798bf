//! When what is known is known no longer.

use std::time::Duration;

use tower_user_metadata::AuthErrorKind as Kind;

use super::world::{LIFETIME, START, World, keys_of, token};

#[tokio::test(start_paused = true)]
async fn a_known_session_ends_on_its_expiry_by_the_clock() {
    let (world, token) = (World::new(1 << 20), token("alice"));
    assert!(world.ask(&token).is_ok());
    world.clock.set(START + LIFETIME - 1);
    assert!(world.is_known(&token));
    world.clock.set(START + LIFETIME);
    assert!(!world.is_known(&token));
    assert_eq!(world.ask(&token), Err(Kind::Expired));
}

/// By each of the clocks.
#[tokio::test(start_paused = true)]
async fn no_leeway_keeps_a_known_session_past_its_expiry() {
    for wall in [true, false] {
        let (world, token) = (World::with_leeway(1 << 20, Duration::MAX), token("alice"));
        assert!(world.ask(&token).is_ok());
        let lifetime = Duration::from_secs(LIFETIME.unsigned_abs());
        if wall {
            world.clock.set(START + LIFETIME - 1);
        } else {
            tokio::time::advance(lifetime - Duration::from_secs(1)).await;
        }
        assert!(world.is_known(&token));
        if wall {
            world.clock.set(START + LIFETIME);
        } else {
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        if wall {
            assert_eq!(world.ask(&token), Err(Kind::Expired));
        } else {
            assert!(!world.is_known(&token));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_known_session_ends_when_its_time_has_passed_whatever_the_clock_says() {
    let (world, token) = (World::new(1 << 20), token("alice"));
    assert!(world.ask(&token).is_ok());
    tokio::time::advance(Duration::from_secs(LIFETIME.unsigned_abs() - 1)).await;
    world.clock.set(START - 1_000);
    assert!(world.is_known(&token));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(!world.is_known(&token));
}

#[test]
fn a_known_session_ends_with_the_keys() {
    let (world, token) = (World::new(1 << 20), token("alice"));
    assert!(world.ask(&token).is_ok());
    world.keys.set(Some(keys_of(b"Kx8$wQ3!nB7@zR5^cV1&hT9*jL4#mP6%")));
    assert_eq!(world.ask(&token), Err(Kind::BadSignature));
    world.keys.set(None);
    assert_eq!(world.ask(&token), Err(Kind::KeysUnavailable));
}

#[test]
fn a_session_that_is_told_to_be_forgotten_is_not_known() {
    let (world, alice, bob) = (World::new(1 << 20), token("alice"), token("bob"));
    assert!(world.ask(&alice).is_ok() && world.ask(&bob).is_ok());
    world.verifier.forget(|session| session.user_id().as_str() == "alice");
    assert!(!world.is_known(&alice) && world.is_known(&bob));
}

#[test]
fn without_a_cache_nothing_is_known() {
    let (world, token) = (World::new(0), token("alice"));
    assert!(world.ask(&token).is_ok());
    assert!(!world.is_known(&token));
}
