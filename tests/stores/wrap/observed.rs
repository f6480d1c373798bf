use std::io::Write;
use std::sync::{Arc, Mutex};

use tower_user_metadata::store::{MetadataStore, ObservedStore};
use tower_user_metadata::{Precondition, Version, metadata_update};

use super::staged::{Failure, Staged, settle, user};

/// Every way in which a call can end: well, badly, with its outcome unknown, dropped.
async fn all_kinds_of_calls() {
    let staged = Staged::default();
    let store = ObservedStore::new(staged.clone(), "users");
    let stale = Precondition::Version(Version::from_bits(1));
    for (when, failure) in [
        (Precondition::None, None),
        (stale, None),
        (Precondition::None, Some(Failure::Fails)),
        (Precondition::None, Some(Failure::LosesAnswer)),
    ] {
        let store = store.clone();
        let update = metadata_update! { "field-of-alice": "value-of-alice" };
        let call = tokio::spawn(async move { store.update(&user("alice-herself"), &update, &when).await.is_ok() });
        settle().await;
        failure.into_iter().for_each(|failure| staged.last().fail(failure));
        staged.last().finish();
        assert_eq!(call.await.expect("no panic"), failure.is_none() && when == Precondition::None);
    }
    let (reader, writer) = (store.clone(), store.clone());
    let many = [user("alice-herself"), user("bob-himself"), user("alice-herself")];
    let read = tokio::spawn(async move { reader.get_many(&many).await });
    let clear = tokio::spawn(async move { writer.clear(&user("alice-herself"), &Precondition::None).await });
    settle().await;
    clear.abort();
    staged.calls()[4].finish();
    assert_eq!(read.await.expect("no panic").expect("an answer").iter().flatten().count(), 2);
    settle().await;
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime")
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn spans_tell_how_calls_ended_and_of_whom_nothing() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::CLOSE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || runtime().block_on(all_kinds_of_calls()));
    let log = String::from_utf8(log.0.lock().expect("not poisoned").clone()).expect("text");
    let update = r#"metadata_store{store="users" operation="update" users=1 outcome="#;
    for line in [
        &format!(r#"{update}"ok"}}"#),
        &format!(r#"{update}"precondition_failed"}}"#),
        &format!(r#"{update}"unavailable"}}"#),
        &format!(r#"{update}"timeout" may_have_happened=true}}"#),
        r#"metadata_store{store="users" operation="get_many" users=3 outcome="ok"}"#,
        r#"metadata_store{store="users" operation="clear" users=1 outcome="dropped" may_have_happened=true}"#,
    ] {
        assert_eq!(log.matches(line).count(), 1, "{line} in\n{log}");
    }
    for secret in ["alice", "bob"] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[cfg(feature = "metrics")]
#[test]
fn numbers_are_those_of_the_table_and_tell_nothing_of_users() {
    use std::collections::BTreeMap;

    use crate::recorder::{Number, Numbers};

    let numbers = Numbers::default();
    metrics::with_local_recorder(&numbers, || runtime().block_on(all_kinds_of_calls()));
    let seen: BTreeMap<_, _> = numbers
        .all()
        .into_iter()
        .map(|(name, number)| {
            let value = match number {
                Number::Counter(n) => n.to_string(),
                Number::Gauge(n) => n.to_string(),
                Number::Histogram(samples) if name.contains("bytes") => format!("{samples:?}"),
                Number::Histogram(samples) => format!("{} samples", samples.len()),
            };
            (name.replace("user_metadata_store_", ""), value)
        })
        .collect();
    let expected = [
        ("call_duration_seconds store=users operation=get_many", "1 samples"),
        ("call_duration_seconds store=users operation=update", "4 samples"),
        ("calls_in_flight store=users operation=clear", "0"),
        ("calls_in_flight store=users operation=get_many", "0"),
        ("calls_in_flight store=users operation=update", "0"),
        ("document_bytes store=users operation=get_many", "[35.0, 35.0]"),
        ("document_bytes store=users operation=update", "[35.0]"),
        ("errors_total store=users operation=clear kind=dropped", "1"),
        ("errors_total store=users operation=update kind=precondition_failed", "1"),
        ("errors_total store=users operation=update kind=timeout", "1"),
        ("errors_total store=users operation=update kind=unavailable", "1"),
        ("unknown_outcomes_total store=users operation=clear", "1"),
        ("unknown_outcomes_total store=users operation=update", "1"),
    ];
    let expected: BTreeMap<_, _> = expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    assert_eq!(seen, expected);
}
