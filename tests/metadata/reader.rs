use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;
use serde_json::value::RawValue;
use tower_user_metadata::conformance::{ExactValue, refusals};
use tower_user_metadata::{InvalidMetadataKind as Kind, Limits, Metadata, MetadataUpdate};

use super::generate::{object, ruined};

/// The strict reader against `serde_json`: what it takes is JSON to both, and what it refuses beyond that is refused
/// for a rule that it names.
fn compare(text: &[u8]) -> Result<(), TestCaseError> {
    let ours = Metadata::from_json(text);
    let update = MetadataUpdate::from_json(text);
    prop_assert_eq!(ours.as_ref().err(), update.as_ref().err());
    let theirs = serde_json::from_slice::<BTreeMap<String, Box<RawValue>>>(text);
    match ours {
        Ok(document) => {
            prop_assert!(theirs.is_ok(), "serde_json refuses it: {:?}", theirs);
            let text = std::str::from_utf8(text).expect("was accepted");
            prop_assert!(!refusals(text).iter().any(|kind| *kind != Kind::FieldNameTooLong && *kind != Kind::TooDeep));
            let written = document.to_json();
            prop_assert_eq!(ExactValue::parse(&written).ok(), ExactValue::parse(text).ok());
            prop_assert!(!written.contains(['\n', '\t', '\r']));
            prop_assert_eq!(Metadata::from_json(written.as_bytes()), Ok(document));
        }
        Err(invalid) => {
            let value = serde_json::from_slice::<Value>(text);
            let expected = match (invalid.kind(), &value) {
                (Kind::NotAnObject, Ok(value)) => !value.is_object(),
                (Kind::NotAnObject, Err(_)) => theirs.is_err(),
                (Kind::Syntax | Kind::NotUtf8 | Kind::LoneSurrogate, value) => value.is_err(),
                (Kind::TooDeep, _) => text.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() > 64,
                (kind, Ok(_)) => refusals(std::str::from_utf8(text).unwrap_or_default()).contains(&kind),
                // Both refuse it; which mistake comes first is not compared.
                (_, Err(_)) => true,
            };
            prop_assert!(expected, "{:?} although serde_json says {:?}", invalid, value);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn valid_texts_are_read_as_serde_json_reads_them(text in object()) {
        compare(text.as_bytes())?;
    }

    #[test]
    fn ruined_texts_are_refused_as_serde_json_refuses_them(text in ruined()) {
        compare(&text)?;
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(text in vec(any::<u8>(), 0..200)) {
        compare(&text)?;
    }

    #[test]
    fn any_nesting_is_read_without_a_panic(open in vec(prop::sample::select(vec!["[", "{\"a\":", "[1,"]), 0..2_000)) {
        let text = format!("{{\"a\":{}", open.concat());
        let refused = MetadataUpdate::from_json(text.as_bytes()).expect_err("never closed").kind();
        prop_assert_eq!(refused, if open.len() < 128 { Kind::Syntax } else { Kind::TooDeep });
    }
}

#[test]
fn depth_is_what_the_limits_say() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |levels: usize| format!("{{\"a\":{}1{}}}", open.repeat(levels - 1), close.repeat(levels - 1));
        let apply = |text: String, limits: Limits| {
            MetadataUpdate::from_json(text.as_bytes())?.apply(&Metadata::new(), &limits).map(drop)
        };
        let kind = |levels, limits| apply(nested(levels), limits).err().map(|invalid| invalid.kind());
        assert_eq!(kind(64, Limits::default()), None);
        assert_eq!(kind(65, Limits::default()), Some(Kind::TooDeep));
        assert_eq!(kind(128, Limits::default().with_depth(1_000)), None);
        assert_eq!(kind(129, Limits::default().with_depth(1_000)), Some(Kind::TooDeep));
    }
}
