//! The exported contract with all the vectors there are: those that come with it and those of the vector folder.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tower_user_metadata::conformance::store::{
    self, HOSTILE_INPUTS, Handles, JsonExpect, JsonText, OpenStore, Tally, UPDATE_VECTORS, Violation, hostile_inputs,
    json_texts, merge_vectors, strings, update_vectors,
};
use tower_user_metadata::store::{MetadataStore, Namespace};

use crate::support::vectors::{Row, family, say};

/// Runs everything over one store; `name` is for the output.
pub(crate) async fn whole<O: OpenStore>(name: &str, open: &O) {
    let report = store::check(open).await;
    say(&format!("== {name}\n{}", report.to_string().trim_end()));
    let (mut broken, outcomes) = (Vec::new(), vectors(open).await);
    for outcome in outcomes {
        match outcome {
            Ok(tally) => say(&tally.to_string()),
            Err(violation) => broken.push(violation.to_string()),
        }
    }
    assert!(broken.is_empty(), "{name}: {}", broken.join("\n"));
}

/// What the vector folder has beyond the rows that come with the contract; a family that is missing is named as not run
/// and has no outcome.
async fn vectors<O: OpenStore>(open: &O) -> Vec<Result<Tally, Violation>> {
    let handles = Handles::open(open, Namespace::default()).await;
    let store: &dyn MetadataStore = &handles.stores()[0];
    let mut outcomes = Vec::new();
    let updates = more("metadata/update_vectors", UPDATE_VECTORS);
    if !updates.is_empty() {
        outcomes.push(update_vectors(store, updates.iter().map(|row| row.text.as_str())).await);
    }
    let inputs = more("metadata/hostile_inputs", HOSTILE_INPUTS);
    if !inputs.is_empty() {
        outcomes.push(hostile_inputs(open, inputs.iter().map(|row| row.text.as_str())).await);
    }
    let merges = family("merge/rfc7396");
    if !merges.is_empty() {
        outcomes.push(merge_vectors(store, merges.iter().map(|row| row.text.as_str())).await);
    }
    for name in ["json/jsontestsuite", "json/nativejson", "json/jcs"] {
        let texts: Vec<_> = family(name).iter().map(json_text).collect();
        if !texts.is_empty() {
            outcomes.push(json_texts(store, name, &texts).await);
        }
    }
    let naughty: Vec<_> = family("strings/blns").iter().map(|row| row.text_of("s")).collect();
    if !naughty.is_empty() {
        outcomes.push(strings(store, "strings/blns", &naughty).await);
    }
    outcomes
}

/// The rows of a family that do not come with the contract, whose own row of an id replaces the family's.
fn more(name: &str, known: &str) -> Vec<Row> {
    let id = |text: &str| serde_json::from_str::<Value>(text).expect("a row is JSON")["id"].clone();
    let known: HashSet<Value> = known.lines().map(id).collect();
    family(name).into_iter().filter(|row| !known.contains(&id(&row.text))).collect()
}

/// The text of a row; of one that gives a text before and after canonicalisation, both in an array.
fn json_text(row: &Row) -> JsonText {
    let value = row.value();
    let decode = |member: &str| {
        let decoded = STANDARD.decode(row.text_of(member));
        decoded.unwrap_or_else(|_| panic!("row {}: {member} is not base64", row.id))
    };
    let (expect, bytes) = match (value["expect"].as_str(), value.get("output_b64")) {
        (None, Some(_)) => {
            (JsonExpect::Accept, [b"[", &decode("input_b64")[..], b",", &decode("output_b64"), b"]"].concat())
        }
        (Some("accept" | "roundtrip"), None) => (JsonExpect::Accept, repeated(row).unwrap_or_else(|| decode("b64"))),
        (Some("reject"), None) => (JsonExpect::Reject, repeated(row).unwrap_or_else(|| decode("b64"))),
        (Some("implementation-defined"), None) => (JsonExpect::Either, repeated(row).unwrap_or_else(|| decode("b64"))),
        (other, _) => panic!("row {}: {other:?} is not understood", row.id),
    };
    JsonText { id: row.id.clone(), bytes, expect }
}

/// A text too long to write down: `{"unit":"[","count":100000,"tail_b64":""}`.
fn repeated(row: &Row) -> Option<Vec<u8>> {
    #[derive(serde::Deserialize)]
    struct Repeat {
        unit: String,
        count: usize,
        tail_b64: String,
    }
    let repeat: Repeat = serde_json::from_value(row.value().get("repeat")?.clone()).expect("a known form");
    let tail = STANDARD.decode(repeat.tail_b64).expect("base64");
    Some([repeat.unit.repeat(repeat.count).into_bytes(), tail].concat())
}
