//! The checker of histories, before it judges a store: on histories whose answer is known.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::linear::{Action, Operation, Outcome, Seen, When, is_linearizable};
use crate::support::vectors::{Tally, family, say};

fn fields(value: &Value) -> BTreeMap<String, String> {
    value.as_object().expect("an object").iter().map(|(name, value)| (name.clone(), value.to_string())).collect()
}

fn operation(row: &Value) -> Operation {
    let action = match row["op"].as_str() {
        Some("get") => Action::Get,
        Some("clear") => Action::Clear,
        Some("update") => {
            let value = |value: &Value| (!value.is_null()).then(|| value.to_string());
            let members = row["arg"].as_object().expect("an update");
            Action::Update(members.iter().map(|(name, member)| (name.clone(), value(member))).collect())
        }
        other => panic!("{other:?} is not understood"),
    };
    let outcome = match (&action, row["maybe"] == true) {
        (_, true) => Outcome::Unknown,
        (Action::Clear, false) => Outcome::Cleared,
        // No document and an empty one are written alike.
        (_, false) => Outcome::Saw(Seen { fields: fields(&row["out"]), exists: None, version: None }),
    };
    let time = |name: &str| row[name].as_u64().expect("a time");
    Operation { action, when: When::Always, outcome, call: time("call"), ret: time("ret") }
}

#[test]
fn histories_whose_answer_is_known() {
    let mut tally = Tally::of("histories/metadata_histories");
    for row in family("histories/metadata_histories") {
        let value = row.value();
        let history: Vec<_> = value["history"].as_array().expect("operations").iter().map(operation).collect();
        let linearizable = is_linearizable(&history);
        assert_eq!(linearizable, row.text_of("expect") == "linearizable", "{}", row.id);
        if linearizable { tally.accepted() } else { tally.refused() }
    }
    say(&tally.to_string());
}

fn write(outcome: Outcome, when: When, call: u64, ret: u64) -> Operation {
    let update = BTreeMap::from([("a".to_owned(), Some(call.to_string()))]);
    Operation { action: Action::Update(update), when, outcome, call, ret }
}

fn read(value: Option<u64>, version: Option<u64>, call: u64, ret: u64) -> Operation {
    Operation { action: Action::Get, when: When::Always, outcome: saw(value, version), call, ret }
}

fn saw(value: Option<u64>, version: Option<u64>) -> Outcome {
    let fields = value.map(|value| ("a".to_owned(), value.to_string())).into_iter().collect();
    Outcome::Saw(Seen { fields, exists: Some(value.is_some()), version })
}

#[test]
fn versions_preconditions_and_unknown_outcomes_are_weighed() {
    let one = write(saw(Some(1), Some(7)), When::Absent, 1, 2);
    // The first is the version that there is, the second is not.
    let by_version = |version| write(saw(Some(3), Some(8)), When::Version(version), 3, 4);
    assert!(is_linearizable(&[]));
    assert!(is_linearizable(&[one.clone(), by_version(7), read(Some(3), Some(8), 5, 6)]));
    assert!(!is_linearizable(&[one.clone(), by_version(9)]));
    assert!(!is_linearizable(&[one.clone(), by_version(7), read(Some(3), Some(7), 5, 6)]));
    assert!(!is_linearizable(&[one.clone(), read(Some(1), Some(9), 3, 4)]));
    assert!(!is_linearizable(&[one.clone(), write(saw(Some(3), Some(8)), When::Absent, 3, 4)]));
    // Refused for what was there, and told of it.
    assert!(is_linearizable(&[one.clone(), write(Outcome::Refused(Some(7)), When::Absent, 3, 4)]));
    assert!(!is_linearizable(&[one.clone(), write(Outcome::Refused(Some(8)), When::Absent, 3, 4)]));
    assert!(!is_linearizable(&[one.clone(), write(Outcome::Refused(None), When::Exists, 3, 4)]));
    assert!(!is_linearizable(&[one.clone(), write(Outcome::Refused(Some(7)), When::Version(7), 3, 4)]));
    assert!(is_linearizable(&[one.clone(), write(Outcome::Refused(Some(7)), When::Version(6), 3, 4)]));
    // It may have happened, at any time after its call, and only once.
    let unknown = write(Outcome::Unknown, When::Always, 3, 4);
    let late = [one.clone(), unknown.clone(), read(Some(1), Some(7), 5, 6), read(Some(3), Some(9), 7, 8)];
    assert!(is_linearizable(&late));
    assert!(is_linearizable(&late[..3]));
    let back = [&late[..], &[read(Some(1), Some(7), 9, 10)]].concat();
    assert!(!is_linearizable(&back));
    let early = [read(Some(3), None, 1, 2), unknown];
    assert!(!is_linearizable(&early));
}
