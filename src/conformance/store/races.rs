use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;

use tokio::sync::Barrier;
use tokio::task::JoinError;

use super::handles::Handles;
use super::probe::{Probe, Violation, fresh_user};
use crate::metadata::{MetadataUpdate, Precondition};
use crate::store::StoreErrorKind;

/// Runs all of them at once, on as many threads as the runtime has; outcomes in the order given.
pub(super) async fn race<F>(racing: impl Iterator<Item = F>) -> Vec<Result<F::Output, JoinError>>
where
    F: Future<Output: Send> + Send + 'static,
{
    let racing: Vec<_> = racing.collect();
    let start = Arc::new(Barrier::new(racing.len()));
    let tasks: Vec<_> = racing
        .into_iter()
        .map(|future| {
            let start = Arc::clone(&start);
            tokio::spawn(async move {
                start.wait().await;
                future.await
            })
        })
        .collect();
    let mut outcomes = Vec::with_capacity(tasks.len());
    for task in tasks {
        outcomes.push(task.await);
    }
    outcomes
}

pub(super) fn outcomes<T>(probe: Probe<'_>, joined: Vec<Result<T, JoinError>>) -> Result<Vec<T>, Violation> {
    joined.into_iter().map(|outcome| outcome.or_else(|_| probe.broken("the store panicked"))).collect()
}

/// Two first updates of one user at the same time: both fields are there afterwards, in each of 200 rounds.
///
/// # Errors
///
/// The store breaks the promise.
pub async fn first_write_race(handles: &Handles) -> Result<(), Violation> {
    let probe = Probe::new(handles.first(), "two first updates of one user are both kept");
    for _ in 0..200 {
        let user = fresh_user("first");
        let racing = [(0, "left"), (1, "right")].into_iter().map(|(turn, field)| {
            let (store, user) = (handles.turn(turn), user.clone());
            async move { store.update(&user, &MetadataUpdate::new().set(field, &1), &Precondition::None).await }
        });
        let mut records = Vec::new();
        for outcome in outcomes(probe, race(racing).await)? {
            records.push(probe.done("update", outcome)?);
        }
        let stored = probe.stored(&user, Some(r#"{"left":1,"right":1}"#)).await?;
        let whole = records.iter().filter(|record| Some(*record) == stored.as_ref()).count();
        probe.hold(whole == 1, "not exactly one of the two updates answers the final record")?;
    }
    Ok(())
}

/// Eight writers, each with fields of its own, on one user: no field is lost, each answer holds the writer's own
/// fields, and no two answers have one version.
///
/// # Errors
///
/// The store breaks the promise.
pub async fn concurrent_fields(handles: &Handles) -> Result<(), Violation> {
    const WRITERS: usize = 8;
    const ROUNDS: usize = 40;
    let probe = Probe::new(handles.first(), "concurrent updates of different fields are all kept");
    let user = fresh_user("fields");
    let racing = (0..WRITERS).map(|writer| {
        let (store, user) = (handles.turn(writer), user.clone());
        async move {
            let mut records = Vec::with_capacity(ROUNDS);
            for round in 0..ROUNDS {
                let update = MetadataUpdate::new().set(&format!("{writer}-{round}"), &round);
                records.push(store.update(&user, &update, &Precondition::None).await?);
            }
            Ok(records)
        }
    });
    let mut versions = HashSet::new();
    for (writer, outcome) in outcomes(probe, race(racing).await)?.into_iter().enumerate() {
        for (round, record) in probe.done("update", outcome)?.iter().enumerate() {
            let own = (0..=round).all(|earlier| record.metadata.get_raw(&format!("{writer}-{earlier}")).is_some());
            probe.hold(own, format!("the answer to writer {writer} in round {round} lacks a field of its own"))?;
            probe.hold(versions.insert(record.version), "two updates answer the same version")?;
        }
    }
    let stored = probe.get(&user).await?;
    let kept = stored.as_ref().map_or(0, |record| record.metadata.len());
    probe.hold(kept == WRITERS * ROUNDS, format!("{kept} of {} fields are kept", WRITERS * ROUNDS))?;
    probe.hold(stored.is_some_and(|record| versions.contains(&record.version)), "no writer was told the final version")
}

/// A clear and an update at the same time: either the clear was last and no document is left, or the update was, and
/// the document has its fields only. Nothing comes back that was cleared.
///
/// # Errors
///
/// The store breaks the promise.
pub async fn clear_against_update(handles: &Handles) -> Result<(), Violation> {
    let probe = Probe::new(handles.first(), "an update that meets a clear brings nothing cleared back");
    for round in 0..100 {
        let user = fresh_user("clear");
        probe.update(&user, r#"{"old":1,"older":2}"#).await?;
        let racing = (0..2).map(|task| {
            let (store, user) = (handles.turn(task + round), user.clone());
            async move {
                let update = MetadataUpdate::new().set("new", &3);
                match task {
                    0 => store.clear(&user, &Precondition::None).await.map(|()| None),
                    _ => store.update(&user, &update, &Precondition::None).await.map(Some),
                }
            }
        });
        let mut answers = Vec::new();
        for outcome in outcomes(probe, race(racing).await)? {
            answers.extend(probe.done("update or clear", outcome)?);
        }
        let Some(updated) = answers.first() else { return probe.broken("the update answers nothing") };
        if updated.metadata.get_raw("old").is_some() {
            probe.same("the update before the clear", &updated.metadata, r#"{"old":1,"older":2,"new":3}"#)?;
            probe.stored(&user, None).await?;
        } else {
            probe.same("the update after the clear", &updated.metadata, r#"{"new":3}"#)?;
            probe.unchanged(&user, Some(updated)).await?;
        }
    }
    Ok(())
}

/// Two updates that fit one by one but not together: exactly one is kept, since limits hold for the merged document.
///
/// # Errors
///
/// The store breaks the promise.
pub async fn limits_race(handles: &Handles) -> Result<(), Violation> {
    let probe = Probe::new(handles.first(), "limits are checked on the merged document inside the write");
    let half = "x".repeat(40_000);
    let many = |prefix: &str| (0..600).fold(MetadataUpdate::new(), |update, n| update.set(&format!("{prefix}{n}"), &n));
    let by_bytes = ["left", "right"].map(|field| MetadataUpdate::new().set(field, &half));
    let by_fields = ["left", "right"].map(many);
    for updates in [&by_bytes, &by_fields] {
        for _ in 0..20 {
            let user = fresh_user("limits");
            let racing = updates.clone().into_iter().enumerate().map(|(turn, update)| {
                let (store, user) = (handles.turn(turn), user.clone());
                async move { store.update(&user, &update, &Precondition::None).await }
            });
            let (kept, refused): (Vec<_>, Vec<_>) =
                outcomes(probe, race(racing).await)?.into_iter().partition(Result::is_ok);
            let ([Ok(kept)], [_]) = (&kept[..], &refused[..]) else {
                return probe.broken(format!("{} of two updates that fit only one by one are kept", kept.len()));
            };
            for outcome in refused {
                probe.refused("the second update", outcome, StoreErrorKind::InvalidMetadata)?;
            }
            probe.unchanged(&user, Some(kept)).await?;
        }
    }
    Ok(())
}
