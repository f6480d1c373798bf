use std::fmt;

use serde::de::DeserializeOwned;

/// A value is there, and it is not of the type that was asked for.
///
/// Names the type and the place, and never what stands there: claims and documents are personal data, and errors end
/// up in logs.
///
/// ```
/// use tower_user_metadata::Metadata;
///
/// let metadata = Metadata::from_json(br#"{"age":"forty-two"}"#)?;
/// let error = metadata.get::<u8>("age").unwrap_err();
/// assert_eq!(error.to_string(), "the value is not a u8: line 1, column 11");
/// # Ok::<(), tower_user_metadata::InvalidMetadata>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongType {
    expected: &'static str,
    line: usize,
    column: usize,
}

impl WrongType {
    /// The line of the value at which it was seen, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column of the value at which it was seen, from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }
}

impl fmt::Display for WrongType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the value is not a {}: line {}, column {}", self.expected, self.line, self.column)
    }
}

impl std::error::Error for WrongType {}

/// Reads a value that is JSON already.
pub(crate) fn typed<T: DeserializeOwned>(json: &str) -> Result<T, WrongType> {
    // The text of the error repeats the value, so only the place is kept.
    serde_json::from_str(json).map_err(|error| WrongType {
        expected: std::any::type_name::<T>(),
        line: error.line(),
        column: error.column(),
    })
}
