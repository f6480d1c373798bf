use serde::Deserialize;
use serde_json::value::RawValue;

use super::probe::{Probe, Violation, fresh_user};
use super::report::{Rows, Tally, Verdict};
use crate::conformance::ExactValue;
use crate::conformance::model::{Model, exact};
use crate::metadata::update_from_object;
use crate::metadata::{
    InvalidMetadata, InvalidMetadataKind as Kind, Limits, Metadata, MetadataUpdate, Precondition, Record,
};
use crate::store::{MetadataStore, StoreErrorKind};
use crate::user_id::UserId;

/// What became of an update.
#[derive(Debug)]
pub(super) enum Answer {
    Kept(Record),
    Refused(Kind),
}

/// Reads an update and gives it to the store, as an application does with a body.
pub(super) async fn apply(probe: Probe<'_>, user: &UserId, update: &[u8]) -> Result<Answer, Violation> {
    let update = match MetadataUpdate::from_json(update) {
        Ok(update) => update,
        Err(invalid) => return Ok(Answer::Refused(invalid.kind())),
    };
    match probe.store.update(user, &update, &Precondition::None).await {
        Ok(record) => Ok(Answer::Kept(record)),
        Err(error) => match error.invalid_metadata().map(InvalidMetadata::kind) {
            Some(kind) => Ok(Answer::Refused(kind)),
            None => probe.broken(format!("update failed: {error}")),
        },
    }
}

#[derive(Deserialize)]
struct UpdateRow<'a> {
    id: String,
    #[serde(borrow)]
    steps: Vec<Vec<&'a RawValue>>,
    #[serde(borrow, rename = "final")]
    last: &'a RawValue,
}

/// Lists of updates and clears, each with the document that must be left; a row is a JSON object with `id`, `steps`
/// (`["update", {…}]` or `["clear"]`) and `final`.
///
/// A step that the rules of this crate refuse, for example for U+0000, must be refused by the store and change nothing;
/// the document that must be left is then computed without it.
///
/// # Errors
///
/// All rows that fail.
pub async fn update_vectors(
    store: &dyn MetadataStore,
    rows: impl IntoIterator<Item = &str>,
) -> Result<Tally, Violation> {
    const PROMISE: &str = "updates merge as the vectors say";
    let probe = Probe::new(store, PROMISE);
    let mut outcomes = Rows::of("metadata/update_vectors");
    for row in rows {
        match serde_json::from_str::<UpdateRow<'_>>(row) {
            Ok(row) => outcomes.add(&row.id, steps(probe, &row).await.map_err(|violation| violation.detail)),
            Err(error) => outcomes.add(row, Err(format!("not understood: {error}"))),
        }
    }
    outcomes.finish(PROMISE)
}

async fn steps(probe: Probe<'_>, row: &UpdateRow<'_>) -> Result<Verdict, Violation> {
    let (user, mut model, mut verdict) = (fresh_user("vector"), Model::new(), Verdict::Accepted);
    for step in &row.steps {
        let before = probe.get(&user).await?;
        match step.iter().map(|part| part.get()).collect::<Vec<_>>()[..] {
            [r#""clear""#] => {
                model.clear();
                probe.clear(&user).await?;
            }
            [r#""update""#, update] => match (model.update(update), apply(probe, &user, update.as_bytes()).await?) {
                (Ok(()), Answer::Kept(record)) => {
                    let empty = before.as_ref().filter(|_| ExactValue::parse(update).is_ok_and(|u| u == no_fields()));
                    probe.hold(empty.is_none_or(|before| *before == record), "an empty update changed the record")?;
                    probe.unchanged(&user, Some(&record)).await?;
                }
                (Err(kinds), Answer::Refused(kind)) if kinds.contains(&kind) => {
                    verdict = Verdict::Refused;
                    if kinds.contains(&Kind::Nul) {
                        poisoned(probe, &user, update).await?;
                    }
                    probe.unchanged(&user, before.as_ref()).await?;
                }
                (expected, answer) => return probe.broken(format!("{update}: {answer:?} instead of {expected:?}")),
            },
            _ => return probe.broken("not understood: a step of another kind"),
        }
        probe.stored(&user, model.to_json().as_deref()).await?;
    }
    if verdict == Verdict::Accepted {
        let last = ExactValue::parse(row.last.get()).ok();
        let modelled = exact(&model).or_else(|| Some(no_fields()));
        probe.hold(modelled == last, "the model of the suite and the vector differ")?;
    }
    probe.clear(&user).await?;
    Ok(verdict)
}

fn no_fields() -> ExactValue {
    ExactValue::Object(std::collections::BTreeMap::new())
}

/// The same update as an application builds it from values: it reaches the store, which must refuse it.
async fn poisoned(probe: Probe<'_>, user: &UserId, update: &str) -> Result<(), Violation> {
    // A number past `f64` has no `Value`; such an update cannot be built this way.
    let Ok(value) = serde_json::from_str(update) else { return Ok(()) };
    let outcome = probe.store.update(user, &update_from_object(value), &Precondition::None).await;
    probe.refused("an update with U+0000", outcome, StoreErrorKind::InvalidMetadata).map(drop)
}

#[derive(Deserialize)]
struct MergeRow<'a> {
    id: String,
    #[serde(borrow)]
    target: &'a RawValue,
    #[serde(borrow)]
    patch: &'a RawValue,
    #[serde(borrow)]
    shallow_root: &'a RawValue,
}

/// The examples of RFC 7396 with the result of a merge that is shallow; a row is a JSON object with `id`, `target`,
/// `patch` and `shallow_root`.
///
/// # Errors
///
/// All rows that fail.
pub async fn merge_vectors(
    store: &dyn MetadataStore,
    rows: impl IntoIterator<Item = &str>,
) -> Result<Tally, Violation> {
    const PROMISE: &str = "the merge is shallow";
    let probe = Probe::new(store, PROMISE);
    let mut outcomes = Rows::of("merge/rfc7396");
    for row in rows {
        match serde_json::from_str::<MergeRow<'_>>(row) {
            Ok(row) => outcomes.add(&row.id, merge(probe, &row).await.map_err(|violation| violation.detail)),
            Err(error) => outcomes.add(row, Err(format!("not understood: {error}"))),
        }
    }
    outcomes.finish(PROMISE)
}

async fn merge(probe: Probe<'_>, row: &MergeRow<'_>) -> Result<Verdict, Violation> {
    let (target, patch, expected) = (row.target.get(), row.patch.get(), row.shallow_root.get());
    let is_object = |text: &str| text.starts_with('{');
    let user = fresh_user("merge");
    if is_object(target) {
        if !matches!(apply(probe, &user, target.as_bytes()).await?, Answer::Kept(_)) {
            return probe.broken("the target is refused");
        }
    } else {
        probe.hold(Metadata::from_json(target.as_bytes()).is_err(), "a target that is no object is a document")?;
    }
    if !is_object(target) || !is_object(patch) {
        probe.hold(!is_object(expected), "not understood: a result although one side is no object")?;
        let before = probe.get(&user).await?;
        if !is_object(patch) {
            let answer = apply(probe, &user, patch.as_bytes()).await?;
            probe.hold(matches!(answer, Answer::Refused(Kind::NotAnObject)), format!("{patch}: {answer:?}"))?;
        }
        probe.unchanged(&user, before.as_ref()).await?;
        return Ok(Verdict::Refused);
    }
    // By the merge alone a null in the target stays; through a store it never gets in.
    let pure = Metadata::from_json(target.as_bytes())
        .and_then(|stored| MetadataUpdate::from_json(patch.as_bytes())?.apply(&stored, &Limits::default()));
    match pure {
        Ok(merged) => probe.same("the merge", &merged, expected)?,
        Err(invalid) => return probe.broken(format!("the merge is refused: {invalid}")),
    }
    let mut stored = ExactValue::parse(expected).ok();
    if let Some(ExactValue::Object(members)) = &mut stored {
        members.retain(|_, value| *value != ExactValue::Null);
    }
    match apply(probe, &user, patch.as_bytes()).await? {
        Answer::Kept(record) => {
            let json = record.metadata.to_json();
            probe.hold(ExactValue::parse(&json).ok() == stored, format!("{json} instead of {expected}"))?;
            probe.unchanged(&user, Some(&record)).await?;
            Ok(Verdict::Accepted)
        }
        Answer::Refused(kind) => probe.broken(format!("{patch} is refused: {kind:?}")),
    }
}

/// A first update that must be stored as the model says or be refused for one of the rules of the crate, which is then
/// also the reason.
pub(super) async fn kept_or_refused(probe: Probe<'_>, user: &UserId, update: &str) -> Result<Verdict, Violation> {
    let mut model = Model::new();
    match (model.update(update), apply(probe, user, update.as_bytes()).await?) {
        (Ok(()), Answer::Kept(record)) => {
            probe.same("update", &record.metadata, &model.to_json().unwrap_or_default())?;
            probe.unchanged(user, Some(&record)).await?;
            Ok(Verdict::Accepted)
        }
        (Err(kinds), Answer::Refused(kind)) if kinds.contains(&kind) => {
            probe.unchanged(user, None).await?;
            Ok(Verdict::Refused)
        }
        (expected, answer) => probe.broken(format!("{answer:?} where the rules say {expected:?}")),
    }
}
