use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::document::{Metadata, raw, to_json};
use super::error::{InvalidMetadata, InvalidMetadataKind};
use super::limits::Limits;
use super::rules::RULES;
use crate::json;

/// A change to one document: root fields to set and root fields to remove.
///
/// An update is a shallow merge at the root, with the semantics of SuperTokens user metadata: a field replaces the
/// stored one whole, `null` at the root removes the field, and a `null` deeper down is kept as it is.
///
/// ```
/// use tower_user_metadata::{Limits, Metadata, metadata_update};
///
/// let stored = Metadata::from_json(br#"{"theme":"dark","todos":["a"],"seen":{"at":1}}"#)?;
/// let update = metadata_update! { "todos": null, "seen": { "by": null } };
/// let merged = update.apply(&stored, &Limits::default())?;
/// assert_eq!(merged.to_json(), r#"{"theme":"dark","seen":{"by":null}}"#);
/// # Ok::<(), tower_user_metadata::InvalidMetadata>(())
/// ```
#[derive(Clone, Default)]
pub struct MetadataUpdate {
    /// `None` removes.
    fields: IndexMap<Arc<str>, Option<Arc<RawValue>>>,
    /// The first mistake of [`set`](Self::set): kept, so that a chain needs one `?` and no field is lost silently.
    invalid: Option<InvalidMetadata>,
}

impl MetadataUpdate {
    /// An update that changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads an update from the bytes of a JSON object, strictly; a root `null` removes its field.
    ///
    /// # Errors
    ///
    /// See [`InvalidMetadataKind`](super::InvalidMetadataKind) for what is refused.
    pub fn from_json(text: &[u8]) -> Result<Self, InvalidMetadata> {
        let members = json::read_object(text, RULES)?;
        let fields = members
            .into_iter()
            .map(|(name, value)| {
                let value = if value == "null" { None } else { Some(raw(value)?) };
                Ok((Arc::from(name), value))
            })
            .collect::<Result<_, InvalidMetadata>>()?;
        Ok(Self { fields, invalid: None })
    }

    /// Reads an update from a `serde_json` value; a root `null` removes its field.
    ///
    /// # Errors
    ///
    /// As [`from_json`](Self::from_json).
    pub fn from_value(value: &Value) -> Result<Self, InvalidMetadata> {
        Self::from_serialize(value)
    }

    /// Reads an update from anything that serialises to a JSON object: a field that serialises to `null` is removed,
    /// a field that is skipped is left alone.
    ///
    /// ```
    /// use serde::Serialize;
    /// use tower_user_metadata::{Limits, Metadata, MetadataUpdate};
    ///
    /// #[derive(Serialize)]
    /// struct Profile {
    ///     theme: Option<String>,
    ///     #[serde(skip_serializing_if = "Option::is_none")]
    ///     language: Option<String>,
    /// }
    ///
    /// let stored = Metadata::from_json(br#"{"theme":"dark","language":"fr"}"#)?;
    /// let update = MetadataUpdate::from_serialize(&Profile { theme: None, language: None })?;
    /// assert_eq!(update.apply(&stored, &Limits::default())?.to_json(), r#"{"language":"fr"}"#);
    /// # Ok::<(), tower_user_metadata::InvalidMetadata>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`from_json`](Self::from_json), and
    /// [`Unserializable`](super::InvalidMetadataKind::Unserializable).
    pub fn from_serialize<T: Serialize + ?Sized>(value: &T) -> Result<Self, InvalidMetadata> {
        Self::from_json(&to_json(value)?)
    }

    /// Sets a root field; a value that serialises to `null` removes it.
    ///
    /// A value that cannot be kept makes the whole update invalid: [`check`](Self::check), [`apply`](Self::apply) and
    /// every store then answer with the first mistake and change nothing.
    #[must_use]
    pub fn set<T: Serialize + ?Sized>(mut self, name: &str, value: &T) -> Self {
        let field = Self::from_serialize(&std::collections::BTreeMap::from([(name, value)]));
        match field {
            Ok(field) => self.fields.extend(field.fields),
            Err(error) => self.invalid = self.invalid.or(Some(error)),
        }
        self
    }

    /// Removes a root field; a field that is not there is not an error.
    #[must_use]
    pub fn remove(self, name: &str) -> Self {
        self.set(name, &())
    }

    /// Whether the update changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.invalid.is_none()
    }

    /// The fields in order: `Some` sets, `None` removes.
    pub fn fields(&self) -> impl Iterator<Item = (&str, Option<&RawValue>)> {
        self.fields.iter().map(|(name, value)| (&**name, value.as_deref()))
    }

    /// Tells whether the update by itself is within the limits; a store that merges in its database calls this first.
    ///
    /// # Errors
    ///
    /// The first mistake of [`set`](Self::set), or the limit that is passed.
    pub fn check(&self, limits: &Limits) -> Result<(), InvalidMetadata> {
        use InvalidMetadataKind as Kind;
        if let Some(invalid) = &self.invalid {
            return Err(invalid.clone());
        }
        let mut bytes = 2;
        for (name, value) in self.fields() {
            if name.len() > limits.field_name_bytes() {
                return Err(InvalidMetadata::new(Kind::FieldNameTooLong, limits.field_name_bytes()));
            }
            let Some(value) = value else { continue };
            bytes += name.len() + value.get().len();
            if bytes > limits.document_bytes() {
                return Err(InvalidMetadata::new(Kind::DocumentTooLarge, limits.document_bytes()));
            }
            if 1 + json::depth(value.get()) > limits.depth() {
                return Err(InvalidMetadata::new(Kind::TooDeep, limits.depth()));
            }
        }
        Ok(())
    }

    #[cfg(feature = "sqlite")]
    pub(super) fn names(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    /// The merge: the stored document with this update applied.
    ///
    /// A field that is set moves behind the fields that were left alone, as in SuperTokens.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check), and when the merged document passes a limit.
    pub fn apply(&self, stored: &Metadata, limits: &Limits) -> Result<Metadata, InvalidMetadata> {
        self.check(limits)?;
        if self.is_empty() {
            return Ok(stored.clone());
        }
        let kept = stored.fields.iter().filter(|(name, _)| !self.fields.contains_key(&***name));
        let kept = kept.map(|(name, value)| (name.clone(), value.clone()));
        let set = self.fields.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
        let mut fields = IndexMap::with_capacity(stored.fields.len() + self.fields.len());
        fields.extend(kept.chain(set));
        let merged = Metadata { fields: Arc::new(fields) };
        limits.check_sizes(merged.len(), merged.json_bytes())?;
        Ok(merged)
    }
}

impl fmt::Debug for MetadataUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let removed = self.fields.values().filter(|value| value.is_none()).count();
        f.debug_struct("MetadataUpdate")
            .field("set", &(self.fields.len() - removed))
            .field("removed", &removed)
            .field("invalid", &self.invalid)
            .finish()
    }
}

/// Builds a [`MetadataUpdate`] from a JSON object, with the syntax of [`serde_json::json!`].
///
/// ```
/// use tower_user_metadata::metadata_update;
///
/// let theme = "dark";
/// let update = metadata_update! { "theme": theme, "notifications": null };
/// assert_eq!(update.fields().count(), 2);
/// ```
#[macro_export]
macro_rules! metadata_update {
    () => { $crate::MetadataUpdate::new() };
    ($($json:tt)+) => {
        $crate::__private::update_from_object($crate::__private::json!({ $($json)+ }))
    };
}

/// Behind [`metadata_update!`]: the macro hands over an object, and a value that cannot be kept makes the update
/// invalid, as with [`MetadataUpdate::set`].
#[doc(hidden)]
#[must_use]
pub fn update_from_object(object: Value) -> MetadataUpdate {
    MetadataUpdate::from_value(&object)
        .unwrap_or_else(|invalid| MetadataUpdate { invalid: Some(invalid), ..Default::default() })
}

#[cfg(test)]
mod tests {
    use super::super::InvalidMetadataKind as Kind;
    use super::*;

    fn merged(stored: &str, update: &str) -> String {
        let stored = Metadata::from_json(stored.as_bytes()).expect("valid");
        let update = MetadataUpdate::from_json(update.as_bytes()).expect("valid");
        update.apply(&stored, &Limits::default()).expect("within limits").to_json()
    }

    #[test]
    fn the_documented_example_of_supertokens() {
        assert_eq!(
            merged(
                r#"{"preferences":{"theme":"dark"},"notifications":{"email":true},"todos":["example"]}"#,
                r#"{"notifications":{"sms":true},"todos":null}"#,
            ),
            r#"{"preferences":{"theme":"dark"},"notifications":{"sms":true}}"#,
        );
    }

    #[test]
    fn a_set_field_moves_to_the_end_and_an_untouched_one_stays() {
        assert_eq!(merged(r#"{"a":1,"b":2,"c":3}"#, r#"{"a":4}"#), r#"{"b":2,"c":3,"a":4}"#);
        assert_eq!(merged(r#"{"a":1}"#, "{}"), r#"{"a":1}"#);
        assert_eq!(merged("{}", r#"{"a":null}"#), "{}");
    }

    #[test]
    fn the_first_mistake_of_a_chain_makes_the_update_invalid() {
        let update = MetadataUpdate::new().set("a", &"\0").set("b", &1).remove("c");
        assert!(!update.is_empty());
        let error = update.apply(&Metadata::new(), &Limits::default()).expect_err("U+0000");
        assert_eq!(error.kind(), Kind::Nul);
        let macro_made = crate::metadata_update! { "a": "\0" };
        assert_eq!(macro_made.check(&Limits::default()).expect_err("U+0000").kind(), Kind::Nul);
    }

    #[test]
    fn limits_hold_for_the_merged_document() {
        let stored = Metadata::from_json(br#"{"a":"xxxxxxxxxx"}"#).expect("valid");
        let kind = |update: &str, limits: Limits| {
            let update = MetadataUpdate::from_json(update.as_bytes()).expect("valid");
            update.apply(&stored, &limits).err().map(|error| error.kind())
        };
        let limits = Limits::default();
        let exact = stored.json_bytes() + r#","b":1"#.len();
        assert_eq!(kind(r#"{"b":1}"#, limits.with_document_bytes(exact)), None);
        assert_eq!(kind(r#"{"b":1}"#, limits.with_document_bytes(exact - 1)), Some(Kind::DocumentTooLarge));
        assert_eq!(kind(r#"{"b":1}"#, limits.with_root_fields(1)), Some(Kind::TooManyFields));
        assert_eq!(kind(r#"{"a":null,"b":1}"#, limits.with_root_fields(1)), None);
        assert_eq!(kind(r#"{"bb":null}"#, limits.with_field_name_bytes(1)), Some(Kind::FieldNameTooLong));
        assert_eq!(kind(r#"{"bb":null}"#, limits.with_field_name_bytes(2)), None);
        assert_eq!(kind(r#"{"b":[[]]}"#, limits.with_depth(3)), None);
        assert_eq!(kind(r#"{"b":[[]]}"#, limits.with_depth(2)), Some(Kind::TooDeep));
    }

    /// For stores that merge in their database: what cannot fit whatever is stored is refused before it is sent, and
    /// nothing else is.
    #[test]
    fn an_update_is_within_the_limits_by_itself_or_not() {
        let update = MetadataUpdate::from_json(br#"{"some":"value","none":null,"other":"values"}"#).expect("valid");
        let bytes = update.apply(&Metadata::new(), &Limits::default()).expect("within limits").json_bytes();
        let kind = |bytes| update.check(&Limits::default().with_document_bytes(bytes)).err().map(|error| error.kind());
        assert_eq!(kind(bytes), None);
        for bytes in [bytes / 2, 10, 1, 0] {
            assert_eq!(kind(bytes), Some(Kind::DocumentTooLarge), "{bytes}");
        }
    }

    #[test]
    fn what_changes_nothing_is_empty() {
        assert!(MetadataUpdate::new().is_empty() && crate::metadata_update! {}.is_empty());
        assert!(!MetadataUpdate::new().remove("a").is_empty() && !crate::metadata_update! { "a": 1 }.is_empty());
    }
}
