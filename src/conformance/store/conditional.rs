use std::collections::HashSet;

use super::handles::Handles;
use super::probe::{Probe, Violation, fresh_user};
use super::races::{outcomes, race};
use crate::metadata::{Metadata, MetadataUpdate, Precondition, Record, Version};
use crate::store::{MetadataStore, MetadataStoreExt, StoreErrorKind};
use crate::user_id::UserId;

/// Each precondition lets exactly the writes through for which it holds, for `update` and for `clear`; a refusal
/// changes nothing and tells the version that is stored. A store without conditional writes refuses them all.
///
/// # Errors
///
/// The store breaks the promise.
pub async fn preconditions(store: &dyn MetadataStore) -> Result<(), Violation> {
    let probe = Probe::new(store, "preconditions are checked");
    let (known, unknown) = (fresh_user("conditional"), fresh_user("conditional"));
    let stale = probe.update(&known, r#"{"a":1}"#).await?.version;
    let current = probe.update(&known, r#"{"a":2}"#).await?;
    if !store.capabilities().conditional_writes() {
        return unsupported(probe, &known, &current).await;
    }
    for (user, before) in [(&known, Some(&current)), (&unknown, None)] {
        for when in [Precondition::Exists, Precondition::Absent, Precondition::Version(stale)] {
            if !when.holds(before.map(|record| record.version)) {
                fails(probe, user, when, before).await?;
            }
        }
    }
    holds(probe, stale).await
}

async fn unsupported(probe: Probe<'_>, user: &UserId, stored: &Record) -> Result<(), Violation> {
    for when in [Precondition::Exists, Precondition::Absent, Precondition::Version(stored.version)] {
        let outcome = probe.store.update(user, &probe.parse(r#"{"b":1}"#)?, &when).await;
        probe.refused("a conditional update", outcome, StoreErrorKind::Unsupported)?;
        let outcome = probe.store.clear(user, &when).await;
        probe.refused("a conditional clear", outcome, StoreErrorKind::Unsupported)?;
        probe.unchanged(user, Some(stored)).await?;
    }
    let outcome = probe.store.modify(user, |_| MetadataUpdate::new()).await;
    probe.refused("modify", outcome, StoreErrorKind::Unsupported).map(drop)
}

/// A precondition that does not hold stops an update, an empty update and a clear.
async fn fails(probe: Probe<'_>, user: &UserId, when: Precondition, before: Option<&Record>) -> Result<(), Violation> {
    for update in ["{\"b\":1}", "{\"a\":null}", "{}"] {
        let outcome = probe.store.update(user, &probe.parse(update)?, &when).await;
        let error = probe.refused(&format!("update {when:?}"), outcome, StoreErrorKind::PreconditionFailed)?;
        let told = error.current_version() == before.map(|record| record.version);
        probe.hold(told, format!("a refused update {when:?} does not tell the version that is stored"))?;
        probe.unchanged(user, before).await?;
    }
    let outcome = probe.store.clear(user, &when).await;
    let error = probe.refused(&format!("clear {when:?}"), outcome, StoreErrorKind::PreconditionFailed)?;
    let told = error.current_version() == before.map(|record| record.version);
    probe.hold(told, format!("a refused clear {when:?} does not tell the version that is stored"))?;
    probe.unchanged(user, before).await
}

/// The life of one user, each step under a precondition that holds; the versions of before never fit again.
async fn holds(probe: Probe<'_>, foreign: Version) -> Result<(), Violation> {
    let user = fresh_user("conditional");
    probe.done("clear Absent", probe.store.clear(&user, &Precondition::Absent).await)?;
    let created = probe.update_if(&user, r#"{"a":1}"#, Precondition::Absent).await?;
    let second = probe.update_if(&user, r#"{"b":2}"#, Precondition::Exists).await?;
    let third = probe.update_if(&user, r#"{"c":3}"#, Precondition::Version(second.version)).await?;
    probe.same("update", &third.metadata, r#"{"a":1,"b":2,"c":3}"#)?;
    let same = probe.update_if(&user, "{}", Precondition::Version(third.version)).await?;
    probe.hold(same == third, "an empty update under the current version changes the record")?;
    for version in [created.version, second.version, foreign] {
        fails(probe, &user, Precondition::Version(version), Some(&third)).await?;
    }
    let cleared = probe.store.clear(&user, &Precondition::Version(third.version)).await;
    probe.done("clear under the current version", cleared)?;
    probe.stored(&user, None).await?;
    fails(probe, &user, Precondition::Version(third.version), None).await?;
    let again = probe.update_if(&user, r#"{"a":1,"b":2,"c":3}"#, Precondition::Absent).await?;
    probe.hold(again.version != third.version, "an equal document got the version of before the clear")?;
    fails(probe, &user, Precondition::Version(third.version), Some(&again)).await?;
    probe.done("clear Exists", probe.store.clear(&user, &Precondition::Exists).await)?;
    let empty = probe.update_if(&user, "{}", Precondition::Absent).await?;
    probe.same("an empty update of an unknown user", &empty.metadata, "{}")
}

/// No two writes of one user give the same version, whatever is written, also not after `clear`.
///
/// # Errors
///
/// The store breaks the promise.
pub async fn versions_never_repeat(store: &dyn MetadataStore) -> Result<(), Violation> {
    let probe = Probe::new(store, "no two writes of one user give the same version");
    let user = fresh_user("versions");
    let mut seen = HashSet::new();
    for round in 0..40 {
        for update in ["{\"a\":1}".to_owned(), format!("{{\"a\":{}}}", round + 2), "{\"a\":null}".to_owned()] {
            let record = probe.update(&user, &update).await?;
            probe.hold(seen.insert(record.version), format!("{update} in round {round} brings an old version back"))?;
        }
        if round % 2 == 1 {
            probe.clear(&user).await?;
        }
    }
    Ok(())
}

/// Of several writers under one precondition exactly one gets through; the others are told the version that won.
///
/// # Errors
///
/// The store breaks the promise.
pub async fn one_conditional_writer_wins(handles: &Handles) -> Result<(), Violation> {
    let probe = Probe::new(handles.first(), "preconditions are checked inside the write");
    if !handles.first().capabilities().conditional_writes() {
        return Ok(());
    }
    for round in 0..40 {
        let user = fresh_user("winner");
        let when = match round % 2 {
            0 => Precondition::Absent,
            _ => Precondition::Version(probe.update(&user, r#"{"round":true}"#).await?.version),
        };
        let racing = (0..8).map(|writer| {
            let (store, user) = (handles.turn(writer), user.clone());
            async move { store.update(&user, &MetadataUpdate::new().set("winner", &writer), &when).await }
        });
        let (won, lost): (Vec<_>, Vec<_>) = outcomes(probe, race(racing).await)?.into_iter().partition(Result::is_ok);
        let [Ok(winner)] = &won[..] else {
            return probe.broken(format!("{} of 8 writers under {when:?} got through", won.len()));
        };
        for outcome in lost {
            let error = probe.refused("the update of a loser", outcome, StoreErrorKind::PreconditionFailed)?;
            probe.hold(error.current_version() == Some(winner.version), "a loser is not told the winning version")?;
        }
        probe.unchanged(&user, Some(winner)).await?;
    }
    Ok(())
}

/// Counters that are incremented by `modify` from many tasks count every increment that was acknowledged.
///
/// # Errors
///
/// The store breaks the promise.
pub async fn modify_loses_nothing(handles: &Handles) -> Result<(), Violation> {
    const TASKS: usize = 8;
    const ROUNDS: usize = 10;
    let probe = Probe::new(handles.first(), "modify loses no acknowledged change");
    if !handles.first().capabilities().conditional_writes() {
        return Ok(());
    }
    let user = fresh_user("counter");
    let racing = (0..TASKS).map(|task| {
        let (store, user) = (handles.turn(task), user.clone());
        async move {
            let mut counted = 0_usize;
            for _ in 0..ROUNDS {
                let increment = |metadata: &Metadata| {
                    let count: u64 = metadata.get("count").ok().flatten().unwrap_or_default();
                    MetadataUpdate::new().set("count", &(count + 1))
                };
                match store.modify(&user, increment).await {
                    Ok(_) => counted += 1,
                    // The others were faster ten times: reported as not done, so it must not count.
                    Err(error) if error.kind() == StoreErrorKind::PreconditionFailed => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(counted)
        }
    });
    let mut counted = 0;
    for outcome in outcomes(probe, race(racing).await)? {
        counted += probe.done("modify", outcome)?;
    }
    probe.hold(counted > 0, "no modify got through")?;
    probe.stored(&user, Some(&format!(r#"{{"count":{counted}}}"#))).await.map(drop)
}
