use super::probe::{Probe, Violation, fresh_user};
use crate::metadata::{InvalidMetadata, InvalidMetadataKind as Kind, Limits, Metadata, MetadataUpdate, Precondition};
use crate::store::{MetadataStore, StoreErrorKind};
use crate::user_id::UserId;

/// The default [`Limits`] hold exactly, on the update and on the merged document; what passes one is refused with its
/// reason and changes nothing, and a full document can still be made smaller.
///
/// # Errors
///
/// The store breaks the promise.
pub async fn limits(store: &dyn MetadataStore) -> Result<(), Violation> {
    let probe = Probe::new(store, "limits hold to the byte, the field and the level");
    let told = store.capabilities().limits();
    probe.hold(told == Limits::default(), "the capabilities of a store opened for this suite tell other limits")?;
    document_bytes(probe).await?;
    root_fields(probe).await?;
    field_name_bytes(probe).await?;
    depth(probe).await
}

async fn document_bytes(probe: Probe<'_>) -> Result<(), Violation> {
    let user = fresh_user("bytes");
    let limit = Limits::default().document_bytes();
    // `{"a":"…","b":"…"}` with these two texts is as large as allowed.
    let (left, right) = (limit / 2, limit - limit / 2 - r#"{"a":"","b":""}"#.len());
    let text = |length: usize| "x".repeat(length);
    accepted(probe, &user, &MetadataUpdate::new().set("a", &text(left))).await?;
    refused(probe, &user, &MetadataUpdate::new().set("b", &text(right + 1)), Kind::DocumentTooLarge, limit).await?;
    accepted(probe, &user, &MetadataUpdate::new().set("b", &text(right))).await?;
    refused(probe, &user, &MetadataUpdate::new().set("c", &0), Kind::DocumentTooLarge, limit).await?;
    refused(probe, &user, &MetadataUpdate::new().set("a", &text(limit)), Kind::DocumentTooLarge, limit).await?;
    refused(probe, &fresh_user("bytes"), &MetadataUpdate::new().set("a", &text(limit)), Kind::DocumentTooLarge, limit)
        .await?;
    accepted(probe, &user, &MetadataUpdate::new().remove("a").set("c", &text(left - 8))).await?;
    accepted(probe, &user, &MetadataUpdate::new().remove("b").remove("c")).await
}

async fn root_fields(probe: Probe<'_>) -> Result<(), Violation> {
    let user = fresh_user("count");
    let limit = Limits::default().root_fields();
    let fields = |count: usize| (0..count).fold(MetadataUpdate::new(), |update, n| update.set(&format!("f{n}"), &n));
    refused(probe, &user, &fields(limit + 1), Kind::TooManyFields, limit).await?;
    accepted(probe, &user, &fields(limit)).await?;
    refused(probe, &user, &MetadataUpdate::new().set("one more", &1), Kind::TooManyFields, limit).await?;
    accepted(probe, &user, &MetadataUpdate::new().set("f0", &"replaced").remove("never there")).await?;
    accepted(probe, &user, &MetadataUpdate::new().set("one more", &1).remove("f0")).await
}

async fn field_name_bytes(probe: Probe<'_>) -> Result<(), Violation> {
    let user = fresh_user("names");
    let limit = Limits::default().field_name_bytes();
    for longest in ["k".repeat(limit), "\u{e9}".repeat(limit / 2), "\"".repeat(limit)] {
        let longer = format!("{longest}k");
        accepted(probe, &user, &MetadataUpdate::new().set(&longest, &1)).await?;
        refused(probe, &user, &MetadataUpdate::new().set(&longer, &1), Kind::FieldNameTooLong, limit).await?;
        refused(probe, &user, &MetadataUpdate::new().remove(&longer), Kind::FieldNameTooLong, limit).await?;
        accepted(probe, &user, &MetadataUpdate::new().set("deep", &std::collections::BTreeMap::from([(longer, 1)])))
            .await?;
        accepted(probe, &user, &MetadataUpdate::new().remove(&longest)).await?;
    }
    Ok(())
}

async fn depth(probe: Probe<'_>) -> Result<(), Violation> {
    let user = fresh_user("depth");
    let limit = Limits::default().depth();
    let nested = |open: &str, close: &str, levels: usize| {
        probe.parse(&format!("{{\"a\":{}1{}}}", open.repeat(levels), close.repeat(levels)))
    };
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        accepted(probe, &user, &nested(open, close, limit - 1)?).await?;
        refused(probe, &user, &nested(open, close, limit)?, Kind::TooDeep, limit).await?;
    }
    Ok(())
}

async fn accepted(probe: Probe<'_>, user: &UserId, update: &MetadataUpdate) -> Result<(), Violation> {
    let before = probe.get(user).await?.map_or_else(Metadata::new, |record| record.metadata);
    let merged = match update.apply(&before, &Limits::default()) {
        Ok(merged) => merged.to_json(),
        Err(invalid) => return probe.broken(format!("an update of the suite itself is refused: {invalid}")),
    };
    let outcome = probe.store.update(user, update, &Precondition::None).await;
    let record = probe.done("an update within the limits", outcome)?;
    probe.same("update", &record.metadata, &merged)?;
    probe.unchanged(user, Some(&record)).await
}

async fn refused(
    probe: Probe<'_>,
    user: &UserId,
    update: &MetadataUpdate,
    kind: Kind,
    limit: usize,
) -> Result<(), Violation> {
    let before = probe.get(user).await?;
    let outcome = probe.store.update(user, update, &Precondition::None).await;
    let error = probe.refused(&format!("an update that is {kind:?}"), outcome, StoreErrorKind::InvalidMetadata)?;
    let reason = error.invalid_metadata().map(InvalidMetadata::kind);
    probe.hold(reason == Some(kind), format!("the reason is {reason:?} instead of {kind:?}"))?;
    let told = error.invalid_metadata().and_then(InvalidMetadata::limit);
    probe.hold(told == Some(limit), format!("{kind:?} tells the limit {told:?} instead of {limit}"))?;
    probe.unchanged(user, before.as_ref()).await
}
