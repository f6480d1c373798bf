use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use super::probe::{Probe, Violation, fresh_user};
use crate::conformance::ExactValue;
use crate::metadata::{Metadata, Precondition, Record};
use crate::store::MetadataStore;
use crate::user_id::UserId;

/// Polls after which a call that still has not ended counts as one that never ends.
const MOST_POLLS: usize = 10_000;

const OLD: &str = r#"{"a":0,"b":0,"gone":true}"#;
const UPDATE: &str = r#"{"a":1,"b":1,"gone":null,"new":1}"#;
const NEW: &str = r#"{"a":1,"b":1,"new":1}"#;

/// A call whose future is dropped, before its first poll and after each later one, leaves the old or the new document,
/// never a part of one, and the store goes on working for this user and for others.
///
/// # Errors
///
/// The store breaks the promise.
pub async fn cancel_safety(store: &dyn MetadataStore) -> Result<(), Violation> {
    let probe = Probe::new(store, "a dropped future leaves the old or the new document, and a store that works");
    let neighbour = fresh_user("neighbour");
    let untouched = probe.update(&neighbour, r#"{"own":true}"#).await?;
    for call in [Call::Update, Call::Clear, Call::Get, Call::GetMany] {
        let mut polls = 0;
        loop {
            let ended = dropped_after(probe, call, polls, &neighbour, &untouched).await?;
            if ended {
                break;
            }
            polls += 1;
            probe.hold(polls < MOST_POLLS, format!("{call:?} does not end"))?;
        }
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Call {
    Update,
    Clear,
    Get,
    GetMany,
}

/// Whether the call ended within this many polls.
async fn dropped_after(
    probe: Probe<'_>,
    call: Call,
    polls: usize,
    neighbour: &UserId,
    untouched: &Record,
) -> Result<bool, Violation> {
    let (store, user) = (probe.store, fresh_user("cancel"));
    probe.update(&user, OLD).await?;
    let (update, none) = (probe.parse(UPDATE)?, Precondition::None);
    let users = [user.clone(), neighbour.clone()];
    let ended = match call {
        Call::Update => ends(store.update(&user, &update, &none), polls).await,
        Call::Clear => ends(store.clear(&user, &none), polls).await,
        Call::Get => ends(store.get(&user), polls).await,
        Call::GetMany => ends(store.get_many(&users), polls).await,
    };
    let allowed: &[&str] = match (call, ended) {
        (Call::Update, true) => &[NEW],
        (Call::Update, false) => &[OLD, NEW],
        (Call::Clear, true) => &["null"],
        (Call::Clear, false) => &[OLD, "null"],
        (Call::Get | Call::GetMany, _) => &[OLD],
    };
    let after = |what: &str| format!("{what} after {call:?} was dropped at poll {polls}");
    among(probe, probe.get(&user).await?.map(|record| record.metadata), allowed, &after("get"))?;
    probe.unchanged(neighbour, Some(untouched)).await?;

    let mut allowed: Vec<String> = allowed.iter().map(|document| with_next(document)).collect();
    let next = probe.update(&user, r#"{"next":1}"#).await?;
    among(probe, Some(next.metadata), &allowed, &after("the next update"))?;
    if call == Call::Clear && !ended {
        // The request may still be on its way when the next update is done.
        allowed.push("null".to_owned());
    }
    among(probe, probe.get(&user).await?.map(|record| record.metadata), &allowed, &after("a second get"))?;
    Ok(ended)
}

/// The document, or none, with the field that the next update sets.
fn with_next(document: &str) -> String {
    match document.strip_suffix('}') {
        Some(fields) => format!("{fields},\"next\":1}}"),
        None => r#"{"next":1}"#.to_owned(),
    }
}

/// The document must be one of these; `null` stands for none.
fn among(
    probe: Probe<'_>,
    document: Option<Metadata>,
    allowed: &[impl AsRef<str>],
    call: &str,
) -> Result<(), Violation> {
    let json = document.map_or_else(|| "null".to_owned(), |document| document.to_json());
    let value = ExactValue::parse(&json).ok();
    let found = value.is_some() && allowed.iter().any(|one| ExactValue::parse(one.as_ref()).ok() == value);
    probe.hold(found, format!("{call} finds {json}"))
}

/// Polls a future at most so many times and drops it.
async fn ends<T>(mut future: Pin<Box<dyn Future<Output = T> + Send + '_>>, polls: usize) -> bool {
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending if left == 0 => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
