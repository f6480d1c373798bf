//! What an operator is told whose settings fit no token, or more tokens than they should.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tower_user_metadata::AuthErrorKind as Kind;
use tower_user_metadata::session::keys::{Algorithm, VerificationKey};
use tower_user_metadata::session::{JwtVerifier, JwtVerifierBuilder, SessionVerifier, Verdict, VerifyInput};

use crate::hostile::{HEADER, NOW, SECRET};
use crate::log::Lines;
use crate::mint::Signer;

/// Set for the process in which a test is alone: while a subscriber is set on one thread, another can record for good
/// that a place in the code has none.
const ALONE: &str = "TEST_IS_ALONE";

#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("a lock"))
    }
}

/// What the process is told from now on; `None` in one in which the test is not alone.
fn listen() -> Option<Told> {
    std::env::var_os(ALONE)?;
    let told = Told::default();
    let keeper = told.clone();
    let lines = Lines(move |line| keeper.0.lock().expect("a lock").push(line));
    tracing::subscriber::set_global_default(lines).expect("the only one");
    Some(told)
}

#[test]
fn operators_are_told() {
    for test in [
        "one_refusal_a_minute_is_a_warning",
        "a_weak_secret_is_warned_of_once",
        "a_shared_secret_is_asked_what_else_it_signs",
        "refusals_for_ids_and_purposes_are_warnings",
    ] {
        let mut child = std::process::Command::new(std::env::current_exe().expect("this test"));
        child.args(["--exact", &format!("warnings::{test}"), "--nocapture"]).env(ALONE, "");
        let output = child.output().expect("it runs");
        let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && told.contains("1 passed"), "{told}");
    }
}

#[test]
fn a_weak_secret_is_warned_of_once() {
    if std::env::var_os(ALONE).is_none() {
        return;
    }
    let weak = |secret: &str| VerificationKey::from_weak_secret(Algorithm::HS256, secret).map(drop);
    // Where nobody listens yet, the warning is not used up.
    assert_eq!(weak("my-super-long-jwt-secret-for-local-development"), Ok(()));
    let told = listen().expect("alone");
    assert_eq!(weak("nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*"), Ok(()), "a good one is no news");
    assert_eq!(told.take(), [""; 0]);
    for _ in 0..3 {
        assert_eq!(weak("hunter2"), Ok(()));
        assert_eq!(weak("my-super-long-jwt-secret-for-local-development"), Ok(()));
    }
    let lines = told.take();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("WARN") && lines[0].contains("too short"), "{lines:?}");
    assert!(lines[1].starts_with("WARN") && lines[1].contains("guessable"), "{lines:?}");
    assert!(lines.iter().all(|line| line.contains("openssl rand -base64 48")), "{lines:?}");
    assert!(!lines.concat().contains("hunter2") && !lines.concat().contains("my-super"), "{lines:?}");
}

#[test]
fn a_shared_secret_is_asked_what_else_it_signs() {
    let Some(told) = listen() else { return };
    let lines = |builder: JwtVerifierBuilder| {
        builder.build().expect("a verifier");
        told.take()
    };
    let secret = || JwtVerifier::builder(Signer::secret(SECRET).verification_key());
    for asked in [
        secret().without_audience(),
        secret().with_issuer("https://id.test"),
        secret().without_audience().with_required_token_type("JWT"),
        secret().without_audience().with_token_types(["at+jwt"]),
    ] {
        let lines = lines(asked);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with("WARN") && lines[0].contains("what else does it sign?"), "{lines:?}");
    }
    for settled in [
        secret().with_audience("api"),
        secret().without_audience().with_required_claim("use", "access"),
        secret().without_audience().with_required_token_type("at+jwt"),
        secret().without_audience().with_forbidden_claim("invite"),
        JwtVerifier::builder(Signer::fresh_rsa().verification_key()).without_audience(),
    ] {
        assert_eq!(lines(settled), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_for_ids_and_purposes_are_warnings() {
    let Some(told) = listen() else { return };
    let signer = Signer::secret(SECRET);
    let builder = || JwtVerifier::builder(signer.verification_key()).with_audience("api");
    let now = std::time::UNIX_EPOCH + Duration::from_secs(NOW);
    let verify = |verifier: &JwtVerifier, members: &str| {
        let token = signer.token(HEADER, format!(r#"{{"exp":1800003600,"aud":"api",{members}}}"#));
        match verifier.verify(VerifyInput::new(&token, now)) {
            Verdict::Ready(result) => result.map(drop).map_err(|error| (error.kind(), error.reason())),
            Verdict::Pending(_) => panic!("fixed keys need no waiting"),
        }
    };

    let strings = builder().with_user_claim("user_id").build().expect("a verifier");
    for _ in 0..3 {
        let reason = "an id is an integer, which only `with_integer_ids` takes";
        assert_eq!(verify(&strings, r#""user_id":81549300"#), Err((Kind::MalformedClaims, reason)));
    }
    let lines = told.take();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("WARN") && lines[0].contains("with_integer_ids"), "{lines:?}");
    assert!(lines[0].contains(r#"claim="user_id""#) && !lines[0].contains("81549300"), "{lines:?}");

    let access = builder().with_required_claim("use", "access").build().expect("a verifier");
    for _ in 0..3 {
        let reason = "a required claim has another value";
        assert_eq!(verify(&access, r#""sub":"a","use":"secret-use""#), Err((Kind::WrongPurpose, reason)));
    }
    let lines = told.take();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("WARN") && lines[0].contains("a required claim has another value"), "{lines:?}");
    assert!(lines[0].contains(r#"name="use""#) && !lines[0].contains("secret-use"), "{lines:?}");
    assert_eq!(verify(&access, r#""sub":"a","use":"access""#), Ok(()));
    assert_eq!(told.take(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn one_refusal_a_minute_is_a_warning() {
    let Some(told) = listen() else { return };

    let signer = Signer::secret(SECRET);
    let verifier = JwtVerifier::builder(signer.verification_key())
        .with_issuer("https://id.test/realm")
        .with_audience("web")
        .with_audience("api")
        .build()
        .expect("a verifier");
    let now = std::time::UNIX_EPOCH + Duration::from_secs(NOW);
    let verify = |token: &str| match verifier.verify(VerifyInput::new(token, now)) {
        Verdict::Ready(result) => result.map(drop).map_err(|error| (error.kind(), error.reason())),
        Verdict::Pending(_) => panic!("fixed keys need no waiting"),
    };
    let token =
        |user: &str, members: &str| signer.token(HEADER, format!(r#"{{"sub":"{user}","exp":1800003600,{members}}}"#));
    let issuer = |iss: &str| token("secret-user", &format!(r#""iss":{iss},"aud":"web""#));
    let audience = |aud: &str| token("secret-user", &format!(r#""iss":"https://id.test/realm","aud":{aud}"#));

    // Strangers cannot write into the log: their tokens are not signed.
    let forged =
        Signer::secret(b"another secret that nobody knows").token(HEADER, r#"{"sub":"a","exp":1800003600,"iss":"x"}"#);
    assert_eq!(verify(&forged), Err((Kind::BadSignature, "the signature is wrong under the only key that fits")));
    assert_eq!(told.take(), [""; 0]);

    let slash = "a string that differs by a trailing slash";
    for _ in 0..1_000 {
        assert_eq!(verify(&issuer(r#""https://id.test/realm/""#)), Err((Kind::WrongIssuer, slash)));
    }
    let lines = told.take();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("WARN") && lines[0].contains(slash), "{lines:?}");
    assert!(lines[0].contains(r#"expected="https://id.test/realm""#), "{lines:?}");

    // The audience is another setting, so its first refusal is told, too.
    for _ in 0..1_000 {
        let list = "a list of other strings";
        assert_eq!(verify(&audience(r#"["secret-client","account"]"#)), Err((Kind::WrongAudience, list)));
    }
    let lines = told.take();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains(r#"expected=["web", "api"]"#) && lines[0].contains("a list of other strings"),
        "{lines:?}"
    );

    tokio::time::advance(Duration::from_millis(59_999)).await;
    assert!(verify(&issuer("7")).is_err());
    assert_eq!(told.take(), [""; 0]);
    tokio::time::advance(Duration::from_millis(1)).await;
    for (iss, kind) in
        [("7", "not a string"), ("null", "the claim is null"), (r#""https://secret.test""#, "another string")]
    {
        assert_eq!(verify(&issuer(iss)), Err((Kind::WrongIssuer, kind)));
    }
    let lines = told.take();
    assert!(lines.len() == 1 && lines[0].contains("not a string"), "{lines:?}");

    // Many threads at once are told once.
    tokio::time::advance(Duration::from_secs(60)).await;
    let runtime = tokio::runtime::Handle::current();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                // For the time of the test.
                let _entered = runtime.enter();
                (0..250).for_each(|_| assert!(verify(&issuer(r#""https://secret.test""#)).is_err()));
            });
        }
    });
    let lines = told.take();
    assert!(lines.len() == 1 && lines[0].contains("another string"), "{lines:?}");
    assert!(!lines[0].contains("secret") && !lines[0].contains(&issuer("7")[..12]), "{lines:?}");

    // A good token is no news.
    assert_eq!(verify(&audience(r#"["x","api"]"#)), Ok(()));
    assert_eq!(told.take(), [""; 0]);
}
