use proptest::collection::vec;
use proptest::prelude::*;
use tower_user_metadata::conformance::{ExactValue, Model};
use tower_user_metadata::{InvalidMetadata, Limits, Metadata, MetadataUpdate};

use super::generate::object;

/// What the crate makes of an update of a stored document.
fn merged(stored: &Metadata, update: &str) -> Result<Metadata, InvalidMetadata> {
    MetadataUpdate::from_json(update.as_bytes())?.apply(stored, &Limits::default())
}

fn exact(text: &str) -> ExactValue {
    ExactValue::parse(text).expect("JSON")
}

/// The names of the root fields in order, to compare orders.
fn names(text: &str) -> Vec<String> {
    let document = Metadata::from_json(text.as_bytes()).expect("a document");
    document.iter().map(|(name, _)| name.to_owned()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_merge_is_that_of_the_model(updates in vec(object(), 0..8)) {
        let (mut document, mut model) = (Metadata::new(), Model::new());
        for update in &updates {
            let before = document.clone();
            match (merged(&document, update), model.update(update)) {
                (Ok(merged), Ok(())) => document = merged,
                (Err(invalid), Err(kinds)) => prop_assert!(kinds.contains(&invalid.kind()), "{} {:?}", update, invalid),
                (ours, theirs) => prop_assert!(false, "{}: {:?} but {:?}", update, ours, theirs),
            }
            let expected = model.to_json().unwrap_or_else(|| "{}".to_owned());
            let json = document.to_json();
            prop_assert_eq!(exact(&json), exact(&expected), "{} then {}", before.to_json(), update);
            prop_assert_eq!(names(&json), names(&expected), "the order after {} then {}", before.to_json(), update);
            prop_assert_eq!(json.len(), document.json_bytes());
        }
    }

    #[test]
    fn an_update_built_field_by_field_is_the_update_from_text(stored in object(), update in object()) {
        let Ok(stored) = Metadata::from_json(stored.as_bytes()) else { return Ok(()) };
        let Ok(from_text) = MetadataUpdate::from_json(update.as_bytes()) else { return Ok(()) };
        let built = from_text.fields().fold(MetadataUpdate::new(), |built, (name, value)| match value {
            Some(value) => built.set(name, value),
            None => built.remove(name),
        });
        prop_assert_eq!(built.apply(&stored, &Limits::default()), from_text.apply(&stored, &Limits::default()));
    }

    #[test]
    fn merging_twice_is_merging_once(stored in object(), update in object()) {
        let Ok(stored) = Metadata::from_json(stored.as_bytes()) else { return Ok(()) };
        if let Ok(once) = merged(&stored, &update) {
            prop_assert_eq!(merged(&once, &update).expect("fits as before"), once);
        }
    }
}
