//! An update as the statements need it: the fields to set as one document, the names to remove, and what it weighs.

use crate::metadata::{InvalidMetadata, InvalidMetadataKind, Limits, Metadata, MetadataUpdate};

/// The most that a weight or a limit counts for: sums of two are within `integer`, and no `jsonb` is larger.
const MOST: i32 = 1_000_000_000;

/// What an update changes.
#[derive(Clone, Debug)]
pub(super) struct Change {
    set: Metadata,
    /// `set` as JSON.
    pub(super) json: String,
    /// The names to remove.
    pub(super) removed: Vec<Box<str>>,
}

impl Change {
    /// Fails when the update by itself passes a limit: then what it is merged into does not matter.
    pub(super) fn new(update: &MetadataUpdate, limits: &Limits) -> Result<Self, InvalidMetadata> {
        let set = update.apply(&Metadata::new(), limits)?;
        let json = set.to_json();
        let removed = update.fields().filter(|(_, value)| value.is_none()).map(|(name, _)| name.into()).collect();
        Ok(Self { set, json, removed })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.set.is_empty() && self.removed.is_empty()
    }

    /// At least what this adds to a document, and at least what it is as a document of its own.
    pub(super) fn weight(&self) -> Weight {
        // `jsonb` writes numbers with an exponent out, to at most 1,000 digits on one side of the point by the rules of
        // this crate; everything else gets shorter or stays.
        let bytes = self.json.len() + 1_010 * exponents(&self.json);
        Weight { bytes: count(bytes), fields: count(self.set.len()) }
    }

    /// Why the merge of this into a document passes the limits; it is known that it does.
    pub(super) fn excess(&self, stored: &Metadata, limits: &Limits) -> InvalidMetadata {
        let touched = |name: &str| self.set.get_raw(name).is_some() || self.removed.iter().any(|gone| &**gone == name);
        let kept = stored.iter().filter(|(name, _)| !touched(name)).count();
        if kept + self.set.len() > limits.root_fields() {
            InvalidMetadata::new(InvalidMetadataKind::TooManyFields, limits.root_fields())
        } else {
            InvalidMetadata::new(InvalidMetadataKind::DocumentTooLarge, limits.document_bytes())
        }
    }
}

/// Bytes of compact JSON and root fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Weight {
    pub(super) bytes: i32,
    pub(super) fields: i32,
}

impl Weight {
    pub(super) fn limit(limits: &Limits) -> Self {
        Self { bytes: count(limits.document_bytes()), fields: count(limits.root_fields()) }
    }

    pub(super) fn within(self, limit: Self) -> bool {
        self.bytes <= limit.bytes && self.fields <= limit.fields
    }
}

fn count(number: usize) -> i32 {
    i32::try_from(number).map_or(MOST, |number| number.min(MOST))
}

/// The numbers with an exponent in a JSON text.
fn exponents(json: &str) -> usize {
    let (mut found, mut before, mut in_string, mut escaped) = (0, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'e' | b'E' if !in_string && u8::is_ascii_digit(&before) => found += 1,
            _ => {}
        }
        before = byte;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(json: &str) -> Change {
        let update = MetadataUpdate::from_json(json.as_bytes()).expect("an update");
        Change::new(&update, &Limits::default()).expect("within the limits")
    }

    #[test]
    fn an_update_falls_into_what_is_set_and_what_is_removed() {
        let both = change(r#"{"a":1,"b":null,"c":{"d":null}}"#);
        assert_eq!(both.json, r#"{"a":1,"c":{"d":null}}"#);
        assert_eq!(both.removed, [Box::<str>::from("b")]);
        assert!(!both.is_empty() && !change(r#"{"b":null}"#).is_empty() && change("{}").is_empty());
    }

    #[test]
    fn only_numbers_with_an_exponent_weigh_more_than_they_are_long() {
        for (json, many) in [
            (r#"{"a":true,"b":false,"c":[1.5,-0.25],"d":"1e5 \" 2e7"}"#, 0),
            (r#"{"a":1e5,"b":[-2.5E-7,{"1e1":"\\"}],"c":"\\\"3e3","d":0e0}"#, 3),
        ] {
            assert_eq!(exponents(json), many, "{json}");
            let weight = change(json).weight();
            assert_eq!(weight.bytes as usize, json.len() + 1_010 * many);
        }
        assert_eq!(change("{}").weight(), Weight { bytes: 2, fields: 0 });
    }

    #[test]
    fn limits_past_what_a_jsonb_may_be_are_none() {
        let limit = Weight::limit(&Limits::default().with_document_bytes(usize::MAX));
        assert!(limit.bytes.checked_add(count(usize::MAX)).is_some());
    }

    #[test]
    fn the_excess_is_told_as_the_merge_tells_it() {
        let limits = Limits::default().with_root_fields(2).with_document_bytes(20);
        let kind = |stored: &str, update: &str| {
            let stored = Metadata::from_json(stored.as_bytes()).expect("valid");
            let update = MetadataUpdate::from_json(update.as_bytes()).expect("valid");
            let merged = update.apply(&stored, &limits).expect_err("past a limit");
            let told = Change::new(&update, &limits).expect("within the limits").excess(&stored, &limits);
            assert_eq!(told, merged);
            told.kind()
        };
        assert_eq!(kind(r#"{"a":1,"b":2}"#, r#"{"c":3}"#), InvalidMetadataKind::TooManyFields);
        assert_eq!(kind(r#"{"a":1,"b":"xxxxxxx"}"#, r#"{"a":12}"#), InvalidMetadataKind::DocumentTooLarge);
        assert_eq!(kind(r#"{"a":1,"b":2}"#, r#"{"b":null,"c":"xxxxxxxx"}"#), InvalidMetadataKind::DocumentTooLarge);
    }
}
