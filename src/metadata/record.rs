use std::fmt;
use std::str::FromStr;

use super::Metadata;

/// A document together with the version that it has in its store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The document.
    pub metadata: Metadata,
    /// The version that this document has, and no other document of this user ever had.
    pub version: Version,
}

/// The version of a stored document: opaque, compared only for equality.
///
/// A store never gives a user the same version twice, not even after the document was cleared and written again. So two
/// equal versions prove that the document has not changed in between. `Display` writes 16 hexadecimal digits, the form that an
/// `ETag` carries; `FromStr` reads them back.
///
/// ```
/// use tower_user_metadata::Version;
///
/// let version: Version = "00000000000000ff".parse()?;
/// assert_eq!(version, Version::from_bits(255));
/// assert_eq!(version.to_string(), "00000000000000ff");
/// # Ok::<(), tower_user_metadata::InvalidVersion>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version(u64);

impl Version {
    /// A version that was kept as a number.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The version as a number, to keep it in a column or a field.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// A version from the random numbers of the operating system, for stores that have no sequence of their own.
    ///
    /// # Errors
    ///
    /// The operating system has no randomness to give.
    pub fn random() -> Result<Self, std::io::Error> {
        getrandom::u64().map(Self).map_err(Into::into)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Version {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // One spelling a version: `from_str_radix` alone would take a sign and capitals as well.
        let strict = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let bits = strict.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        bits.map(Self).ok_or(InvalidVersion(()))
    }
}

/// A text that is not a [`Version`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a version is 16 hexadecimal digits")]
pub struct InvalidVersion(());

/// The condition on the stored document under which a write happens. The store checks it inside the write.
///
/// ```
/// use tower_user_metadata::{Precondition, Version};
///
/// let seen = Version::from_bits(7);
/// assert!(Precondition::Version(seen).holds(Some(seen)));
/// assert!(!Precondition::Version(seen).holds(None));
/// assert!(Precondition::Absent.holds(None));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Precondition {
    /// Nothing: the write happens whatever is stored.
    #[default]
    None,
    /// The user has a document (`If-Match: *`).
    Exists,
    /// The user has no document (`If-None-Match: *`).
    Absent,
    /// The user has a document, and it has this version (`If-Match: "…"`).
    Version(Version),
}

impl Precondition {
    /// Whether the precondition holds of a document with this version; `None` is a user without a document.
    #[must_use]
    pub fn holds(&self, current: Option<Version>) -> bool {
        match self {
            Self::None => true,
            Self::Exists => current.is_some(),
            Self::Absent => current.is_none(),
            Self::Version(version) => current == Some(*version),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_has_one_spelling() {
        for bits in [0, 255, u64::MAX] {
            let version = Version::from_bits(bits);
            assert_eq!(version.to_string().parse(), Ok(version));
        }
        for other in [
            "",
            "ff",
            "+0000000000000ff",
            "00000000000000FF",
            "000000000000000ff",
            " 00000000000000f",
            "000000000000000g",
        ] {
            assert_eq!(other.parse::<Version>(), Err(InvalidVersion(())), "{other:?}");
        }
    }
}
