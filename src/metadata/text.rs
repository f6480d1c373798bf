//! The merge of a document as text, which copies no field by itself: for a thread through which all updates go.

use std::borrow::Cow;
use std::fmt;

use indexmap::IndexMap;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::document::write_name;
use super::{InvalidMetadata, Limits, MetadataUpdate};

/// A document that [`to_json`](super::Metadata::to_json) wrote.
#[derive(Default)]
pub(crate) struct Text<'a> {
    fields: IndexMap<Cow<'a, str>, &'a RawValue>,
    bytes: usize,
}

impl<'a> Text<'a> {
    /// `None`: this is not such a document.
    pub(crate) fn read(text: &'a [u8]) -> Option<Self> {
        let mut reader = serde_json::Deserializer::from_slice(text);
        let fields = reader.deserialize_map(Document).ok()?;
        reader.end().ok()?;
        Some(Self { fields, bytes: text.len() })
    }

    /// What [`to_json`](super::Metadata::to_json) writes of what [`apply`](MetadataUpdate::apply) gives.
    pub(crate) fn merge(&self, update: &MetadataUpdate, limits: &Limits) -> Result<String, InvalidMetadata> {
        update.check(limits)?;
        let changes = update.fields().map(|(name, value)| name.len() + 4 + value.map_or(0, |value| value.get().len()));
        let mut merged = String::with_capacity(self.bytes + 2 + changes.sum::<usize>());
        let kept = self.fields.iter().filter(|(name, _)| !update.names(name));
        let kept = kept.map(|(name, value)| (&**name, *value));
        let set = update.fields().filter_map(|(name, value)| Some((name, value?)));
        let mut fields = 0;
        for (name, value) in kept.chain(set) {
            merged.push(if fields == 0 { '{' } else { ',' });
            fields += 1;
            write_name(name, &mut merged);
            merged.push(':');
            merged.push_str(value.get());
        }
        merged.push_str(if fields == 0 { "{}" } else { "}" });
        if !update.is_empty() {
            limits.check_sizes(fields, merged.len())?;
        }
        Ok(merged)
    }
}

struct Document;

impl<'de> Visitor<'de> for Document {
    type Value = IndexMap<Cow<'de, str>, &'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut fields = IndexMap::with_capacity(12);
        while let Some(name) = members.next_key_seed(Name)? {
            if fields.insert(name, members.next_value::<&RawValue>()?).is_some() {
                return Err(A::Error::custom("a field twice"));
            }
        }
        Ok(fields)
    }
}

/// Reads a name where it stands, or a copy of one that is written with escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Metadata;

    #[test]
    fn a_merge_of_text_is_the_merge_of_fields() {
        let documents = ["{}", r#"{"a":1}"#, r#"{"b":1e1000,"":"","n\u0001\"\\":{"x":null},"a":-0.0,"é":[[],{}]}"#];
        let updates = [
            "{}",
            r#"{"a":null}"#,
            r#"{"a":[null],"c":"\u0001"}"#,
            r#"{"n\u0001\"\\":null,"":null,"\u00e9":2,"z\n":{}}"#,
        ];
        for document in documents {
            for update in updates {
                let stored = Metadata::from_json(document.as_bytes()).expect("valid").to_json();
                let update = MetadataUpdate::from_json(update.as_bytes()).expect("valid");
                for (bytes, fields) in [(1_000, 1_000), (1_000, 2), (25, 1_000), (2, 1), (0, 0)] {
                    let limits = Limits::default().with_document_bytes(bytes).with_root_fields(fields);
                    let stored_fields = Metadata::from_stored(stored.as_bytes()).expect("written by us");
                    let expected = update.apply(&stored_fields, &limits).map(|merged| merged.to_json());
                    let merged = Text::read(stored.as_bytes()).expect("written by us").merge(&update, &limits);
                    assert_eq!(merged.map_err(|error| error.kind()), expected.map_err(|error| error.kind()));
                }
            }
        }
    }

    #[test]
    fn what_is_not_a_document_is_none() {
        let texts = ["", "null", "[]", "{", "{\"a\":1}}", "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "{a:1}"];
        for text in texts {
            assert!(Text::read(text.as_bytes()).is_none(), "{text}");
        }
        assert!(Text::read(b"{\"a\":\"\xff\"}").is_none());
        assert!(Text::read(b"{\"\xff\":1}").is_none());
    }
}
