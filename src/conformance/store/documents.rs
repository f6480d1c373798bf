use std::collections::HashSet;

use super::probe::{Probe, Violation, fresh_user};
use crate::metadata::{InvalidMetadata, InvalidMetadataKind, MetadataUpdate, Precondition};
use crate::store::{MetadataStore, StoreErrorKind};

/// Numbers at the edges of what other readers round: all must come back with every digit.
const NUMBERS: [&str; 20] = [
    "0",
    "-0.0",
    "1e21",
    "1e+21",
    "100",
    "1e2",
    "1.0",
    "5e-324",
    "1.7976931348623157e308",
    "0.1",
    "9007199254740993",
    "18446744073709551616",
    "-9223372036854775809",
    "1234567890123456789012345678901234567890",
    "0.1234567890123456789012345678901234567891",
    "-1234567890.1234567890123456789012345678901e-20",
    "1e400",
    "-1e400",
    "1e1000",
    "1e-1000",
];

/// A first update creates the document, later ones merge into it, `clear` removes it whole, and a user without a
/// document has none instead of an empty one.
///
/// # Errors
///
/// The store breaks the promise.
pub async fn merge_and_clear(store: &dyn MetadataStore) -> Result<(), Violation> {
    let probe = Probe::new(store, "update merges at the root and clear removes the document");
    let user = fresh_user("merge");
    probe.stored(&user, None).await?;
    probe.clear(&user).await?;
    let mut versions = HashSet::new();
    for (update, merged) in [
        (r#"{"a":1,"b":{"x":1,"y":2}}"#, r#"{"a":1,"b":{"x":1,"y":2}}"#),
        (r#"{"b":{"x":null}}"#, r#"{"a":1,"b":{"x":null}}"#),
        (r#"{"a":null,"missing":null}"#, r#"{"b":{"x":null}}"#),
        (r#"{"a":[],"c":"","d":false}"#, r#"{"b":{"x":null},"a":[],"c":"","d":false}"#),
    ] {
        let record = probe.update(&user, update).await?;
        probe.same("update", &record.metadata, merged)?;
        let read = probe.stored(&user, Some(merged)).await?;
        probe.hold(read.is_some_and(|read| read == record), "get answers another record than update did")?;
        probe.hold(versions.insert(record.version), "a version came twice")?;
    }
    probe.clear(&user).await?;
    probe.stored(&user, None).await?;
    probe.clear(&user).await?;
    let record = probe.update(&user, r#"{"new":1}"#).await?;
    probe.same("update after clear", &record.metadata, r#"{"new":1}"#)?;
    probe.hold(versions.insert(record.version), "a version came back after clear")
}

/// An update without fields leaves a document and its version alone, and creates an empty document where there is none.
///
/// # Errors
///
/// The store breaks the promise.
pub async fn empty_update(store: &dyn MetadataStore) -> Result<(), Violation> {
    let probe = Probe::new(store, "an empty update changes nothing, and creates a document where there is none");
    let user = fresh_user("empty");
    let created = probe.update(&user, "{}").await?;
    probe.same("update", &created.metadata, "{}")?;
    probe.unchanged(&user, Some(&created)).await?;
    let filled = probe.update(&user, r#"{"a":1}"#).await?;
    let again = probe.update(&user, "{}").await?;
    probe.hold(again == filled, "an empty update answers another record than is stored")?;
    probe.unchanged(&user, Some(&filled)).await
}

/// An update of nulls for a user without a document creates an empty one and stores no null.
///
/// # Errors
///
/// The store breaks the promise.
pub async fn nulls_for_an_unknown_user(store: &dyn MetadataStore) -> Result<(), Violation> {
    let probe = Probe::new(store, "a null at the root is never stored, also not by the first update");
    let user = fresh_user("nulls");
    let record = probe.update(&user, r#"{"a":null,"b":null}"#).await?;
    probe.same("update", &record.metadata, "{}")?;
    probe.stored(&user, Some("{}")).await?;
    let user = fresh_user("nulls");
    let record = probe.update(&user, r#"{"a":null,"b":[null]}"#).await?;
    probe.same("update", &record.metadata, r#"{"b":[null]}"#)?;
    probe.stored(&user, Some(r#"{"b":[null]}"#)).await.map(drop)
}

/// `get_many` answers one entry for each id in the order asked, also for repeated and unknown ids, none and many.
///
/// # Errors
///
/// The store breaks the promise.
pub async fn get_many(store: &dyn MetadataStore) -> Result<(), Violation> {
    let probe = Probe::new(store, "get_many answers in the order asked, one entry each");
    let (first, second, unknown) = (fresh_user("many-b"), fresh_user("many-a"), fresh_user("many-c"));
    let one = probe.update(&first, r#"{"n":1}"#).await?;
    let two = probe.update(&second, r#"{"n":2}"#).await?;
    let none = probe.done("get_many", store.get_many(&[]).await)?;
    probe.hold(none.is_empty(), "an empty list of ids has entries")?;
    let asked = [&second, &unknown, &first, &second, &unknown, &first].map(Clone::clone);
    let expected = [Some(&two), None, Some(&one), Some(&two), None, Some(&one)];
    let many = probe.done("get_many", store.get_many(&asked).await)?;
    probe.hold(many.iter().map(Option::as_ref).eq(expected), "the entries do not fit the ids")?;
    let asked: Vec<_> = (0..500).map(|n| if n == 321 { first.clone() } else { fresh_user("many") }).collect();
    let many = probe.done("get_many", store.get_many(&asked).await)?;
    let found: Vec<_> = many.iter().enumerate().filter(|(_, record)| record.is_some()).collect();
    probe.hold(many.len() == 500 && found == [(321, &Some(one))], "of 500 ids the one with a document is not found")
}

/// Numbers come back equal as values, digit for digit, whatever their size.
///
/// # Errors
///
/// The store breaks the promise.
pub async fn numbers(store: &dyn MetadataStore) -> Result<(), Violation> {
    let probe = Probe::new(store, "numbers keep every digit");
    for number in NUMBERS {
        let user = fresh_user("number");
        let with = |more: &str| format!(r#"{{"root":{number},"deep":{{"list":[{number},{{"n":{number}}}]}}{more}}}"#);
        let (update, merged) = (with(""), with(r#","other":1"#));
        let record = probe.update(&user, &update).await?;
        probe.same("update", &record.metadata, &update)?;
        probe.stored(&user, Some(&update)).await?;
        let record = probe.update(&user, r#"{"other":1}"#).await?;
        probe.same("an update of another field", &record.metadata, &merged)?;
        let many = probe.done("get_many", store.get_many(std::slice::from_ref(&user)).await)?;
        let Some(Some(record)) = many.first() else { return probe.broken("get_many does not find the document") };
        probe.same("get_many", &record.metadata, &merged)?;
    }
    Ok(())
}

/// An update that cannot be kept is refused with its reason and changes nothing, also for a user without a document.
///
/// # Errors
///
/// The store breaks the promise.
pub async fn invalid_update(store: &dyn MetadataStore) -> Result<(), Violation> {
    let probe = Probe::new(store, "an invalid update is refused and changes nothing");
    let known = fresh_user("invalid");
    probe.update(&known, r#"{"a":1}"#).await?;
    for user in [known, fresh_user("invalid")] {
        let before = probe.get(&user).await?;
        for update in [
            MetadataUpdate::new().set("a", &"\0"),
            MetadataUpdate::new().set("a\0b", &1),
            MetadataUpdate::new().set("b", &2).set("a", &["\0"]).remove("a"),
        ] {
            for when in [Precondition::None, before.as_ref().map_or(Precondition::Absent, |_| Precondition::Exists)] {
                if when != Precondition::None && !store.capabilities().conditional_writes() {
                    continue;
                }
                let outcome = store.update(&user, &update, &when).await;
                let error = probe.refused("an update with U+0000", outcome, StoreErrorKind::InvalidMetadata)?;
                let reason = error.invalid_metadata().map(InvalidMetadata::kind);
                probe.hold(reason == Some(InvalidMetadataKind::Nul), format!("the reason is {reason:?}"))?;
                probe.unchanged(&user, before.as_ref()).await?;
            }
        }
    }
    Ok(())
}
