//! What operators are told, and what nobody is.

use std::sync::{Arc, Mutex};

use tokio::time::{Duration, advance};
use tower_user_metadata::session::AuthErrorKind as Kind;
use tower_user_metadata::session::keys::{InvalidKey, Jwks};

use crate::keys::{Key, set, verifier, verify};
use crate::log::Lines;
use crate::run_alone;
use crate::script::{Reply, Script};

/// Set for the process in which a test is alone.
const ALONE: &str = "TEST_IS_ALONE";

/// What was logged.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn keeper(&self) -> Lines<impl Fn(String) + use<>> {
        let told = self.clone();
        Lines(move |line| told.0.lock().expect("a lock").push(line))
    }

    /// The lines so far that are ours; they are forgotten.
    fn take(&self) -> Vec<String> {
        let lines = std::mem::take(&mut *self.0.lock().expect("a lock"));
        lines.into_iter().filter(|line| line.contains("keys.test")).collect()
    }
}

/// In a process of its own: while a subscriber is set on one thread, another can record for good that a place in the code
/// has none.
#[tokio::test]
async fn operators_are_told() {
    run_alone("logs::odd_keys_are_told_once_and_their_values_never", &[(ALONE, "")]).await;
}

#[tokio::test(start_paused = true)]
async fn odd_keys_are_told_once_and_their_values_never() {
    if std::env::var_os(ALONE).is_none() {
        return;
    }
    let lines = Told::default();
    let _guard = tracing::subscriber::set_default(lines.keeper());
    let good = Key::new("a");
    let private = good.jwk().replace("\"x\"", "\"d\":\"VerySecretValue\",\"x\"");
    let keys = [
        private.as_str(),
        r#"{"kty":"OKP","kid":"small","crv":"Ed25519","x":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#,
        r#"{"kty":"AKP","kid":"pq","alg":"ML-DSA-65","pub":"AAAA"}"#,
        r#"{"kty":"oct","kid":"secret","alg":"HS256","k":"VerySecretValueVerySecretValueVerySecretValue"}"#,
        "7",
    ];
    let document = format!(r#"{{"keys":[{}]}}"#, keys.join(","));
    let server = Script::new(Reply::Keys(document));
    let jwks = server.builder().with_url("https://keys.test/other?key=hunter2").build().await.expect("keys");
    let told = lines.take();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(
        told[0].starts_with("WARN") && told[0].contains("skipped=4") && told[0].contains("usable=1"),
        "{}",
        told[0]
    );
    assert!(told[1].contains("private keys"), "{}", told[1]);
    let skipped: Vec<_> = jwks.status().skipped.iter().map(|key| (key.index, key.reason)).collect();
    assert_eq!(skipped[0], (1, InvalidKey::InvalidPoint));
    assert_eq!(skipped.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let verifier = verifier(&jwks);
    assert_eq!(verify(&verifier, &good.token()).await, Ok(()));

    // The same document again is not news.
    advance(Duration::from_secs(10)).await;
    assert_eq!(verify(&verifier, &good.token_as("b")).await, Err(Kind::UnknownKey));
    assert_eq!(server.count(), 2);
    assert_eq!(lines.take(), [""; 0]);

    // A failure is.
    server.answer(Reply::Status(500, None));
    advance(Duration::from_secs(20)).await;
    assert_eq!(verify(&verifier, &good.token_as("c")).await, Err(Kind::UnknownKey));
    let failed = lines.take();
    assert_eq!(failed.len(), 2, "{failed:#?}");
    assert!(failed[0].contains("500") && failed[1].contains("https://keys.test/other\""), "{failed:#?}");

    server.answer(Reply::Keys(r#"{"keys":[]}"#.into()));
    advance(Duration::from_secs(20)).await;
    assert_eq!(verify(&verifier, &good.token_as("d")).await, Err(Kind::UnknownKey));
    let empty = lines.take();
    assert!(empty.len() == 1 && empty[0].contains("no usable key"), "{empty:#?}");

    let debug = [format!("{jwks:?}"), format!("{jwks:#?}"), format!("{verifier:?}"), format!("{:?}", jwks.status())];
    assert!(debug[0].contains("https://keys.test/jwks"), "{}", debug[0]);
    let secrets = ["VerySecret", "hunter2", &good.token()[..12], &good.token()[100..112], "AQAAAAAA"];
    for text in told.iter().chain(&failed).chain(&empty).chain(&debug) {
        for secret in secrets {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_status_tells_how_it_goes() {
    let key = Key::new("a");
    let server = Script::new(Reply::Keys(set([&key])));
    let jwks: Jwks = server.jwks().await;
    advance(Duration::from_secs(7)).await;
    let status = jwks.status();
    assert_eq!((status.keys, status.fetches, status.failures, status.unknown_kids), (Some(1), 1, 0, 0));
    assert_eq!((status.age, status.last_error, status.fetching), (Some(Duration::from_secs(7)), None, false));
}

#[tokio::test]
async fn operators_are_told_of_ambiguous_keys() {
    run_alone("logs::ambiguous_keys_are_told_once_by_their_places", &[(ALONE, "")]).await;
}

#[tokio::test(start_paused = true)]
async fn ambiguous_keys_are_told_once_by_their_places() {
    if std::env::var_os(ALONE).is_none() {
        return;
    }
    let lines = Told::default();
    let _guard = tracing::subscriber::set_default(lines.keeper());
    let (one, other, good) = (Key::new("secret-twin"), Key::new("secret-twin"), Key::new("good"));
    let server = Script::new(Reply::Keys(set([&one, &good, &good, &other])));
    let jwks = server.jwks().await;
    let told = lines.take();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].contains("skipped=2"), "{}", told[0]);
    assert!(told[1].starts_with("WARN") && told[1].contains("indexes=[0, 3]"), "{}", told[1]);
    assert!(told.iter().all(|line| !line.contains("secret-twin")), "{told:#?}");
    let verifier = verifier(&jwks);
    assert_eq!(verify(&verifier, &good.token()).await, Ok(()));
    assert_eq!((jwks.status().keys, jwks.status().skipped.len()), (Some(1), 2));

    advance(Duration::from_secs(10)).await;
    assert_eq!(verify(&verifier, &one.token()).await, Err(Kind::UnknownKey));
    assert_eq!((server.count(), lines.take().len()), (2, 0), "the same document is not news");
}
