//! What does the merge of one field cost? Into a document in memory, beside the same with `serde_json`: parse, merge,
//! print.
//!
//! `cargo bench --bench merge`; numbers of different runs cannot be compared, those of one can.

mod support;

use serde_json::{Map, Value};
use support::{Contestant, contest, report};
use tower_user_metadata::{Limits, Metadata, MetadataUpdate};

fn main() {
    let limits = Limits::default();
    for kibibytes in [1, 10, 64] {
        let text = document(kibibytes * 1024);
        for fields in [1, 20] {
            let update = update(fields);
            let stored = Metadata::from_json(text.as_bytes()).expect("a document");
            assert_eq!(
                serde_json::from_str::<Value>(&ours(&stored, &update, &limits).to_json()).expect("JSON"),
                serde_json::from_str::<Value>(&theirs(&text, &update)).expect("JSON"),
            );
            let times = contest(&mut [
                Contestant::new("merge", || ours(&stored, &update, &limits)),
                Contestant::new("merge, print", || ours(&stored, &update, &limits).to_json()),
                Contestant::new("serde_json", || theirs(&text, &update)),
            ]);
            let [(_, merge), (_, printed), (_, theirs)] = times[..] else { unreachable!("three contestants") };
            let mut numbers: Vec<_> = times.iter().map(|(name, time)| (*name, *time)).collect();
            numbers.extend([("times less", theirs / merge), ("times less, printed", theirs / printed)]);
            report("merge", &format!("{fields} into {kibibytes} KiB"), &numbers);
        }
    }
}

/// What a store in memory does with the bytes of an update.
fn ours(stored: &Metadata, update: &str, limits: &Limits) -> Metadata {
    let update = MetadataUpdate::from_json(update.as_bytes()).expect("an update");
    update.apply(stored, limits).expect("within the limits")
}

fn theirs(stored: &str, update: &str) -> String {
    let mut document: Map<String, Value> = serde_json::from_str(stored).expect("a document");
    let update: Map<String, Value> = serde_json::from_str(update).expect("an update");
    for (name, value) in update {
        if value.is_null() {
            document.remove(&name)
        } else {
            document.insert(name, value)
        };
    }
    serde_json::to_string(&document).expect("JSON")
}

/// Preferences as applications keep them: root fields of some 250 bytes.
fn document(bytes: usize) -> String {
    let mut fields = Vec::new();
    for n in (0..).take_while(|n| n * 250 < bytes) {
        let todos = ["write the report", "call \"Zoë\" back", "water the plants"];
        let value = serde_json::json!({
            "theme": "dark", "columns": [n, 2, 3.5], "notifications": { "email": true, "sms": null }, "todos": todos,
            "last seen": "2026-11-24T09:30:00Z", "counter": 1_795_490_212_555_u64 + n as u64,
        });
        fields.push(format!("\"page {n}\":{value}"));
    }
    format!("{{{}}}", fields.join(","))
}

fn update(fields: usize) -> String {
    let fields = (0..fields).map(|n| format!("\"page {n}\":{{\"theme\":\"light\",\"at\":{n}}}"));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}
