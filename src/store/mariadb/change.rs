//! An update as the merge in SQL takes it, and a document as it is stored.

use std::fmt::Write;

use crate::metadata::{Metadata, MetadataUpdate};

/// The longest names, together, that are searched for in SQL: the server's library of regular expressions takes
/// patterns up to some size, and some limit there must be.
const MOST_PATTERN_BYTES: usize = 4_096;

/// An update to merge in SQL.
pub(super) struct Change {
    /// Finds the line of each field that the update sets or removes, and the comma that stands alone before a document
    /// without fields.
    pub(super) pattern: String,
    /// A line for each field to set.
    pub(super) lines: String,
    /// The number of those.
    pub(super) fields: usize,
}

impl Change {
    /// `alone` is the update merged into nothing. `None`: the update names too much for one search.
    pub(super) fn new(update: &MetadataUpdate, alone: &Metadata) -> Option<Self> {
        let names = update.fields().map(|(name, _)| name.len() + 4).sum::<usize>();
        if names > MOST_PATTERN_BYTES {
            return None;
        }
        Some(Self { pattern: pattern(update), lines: lines(alone), fields: alone.len() })
    }
}

/// A document as it is stored: JSON, with a line break behind each field. No value and no name holds one, since JSON
/// escapes it in strings and documents have no white space elsewhere.
pub(super) fn document(metadata: &Metadata) -> String {
    let lines = lines(metadata);
    format!("{{{}}}", lines.get(1..).unwrap_or_default())
}

/// The fields, each as a comma, name, colon, value and line break.
fn lines(metadata: &Metadata) -> String {
    let mut lines = String::with_capacity(metadata.json_bytes() + metadata.len());
    for (name, value) in metadata.iter() {
        lines.push(',');
        lines.push_str(&name_in_json(name));
        lines.push(':');
        lines.push_str(value.get());
        lines.push('\n');
    }
    lines
}

/// A name has one spelling in stored documents, so text finds it.
fn name_in_json(name: &str) -> String {
    serde_json::Value::from(name).to_string()
}

/// A line is found by its beginning: behind a line break or the start, a comma, the name and a colon. Everything of a
/// name but ASCII letters and digits is written as a number, so that no name means anything to the expression.
fn pattern(update: &MetadataUpdate) -> String {
    let mut pattern = String::from(r"(?<![^\n]),(?:");
    for (at, (name, _)) in update.fields().enumerate() {
        if at > 0 {
            pattern.push('|');
        }
        for character in name_in_json(name).chars() {
            if character.is_ascii_alphanumeric() {
                pattern.push(character);
            } else {
                // Writing to a string cannot fail.
                let _ = write!(pattern, r"\x{{{:x}}}", u32::from(character));
            }
        }
    }
    pattern.push_str(r"):[^\n]*\n|\A,\z");
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Limits;

    fn alone(update: &MetadataUpdate) -> Metadata {
        update.apply(&Metadata::new(), &Limits::default()).expect("within the limits")
    }

    #[test]
    fn a_document_has_a_field_a_line_and_is_json() {
        assert_eq!(document(&Metadata::new()), "{}");
        let metadata = Metadata::from_json("{\"a\\n\":[1, 2],\n\"\":\"x\\ny\",\"é\":1e400}".as_bytes()).expect("valid");
        let stored = document(&metadata);
        assert_eq!(stored, "{\"a\\n\":[1,2]\n,\"\":\"x\\ny\"\n,\"é\":1e400\n}");
        assert_eq!(stored.matches('\n').count(), metadata.len());
        assert_eq!(Metadata::from_stored(stored.as_bytes()), Some(metadata));
    }

    #[test]
    fn no_name_means_anything_to_the_expression() {
        let update = MetadataUpdate::new().set("a.*|b", &1).remove("\\E\"\u{1f600}").remove("");
        let change = Change::new(&update, &alone(&update)).expect("small");
        let names =
            [r"\x{22}a\x{2e}\x{2a}\x{7c}b\x{22}", r"\x{22}\x{5c}\x{5c}E\x{5c}\x{22}\x{1f600}\x{22}", r"\x{22}\x{22}"];
        assert_eq!(change.pattern, format!(r"(?<![^\n]),(?:{}):[^\n]*\n|\A,\z", names.join("|")));
        assert_eq!((change.lines.as_str(), change.fields), (",\"a.*|b\":1\n", 1));
    }

    #[test]
    fn what_names_too_much_is_not_searched_for() {
        let many = (0..1_000).fold(MetadataUpdate::new(), |update, n| update.set(&n.to_string(), &n));
        assert!(Change::new(&many, &alone(&many)).is_none());
    }
}
