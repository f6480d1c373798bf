//! What an operator is told whose issuer or audience fits no token.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tower_user_metadata::AuthErrorKind as Kind;
use tower_user_metadata::session::{JwtVerifier, SessionVerifier, Verdict, VerifyInput};

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

#[test]
fn operators_are_told() {
    let mut child = std::process::Command::new(std::env::current_exe().expect("this test"));
    child.args(["--exact", "warnings::one_refusal_a_minute_is_a_warning", "--nocapture"]).env(ALONE, "");
    let output = child.output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn one_refusal_a_minute_is_a_warning() {
    if std::env::var_os(ALONE).is_none() {
        return;
    }
    let told = Told::default();
    let keeper = told.clone();
    let lines = Lines(move |line| keeper.0.lock().expect("a lock").push(line));
    tracing::subscriber::set_global_default(lines).expect("the only one");

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
