use super::handles::{Handles, OpenStore};
use super::probe::{Probe, Violation};
use crate::store::{MetadataStore, Namespace};
use crate::user_id::UserId;

/// Ids that collations, pattern matching, trimming or Unicode normalisation take for one another.
const ALIKE: [&str; 24] = [
    "a",
    "A",
    "a\u{301}",
    "\u{e1}",
    "a%",
    "%",
    "_",
    "a_",
    "a*",
    "*",
    "a\u{200b}",
    "\u{ff41}",
    "\u{130}",
    "i",
    "I",
    "\u{131}",
    "ss",
    "\u{df}",
    "\u{1e9e}",
    "0",
    "00",
    "a:b",
    "a\\",
    "a'",
];

/// Ids are compared byte for byte: each of these users sees the own document, and loses no other when cleared.
///
/// The documents of these users are cleared first.
///
/// # Errors
///
/// The store breaks the promise.
pub async fn byte_exact_ids(store: &dyn MetadataStore, ids: &[UserId]) -> Result<(), Violation> {
    let probe = Probe::new(store, "user ids are compared byte for byte");
    let own = |at: usize| format!(r#"{{"of {at}":{at}}}"#);
    for id in ids {
        probe.clear(id).await?;
    }
    for (at, id) in ids.iter().enumerate() {
        let name = id.as_str();
        let record = probe.update(id, &own(at)).await?;
        probe.hold(record.metadata.len() == 1, format!("the user {name:?} meets the document of another"))?;
    }
    let many = probe.done("get_many", store.get_many(ids).await)?;
    probe.hold(many.len() == ids.len(), "get_many answers another number of entries than ids")?;
    for (at, (id, listed)) in ids.iter().zip(&many).enumerate() {
        let read = probe.stored(id, Some(&own(at))).await?;
        probe.hold(read == *listed, format!("get and get_many differ for {:?}", id.as_str()))?;
    }
    for id in ids.iter().step_by(2) {
        probe.clear(id).await?;
    }
    for (at, id) in ids.iter().enumerate() {
        let expected = (at % 2 == 1).then(|| own(at));
        probe.stored(id, expected.as_deref()).await?;
        probe.clear(id).await?;
    }
    Ok(())
}

/// The ids with which [`check`](super::check) calls [`byte_exact_ids`].
pub(super) fn alike_ids() -> Vec<UserId> {
    ALIKE.iter().filter_map(|id| UserId::new(*id).ok()).chain(long_ids()).collect()
}

/// The namespaces with which [`check`](super::check) calls [`namespaces`].
pub(super) fn alike_namespaces() -> Vec<Namespace> {
    let names = ["public", "Public", "a", "a:b", "a%", "_", "\u{e1}", "a\u{301}"];
    names.into_iter().filter_map(|name| Namespace::new(name).ok()).collect()
}

/// As long as an id may be, with one to four bytes a character, and different only in the last one; and some that are as
/// long as SuperTokens allows, and one character longer.
fn long_ids() -> impl Iterator<Item = UserId> {
    let lengths = [
        (UserId::MAX_CHARS, 4),
        (UserId::MAX_CHARS, 3),
        (UserId::MAX_CHARS, 2),
        (UserId::MAX_CHARS, 1),
        (128, 1),
        (129, 1),
    ];
    let last = |bytes| match bytes {
        1 => ["a", "b"],
        2 => ["\u{e1}", "\u{e2}"],
        3 => ["\u{20ac}", "\u{20ad}"],
        _ => ["\u{1f600}", "\u{1f601}"],
    };
    lengths.into_iter().flat_map(move |(length, bytes)| {
        let ends = last(bytes);
        let stem = ends[0].repeat(length - 1);
        ends.into_iter().filter_map(move |end| UserId::new(format!("{stem}{end}")).ok())
    })
}

/// A user of one namespace is another user in another namespace, whatever the names look like when joined.
///
/// The documents of these users are cleared first.
///
/// # Errors
///
/// The store breaks the promise.
pub async fn namespaces<O: OpenStore>(open: &O, names: &[Namespace], ids: &[UserId]) -> Result<(), Violation> {
    const PROMISE: &str = "a store sees nothing of another namespace";
    let mut stores = Vec::new();
    for name in names {
        stores.push((name.as_str(), open.open(name.clone()).await));
    }
    let probes: Vec<_> = stores.iter().map(|(name, store)| (*name, Probe::new(store.as_ref(), PROMISE))).collect();
    let own = |name: &str, id: &UserId| {
        let (name, id) = (serde_json::Value::from(name), serde_json::Value::from(id.as_str()));
        format!(r#"{{"namespace":{name},"user":{id}}}"#)
    };
    for (_, probe) in &probes {
        for id in ids {
            probe.clear(id).await?;
        }
    }
    for (name, probe) in &probes {
        for id in ids {
            probe.stored(id, None).await?;
            let record = probe.update(id, &own(name, id)).await?;
            probe.same("update", &record.metadata, &own(name, id))?;
        }
    }
    for (cleared, (_, clearing)) in probes.iter().enumerate() {
        for id in ids {
            clearing.clear(id).await?;
        }
        for (at, (name, probe)) in probes.iter().enumerate() {
            let many = probe.done("get_many", probe.store.get_many(ids).await)?;
            for (id, listed) in ids.iter().zip(&many) {
                let expected = (at > cleared).then(|| own(name, id));
                let read = probe.stored(id, expected.as_deref()).await?;
                probe.hold(read == *listed, "get and get_many differ")?;
            }
        }
    }
    Ok(())
}

/// Two handles on one namespace share their documents, at once and in both directions.
///
/// # Errors
///
/// The store breaks the promise.
pub async fn handles_share(handles: &Handles) -> Result<(), Violation> {
    const PROMISE: &str = "two handles on one namespace share their documents";
    let [first, second] = handles.stores().each_ref().map(|store| Probe::new(store.as_ref(), PROMISE));
    let user = super::probe::fresh_user("handles");
    let written = first.update(&user, r#"{"a":1}"#).await?;
    second.unchanged(&user, Some(&written)).await?;
    let merged = second.update(&user, r#"{"b":2}"#).await?;
    second.same("update", &merged.metadata, r#"{"a":1,"b":2}"#)?;
    first.unchanged(&user, Some(&merged)).await?;
    first.clear(&user).await?;
    second.stored(&user, None).await.map(drop)
}
