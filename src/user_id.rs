use std::fmt;
use std::sync::Arc;

/// The id of one user, byte for byte as the session names it.
///
/// Ids are compared as bytes: no trimming, no case folding, no Unicode normalisation, so `"a"`, `"A"` and `"a "` can
/// never be the same user. `Debug` does not print the id, since logs outlive accounts.
///
/// ```
/// use tower_user_metadata::UserId;
///
/// let user = UserId::new("7b1f0a8e-alice")?;
/// assert_eq!(user.as_str(), "7b1f0a8e-alice");
/// assert_eq!(format!("{user:?}"), "UserId(..)");
/// assert!(UserId::new(" alice").is_err());
/// # Ok::<(), tower_user_metadata::InvalidUserId>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(Arc<str>);

impl UserId {
    /// The longest id, in characters: as long as OpenID Connect Core 1.0 section 2 allows `sub` to be. SuperTokens keeps
    /// 128 characters, so its sessions have no longer ids.
    pub const MAX_CHARS: usize = 255;

    /// Takes an id as it is, or refuses it.
    ///
    /// # Errors
    ///
    /// An id is refused when it is empty, longer than [`MAX_CHARS`](Self::MAX_CHARS) characters, begins or ends with
    /// white space (the Node SDK of SuperTokens trims, which would make two users one), or holds a control character
    /// (U+0000 cannot be stored everywhere; the others forge log lines and headers).
    pub fn new(id: impl Into<Arc<str>>) -> Result<Self, InvalidUserId> {
        let id = id.into();
        // What nearly every id is made of. No early end, so that many bytes are looked at at once.
        let graphic = id.bytes().fold(true, |graphic, byte| graphic & byte.is_ascii_graphic());
        let problem = if graphic && (1..=Self::MAX_CHARS).contains(&id.len()) {
            None
        } else if id.is_empty() {
            Some(InvalidUserId::Empty)
        } else if id.len() > Self::MAX_CHARS && id.chars().count() > Self::MAX_CHARS {
            Some(InvalidUserId::TooLong)
        } else if id.chars().any(char::is_control) {
            Some(InvalidUserId::ControlCharacter)
        } else if id.starts_with(char::is_whitespace) || id.ends_with(char::is_whitespace) {
            Some(InvalidUserId::Padded)
        } else {
            None
        };
        match problem {
            Some(problem) => Err(problem),
            None => Ok(Self(id)),
        }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Anything that has a user id: a handle keeps it, for example the session, and so needs no copy of the id.
pub(crate) trait HasUserId: Send + Sync {
    fn user_id(&self) -> &UserId;
}

impl HasUserId for UserId {
    fn user_id(&self) -> &UserId {
        self
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserId(..)")
    }
}

/// Why a text is not a [`UserId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidUserId {
    /// The text is empty.
    #[error("a user id must not be empty")]
    Empty,
    /// The text has more than [`UserId::MAX_CHARS`] characters.
    #[error("a user id has at most {} characters", UserId::MAX_CHARS)]
    TooLong,
    /// The text holds a control character, for example U+0000 or a line break.
    #[error("a user id must not hold control characters")]
    ControlCharacter,
    /// The text begins or ends with white space.
    #[error("a user id must not begin or end with white space")]
    Padded,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_taken_whole_or_refused() {
        for id in ["A", "e\u{301}", "\u{130}", "%", "..", "null", "a+b", "\u{200b}", "\u{202e}a", "a b"] {
            assert_eq!(UserId::new(id).map(|user| user.as_str().to_owned()), Ok(id.to_owned()));
        }
        assert!(UserId::new("\u{1f600}".repeat(255)).is_ok());
        assert_eq!(UserId::new(""), Err(InvalidUserId::Empty));
        assert_eq!(UserId::new("u".repeat(256)), Err(InvalidUserId::TooLong));
        for id in ["a\0", "a\r\n", "a\tb", "\u{1b}[31m", "a\u{85}b"] {
            assert_eq!(UserId::new(id), Err(InvalidUserId::ControlCharacter), "{id:?}");
        }
        for id in [" a", "a ", "\u{a0}a", "a\u{3000}"] {
            assert_eq!(UserId::new(id), Err(InvalidUserId::Padded), "{id:?}");
        }
    }
}
