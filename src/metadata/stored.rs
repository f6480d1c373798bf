//! The reader of documents that this crate wrote itself: one pass, and a copy of each field.

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::document::Metadata;
#[cfg(feature = "postgres-no-provider")]
use crate::json;

type Fields = IndexMap<Arc<str>, Arc<RawValue>>;

impl Metadata {
    /// Reads a document that [`to_json`](Self::to_json) wrote, from where it was stored: quicker, since what the strict
    /// reader looks for was looked for when the document came in. `None`: this is not such a document.
    #[cfg(any(feature = "mariadb-no-provider", feature = "redis-no-provider", feature = "sqlite"))]
    pub(crate) fn from_stored(text: &[u8]) -> Option<Self> {
        read(text, |value| Arc::from(value.to_owned())).map(|fields| Self { fields: Arc::new(fields) })
    }

    /// As `from_stored`, for the text that Postgres writes of a `jsonb`: with spaces between the tokens, which are not
    /// kept.
    #[cfg(feature = "postgres-no-provider")]
    pub(crate) fn from_jsonb(text: &[u8]) -> Option<Self> {
        read(text, without_spaces).map(|fields| Self { fields: Arc::new(fields) })
    }
}

/// The fields of a document; `None` when the text is not one JSON object, or names a field twice. `keep` copies a value.
fn read(text: &[u8], keep: fn(&RawValue) -> Arc<RawValue>) -> Option<Fields> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let fields = reader.deserialize_map(Document(keep)).ok()?;
    reader.end().ok()?;
    Some(fields)
}

/// A copy of a value without the white space between its tokens.
#[cfg(feature = "postgres-no-provider")]
fn without_spaces(value: &RawValue) -> Arc<RawValue> {
    let nested = value.get().starts_with(['{', '[']);
    // What is left is JSON still, so there is always a dense copy.
    let dense = nested.then(|| RawValue::from_string(json::compact(value.get()).into_owned()).ok()).flatten();
    Arc::from(dense.unwrap_or_else(|| value.to_owned()))
}

struct Document(fn(&RawValue) -> Arc<RawValue>);

impl<'de> Visitor<'de> for Document {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Fields, A::Error> {
        // Most documents have no more fields, and a larger one grows.
        let mut fields = Fields::with_capacity(12);
        while let Some(name) = members.next_key_seed(Name)? {
            let value = members.next_value::<&RawValue>()?;
            if fields.insert(name, (self.0)(value)).is_some() {
                return Err(A::Error::custom("a field twice"));
            }
        }
        Ok(fields)
    }
}

/// Reads a name into where it stays.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Arc<str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Arc<str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Arc<str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Arc<str>, E> {
        Ok(Arc::from(name))
    }
}

#[cfg(all(test, feature = "postgres-no-provider"))]
mod spaced {
    use crate::metadata::Metadata;

    #[test]
    fn spaces_between_tokens_are_not_kept() {
        let spaced = r#"{"a": [1, {"b c": ", : \" [ "}], "d e": "f: g, h", "i": {}}"#;
        let metadata = Metadata::from_jsonb(spaced.as_bytes()).expect("a document");
        assert_eq!(metadata.to_json(), r#"{"a":[1,{"b c":", : \" [ "}],"d e":"f: g, h","i":{}}"#);
        assert_eq!(metadata, Metadata::from_json(spaced.as_bytes()).expect("valid"));
        assert!(Metadata::from_jsonb(b"[1, 2]").is_none());
    }
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use crate::metadata::Metadata;

    #[test]
    fn what_was_written_is_read_as_the_strict_reader_reads_it() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(127), "]".repeat(127));
        for text in [
            "{}",
            r#"{"b":1e1000,"a":-0.0,"":"","n\u0001\"\\":{"x":null},"e\u0301":["\ud83d\ude00",12345678901234567890123]}"#,
            &deep,
        ] {
            let written = Metadata::from_json(text.as_bytes()).expect("valid").to_json();
            let stored = Metadata::from_stored(written.as_bytes()).expect("written by us");
            assert_eq!(stored, Metadata::from_json(written.as_bytes()).expect("valid"));
            assert_eq!(stored.to_json(), written);
        }
    }

    #[test]
    fn what_is_not_a_document_is_none() {
        for text in
            ["", "null", "[]", "\"x\"", "{", "{\"a\":", "{\"a\":1}}", "{\"a\":1,\"a\":2}", "{\"a\":1,}", "{a:1}"]
        {
            assert!(Metadata::from_stored(text.as_bytes()).is_none(), "{text}");
        }
        assert!(Metadata::from_stored(b"{\"a\":\"\xff\"}").is_none());
        assert!(Metadata::from_stored(b"{\"\xff\":1}").is_none());
    }
}
