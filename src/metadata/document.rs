use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::de::DeserializeOwned;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::error::{InvalidMetadata, InvalidMetadataKind};
use super::rules::RULES;
use crate::json::{self, WrongType};

/// The document of one user: a JSON object whose root fields are raw JSON text, in order.
///
/// Cheap to clone. `Debug` prints the number of fields and never a name or a value, since documents hold personal
/// data.
///
/// ```
/// use tower_user_metadata::Metadata;
///
/// let metadata = Metadata::from_json(br#"{"theme":"dark","balance":0.10000000000000000000001}"#)?;
/// assert_eq!(metadata.get::<String>("theme")?, Some("dark".to_owned()));
/// assert_eq!(metadata.get::<bool>("newsletter")?, None);
/// // Every digit is kept.
/// assert_eq!(metadata.get_raw("balance"), Some("0.10000000000000000000001"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Metadata {
    pub(super) fields: Arc<IndexMap<Arc<str>, Arc<RawValue>>>,
}

impl Metadata {
    /// A document without fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a document from JSON bytes, strictly; white space between tokens is not kept.
    ///
    /// # Errors
    ///
    /// See [`InvalidMetadataKind`] for what is refused. Of the [`Limits`](super::Limits) only the depth cap of 128
    /// is checked here, the others belong to a store.
    pub fn from_json(text: &[u8]) -> Result<Self, InvalidMetadata> {
        let members = json::read_object(text, RULES)?;
        let fields = members
            .into_iter()
            .map(|(name, value)| Ok((Arc::from(name), raw(value)?)))
            .collect::<Result<_, InvalidMetadata>>()?;
        Ok(Self { fields: Arc::new(fields) })
    }

    /// Reads a document from a `serde_json` value. Numbers are as exact as `value` holds them.
    ///
    /// # Errors
    ///
    /// As [`from_json`](Self::from_json).
    pub fn from_value(value: &Value) -> Result<Self, InvalidMetadata> {
        Self::from_serialize(value)
    }

    /// Reads a document from anything that serialises to a JSON object.
    ///
    /// # Errors
    ///
    /// As [`from_json`](Self::from_json), and [`InvalidMetadataKind::Unserializable`].
    pub fn from_serialize<T: Serialize + ?Sized>(value: &T) -> Result<Self, InvalidMetadata> {
        Self::from_json(&to_json(value)?)
    }

    /// The number of root fields.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are no fields.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The root fields in order: names, and values as raw JSON text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.fields.iter().map(|(name, value)| (&**name, &**value))
    }

    /// A root field as raw JSON text.
    #[must_use]
    pub fn get_raw(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(|value| value.get())
    }

    /// A root field as a `T`; `None` when there is no such field.
    ///
    /// # Errors
    ///
    /// The field is there and is not a `T`.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, WrongType> {
        self.get_raw(name).map(json::typed).transpose()
    }

    /// The whole document as a `T`.
    ///
    /// # Errors
    ///
    /// The document is not a `T`.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, WrongType> {
        json::typed(&self.to_json())
    }

    /// The whole document as a `serde_json` value; numbers past 64 bits are rounded to `f64`.
    ///
    /// # Errors
    ///
    /// A number is past the range of `f64`, for example `1e400`: `Value` cannot hold it.
    pub fn to_value(&self) -> Result<Value, WrongType> {
        self.to()
    }

    /// The document as compact JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::with_capacity(self.json_bytes());
        out.push('{');
        for (at, (name, value)) in self.fields.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            write_name(name, &mut out);
            out.push(':');
            out.push_str(value.get());
        }
        out.push('}');
        out
    }

    /// The length of [`to_json`](Self::to_json), in bytes, without building it.
    #[must_use]
    pub fn json_bytes(&self) -> usize {
        let fields = self.fields.iter().map(|(name, value)| name_bytes(name) + 1 + value.get().len());
        2 + fields.sum::<usize>() + self.fields.len().saturating_sub(1)
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metadata").field("fields", &self.fields.len()).finish_non_exhaustive()
    }
}

/// Equal when the same fields have the same values as raw text, in any order.
impl PartialEq for Metadata {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(name, value)| other.get_raw(name) == Some(value.get()))
    }
}

impl Eq for Metadata {}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.fields.len()))?;
        for (name, value) in self.fields.iter() {
            map.serialize_entry(&**name, &**value)?;
        }
        map.end()
    }
}

pub(super) fn raw(value: &str) -> Result<Arc<RawValue>, InvalidMetadata> {
    // The strict reader took the text already, so this can fail only where the two disagree: fail closed.
    RawValue::from_string(json::compact(value).into_owned())
        .map(Arc::from)
        .map_err(|_| InvalidMetadata::new(InvalidMetadataKind::Syntax, 0))
}

pub(super) fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, InvalidMetadata> {
    serde_json::to_vec(value).map_err(|_| InvalidMetadata::new(InvalidMetadataKind::Unserializable, 0))
}

pub(super) fn write_name(name: &str, out: &mut String) {
    if name_bytes(name) == name.len() + 2 {
        out.push('"');
        out.push_str(name);
        out.push('"');
    } else {
        out.push_str(&Value::from(name).to_string());
    }
}

/// The length of a name as a JSON string as `serde_json` writes it.
fn name_bytes(name: &str) -> usize {
    let escaped = name.bytes().map(|byte| match byte {
        b'"' | b'\\' | 0x08 | 0x09 | 0x0a | 0x0c | 0x0d => 2,
        0x00..=0x1f => 6,
        _ => 1,
    });
    2 + escaped.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_written_as_it_was_read_without_white_space() {
        let text = "{ \"b\" : [1, 2.0, -0.0, 1e400 ], \"a\\n\\u0001\\\"\" : { \"n\" : null }, \"é\":0 }";
        let metadata = Metadata::from_json(text.as_bytes()).expect("valid");
        let written = metadata.to_json();
        assert_eq!(written, "{\"b\":[1,2.0,-0.0,1e400],\"a\\n\\u0001\\\"\":{\"n\":null},\"é\":0}");
        assert_eq!(written.len(), metadata.json_bytes());
        assert_eq!(serde_json::to_string(&metadata).expect("raw"), written);
        assert_eq!(Metadata::from_json(written.as_bytes()), Ok(metadata));
    }

    #[test]
    fn documents_are_equal_in_any_order_and_by_every_digit() {
        let document = |text: &str| Metadata::from_json(text.as_bytes()).expect("valid");
        assert_eq!(document(r#"{"a":1,"b":2}"#), document(r#"{"b":2,"a":1}"#));
        for other in
            [r#"{"a":1}"#, r#"{"a":1,"b":3}"#, r#"{"a":1,"c":2}"#, r#"{"a":1,"b":2.0}"#, r#"{"a":1,"b":2,"c":3}"#]
        {
            assert_ne!(document(r#"{"a":1,"b":2}"#), document(other));
            assert_ne!(document(other), document(r#"{"a":1,"b":2}"#));
        }
    }

    #[test]
    fn values_become_documents_and_documents_values() {
        let value = serde_json::json!({ "a": [1, null], "b": { "c": "x" } });
        let document = Metadata::from_value(&value).expect("an object");
        assert_eq!(document.to_json(), value.to_string());
        assert_eq!(document.to_value().expect("in range"), value);
        assert_eq!(document.to::<std::collections::BTreeMap<String, Value>>().expect("an object").len(), 2);
        assert_eq!(document.get::<Value>("b").expect("typed"), Some(value["b"].clone()));
        assert_eq!(document.get::<Value>("c").expect("typed"), None);
        assert!(document.get::<u8>("b").is_err());
        assert_eq!((document.len(), document.is_empty(), Metadata::new().is_empty()), (2, false, true));
        assert!(Metadata::from_value(&Value::Null).is_err() && Metadata::from_serialize(&[1]).is_err());
        assert!(Metadata::from_json(br#"{"a":1e400}"#).expect("valid").to_value().is_err());
    }

    #[test]
    fn debug_tells_no_content() {
        let metadata = Metadata::from_json(br#"{"secret-name":"secret-value"}"#).expect("valid");
        assert_eq!(format!("{metadata:?}"), "Metadata { fields: 1, .. }");
    }
}
