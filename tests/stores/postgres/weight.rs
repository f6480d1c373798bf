//! The weight of a document in the database, against the length of what is read back.

use deadpool_postgres::{Manager, Pool};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tokio_postgres::NoTls;
use tower_user_metadata::store::{MetadataStore, PostgresStore};
use tower_user_metadata::{InvalidMetadata, InvalidMetadataKind, Limits, Metadata, MetadataUpdate, Precondition};

use super::{update, user};
use crate::servers::postgres::Postgres;

/// Texts that look like the structure around them, and all that is written with escapes.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just(": "),
        Just(", "),
        Just("\""),
        Just("\\"),
        Just(" "),
        Just("{"),
        Just("]"),
        Just("\u{1}"),
        Just("\n"),
        Just("\u{7f}"),
        Just("\u{e9}"),
        Just("\u{1f600}"),
        Just("\u{2028}"),
        Just("/"),
        Just("a"),
        Just("null"),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn value() -> impl Strategy<Value = String> {
    let quoted = |text: String| serde_json::Value::from(text).to_string();
    let number = prop_oneof![
        Just("0"),
        Just("-0.0"),
        Just("-1.50"),
        Just("1e2"),
        Just("12E-3"),
        Just("1e300"),
        Just("-2.5e-40"),
        Just("0e5"),
        Just("0.00e-3"),
        Just("9007199254740993"),
    ];
    let leaf = prop_oneof![
        Just("true".to_owned()),
        Just("false".to_owned()),
        number.prop_map(str::to_owned),
        text().prop_map(quoted),
    ];
    leaf.prop_recursive(3, 20, 4, move |inner| {
        let list = proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(" , ")));
        let object = proptest::collection::btree_map(text(), inner, 0..4).prop_map(object);
        prop_oneof![list, object]
    })
}

fn object(members: std::collections::BTreeMap<String, String>) -> String {
    let members = members.into_iter().map(|(name, value)| format!("{} : {value}", serde_json::Value::from(name)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_to_the_byte_of_what_is_read_back() {
    let Some(server) = Postgres::start(&["fsync=off"]).await else { return };
    let pool = || {
        let manager = Manager::new(server.url().parse().expect("a URL"), NoTls);
        Pool::builder(manager).max_size(2).build().expect("a pool")
    };
    let pool = pool();
    let limited = |bytes: usize, fields: usize| {
        let limits = Limits::default().with_document_bytes(bytes).with_root_fields(fields);
        PostgresStore::options().with_limits(limits).with_schema_made_elsewhere().open(pool.clone())
    };
    let wide = PostgresStore::options().open(pool.clone()).await.expect("opened");
    let document = || proptest::collection::btree_map(text(), value(), 0..6).prop_map(object);
    let pairs = (document(), document());
    let mut runner = TestRunner::deterministic();
    for n in 0..150 {
        let (first, second) = pairs.new_tree(&mut runner).expect("a value").current();
        let id = |what: &str| user(&format!("{what}{n}"));
        let (first, second) = (update(&first), update(&second));
        wide.update(&id("wide"), &first, &Precondition::None).await.expect("written");
        let merged = wide.update(&id("wide"), &second, &Precondition::None).await.expect("written").metadata;
        let (bytes, fields) = (merged.json_bytes(), merged.len());

        let exact = limited(bytes, fields).await.expect("opened");
        for update in [&first, &second] {
            // The first may be larger by itself than both together.
            let _ = exact.update(&id("exact"), update, &Precondition::None).await;
        }
        let fits = |update: &MetadataUpdate| {
            let limits = Limits::default().with_document_bytes(bytes).with_root_fields(fields);
            update.apply(&Metadata::new(), &limits).is_ok()
        };
        if fits(&first) && fits(&second) && smaller(&wide, &first, bytes).await {
            let stored = exact.get(&id("exact")).await.expect("read").map(|record| record.metadata);
            assert_eq!(stored.as_ref(), Some(&merged), "{bytes} bytes are within the limit");
        }
        if bytes > 2 {
            let tight = limited(bytes - 1, fields).await.expect("opened");
            wide.update(&id("tight"), &first, &Precondition::None).await.expect("written");
            let outcome = tight.update(&id("tight"), &second, &Precondition::None).await;
            match outcome {
                Err(error) => {
                    let kind = error.invalid_metadata().map(InvalidMetadata::kind);
                    assert_eq!(kind, Some(InvalidMetadataKind::DocumentTooLarge));
                }
                Ok(record) => assert!(second.is_empty(), "{} bytes are kept", record.metadata.json_bytes()),
            }
        }
    }

    // The bounds that spare the weighing are never less than the truth.
    let rows = "SELECT document::text, max_bytes, max_fields FROM tower_user_metadata";
    for row in server.stranger().await.query(rows, &[]).await.expect("rows") {
        let document = Metadata::from_json(row.get::<_, &str>(0).as_bytes()).expect("a document");
        assert!(document.json_bytes() <= row.get::<_, i32>(1) as usize, "{row:?}");
        assert!(document.len() <= row.get::<_, i32>(2) as usize, "{row:?}");
    }
}

/// Whether an update makes a document of its own that is within a limit.
async fn smaller(wide: &PostgresStore, update: &MetadataUpdate, bytes: usize) -> bool {
    let scratch = user("scratch");
    wide.clear(&scratch, &Precondition::None).await.expect("cleared");
    let record = wide.update(&scratch, update, &Precondition::None).await.expect("written");
    record.metadata.json_bytes() <= bytes
}
