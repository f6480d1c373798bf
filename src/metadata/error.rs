use std::fmt;

use super::rules::RULES;
use crate::json::{Fault, JsonError};

/// A document or an update that cannot be kept; nothing was stored or changed.
///
/// The text never repeats what was sent, so it may be shown to the client that sent it.
///
/// ```
/// use tower_user_metadata::{InvalidMetadataKind, MetadataUpdate};
///
/// let error = MetadataUpdate::from_json(b"[1]").unwrap_err();
/// assert_eq!(error.kind(), InvalidMetadataKind::NotAnObject);
/// assert_eq!(error.to_string(), "metadata must be a JSON object");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidMetadata {
    kind: InvalidMetadataKind,
    number: usize,
}

impl InvalidMetadata {
    pub(crate) fn new(kind: InvalidMetadataKind, number: usize) -> Self {
        Self { kind, number }
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> InvalidMetadataKind {
        self.kind
    }

    /// The limit that was passed, in the unit of its kind (bytes, fields or levels); `None` for other kinds.
    #[must_use]
    pub fn limit(&self) -> Option<usize> {
        use InvalidMetadataKind as Kind;
        matches!(self.kind, Kind::DocumentTooLarge | Kind::TooManyFields | Kind::FieldNameTooLong | Kind::TooDeep)
            .then_some(self.number)
    }
}

/// The rule that a document or an update breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InvalidMetadataKind {
    /// Not JSON (RFC 8259), or more than one JSON text.
    Syntax,
    /// Not UTF-8.
    NotUtf8,
    /// JSON, but not an object.
    NotAnObject,
    /// Two members of one object have the same name, so which of them counts would be up to the reader.
    DuplicateField,
    /// A string with half of a surrogate pair: it has no UTF-8 form.
    LoneSurrogate,
    /// A string or a name with U+0000.
    Nul,
    /// A number with a digit beyond 10^±1000.
    NumberOutOfRange,
    /// Nested more deeply than [`Limits::depth`](super::Limits::depth).
    TooDeep,
    /// More root fields than [`Limits::root_fields`](super::Limits::root_fields).
    TooManyFields,
    /// A root field with a name longer than [`Limits::field_name_bytes`](super::Limits::field_name_bytes).
    FieldNameTooLong,
    /// A document that would be larger than [`Limits::document_bytes`](super::Limits::document_bytes).
    DocumentTooLarge,
    /// A value of the application that `serde_json` cannot write, for example a map with keys that are not strings.
    Unserializable,
}

impl fmt::Display for InvalidMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use InvalidMetadataKind as Kind;
        let number = self.number;
        match self.kind {
            Kind::Syntax => write!(f, "metadata is not valid JSON at byte {number}"),
            Kind::NotUtf8 => write!(f, "metadata is not valid UTF-8 at byte {number}"),
            Kind::NotAnObject => f.write_str("metadata must be a JSON object"),
            Kind::DuplicateField => write!(f, "metadata has two fields of one name at byte {number}"),
            Kind::LoneSurrogate => write!(f, "metadata has a lone surrogate at byte {number}"),
            Kind::Nul => write!(f, "metadata has the character U+0000 at byte {number}"),
            Kind::NumberOutOfRange => write!(f, "metadata has a number out of range at byte {number}"),
            Kind::TooDeep => write!(f, "metadata is nested more than {number} levels deep"),
            Kind::TooManyFields => write!(f, "metadata has more than {number} root fields"),
            Kind::FieldNameTooLong => write!(f, "metadata has a field name of more than {number} bytes"),
            Kind::DocumentTooLarge => write!(f, "metadata is larger than {number} bytes"),
            Kind::Unserializable => f.write_str("a value cannot be written as JSON"),
        }
    }
}

impl std::error::Error for InvalidMetadata {}

impl From<JsonError> for InvalidMetadata {
    fn from(error: JsonError) -> Self {
        use InvalidMetadataKind as Kind;
        let kind = match error.fault {
            Fault::NotUtf8 => Kind::NotUtf8,
            Fault::Syntax => Kind::Syntax,
            Fault::NotAnObject => Kind::NotAnObject,
            Fault::DuplicateMember => Kind::DuplicateField,
            Fault::LoneSurrogate => Kind::LoneSurrogate,
            Fault::Nul => Kind::Nul,
            Fault::NumberOutOfRange => Kind::NumberOutOfRange,
            Fault::TooDeep => return Self::new(Kind::TooDeep, RULES.depth),
        };
        Self::new(kind, error.at)
    }
}
