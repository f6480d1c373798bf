use super::error::{InvalidMetadata, InvalidMetadataKind};
use super::rules::DEPTH_CAP;

/// How much one user may keep; checked on each update and again on the merged document, inside the write.
///
/// ```
/// use tower_user_metadata::{Limits, Metadata, MetadataUpdate};
///
/// let limits = Limits::default().with_document_bytes(16);
/// let update = MetadataUpdate::new().set("note", &"longer than sixteen bytes");
/// assert!(update.apply(&Metadata::new(), &limits).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    document_bytes: usize,
    root_fields: usize,
    field_name_bytes: usize,
    depth: usize,
}

impl Limits {
    /// The size of the merged document as compact JSON, in bytes. Default 65,536: a document is read and written
    /// whole, and travels with requests.
    #[must_use]
    pub fn document_bytes(&self) -> usize {
        self.document_bytes
    }

    /// The number of root fields of the merged document. Default 1,000.
    #[must_use]
    pub fn root_fields(&self) -> usize {
        self.root_fields
    }

    /// The length of the name of a root field, in bytes of UTF-8. Default 256.
    #[must_use]
    pub fn field_name_bytes(&self) -> usize {
        self.field_name_bytes
    }

    /// The levels of nesting, the root object being the first. Default 64, at most 128: deeper texts exhaust the
    /// stack of many a JSON parser that may read them later.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Sets [`document_bytes`](Self::document_bytes).
    #[must_use]
    pub fn with_document_bytes(mut self, bytes: usize) -> Self {
        self.document_bytes = bytes;
        self
    }

    /// Sets [`root_fields`](Self::root_fields).
    #[must_use]
    pub fn with_root_fields(mut self, fields: usize) -> Self {
        self.root_fields = fields;
        self
    }

    /// Sets [`field_name_bytes`](Self::field_name_bytes).
    #[must_use]
    pub fn with_field_name_bytes(mut self, bytes: usize) -> Self {
        self.field_name_bytes = bytes;
        self
    }

    /// Sets [`depth`](Self::depth); more than 128 counts as 128.
    #[must_use]
    pub fn with_depth(mut self, levels: usize) -> Self {
        self.depth = levels.min(DEPTH_CAP);
        self
    }

    pub(super) fn check_sizes(&self, fields: usize, bytes: usize) -> Result<(), InvalidMetadata> {
        use InvalidMetadataKind as Kind;
        if fields > self.root_fields {
            return Err(InvalidMetadata::new(Kind::TooManyFields, self.root_fields));
        }
        if bytes > self.document_bytes {
            return Err(InvalidMetadata::new(Kind::DocumentTooLarge, self.document_bytes));
        }
        Ok(())
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { document_bytes: 64 * 1024, root_fields: 1_000, field_name_bytes: 256, depth: 64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_the_one_that_was_set() {
        let told =
            |limits: Limits| [limits.document_bytes(), limits.root_fields(), limits.field_name_bytes(), limits.depth()];
        assert_eq!(told(Limits::default()), [65_536, 1_000, 256, 64]);
        let set = Limits::default().with_document_bytes(5).with_root_fields(6).with_field_name_bytes(7).with_depth(8);
        assert_eq!(told(set), [5, 6, 7, 8]);
        assert_eq!(Limits::default().with_depth(usize::MAX).depth(), 128);
    }
}
