use std::sync::Arc;

/// The application that a store is opened for; users of different namespaces never meet.
///
/// Metadata is shared by the tenants of one application, as in SuperTokens. The default is `public`.
///
/// ```
/// use tower_user_metadata::store::Namespace;
///
/// assert_eq!(Namespace::default().as_str(), "public");
/// assert!(Namespace::new("").is_err());
/// # Ok::<(), tower_user_metadata::store::InvalidNamespace>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Namespace(Arc<str>);

impl Namespace {
    /// The longest name, in characters: the width of the application column of SuperTokens.
    pub const MAX_CHARS: usize = 64;

    /// Takes a name as it is, byte for byte.
    ///
    /// # Errors
    ///
    /// The name is empty, longer than [`MAX_CHARS`](Self::MAX_CHARS), or holds a control character.
    pub fn new(name: impl Into<Arc<str>>) -> Result<Self, InvalidNamespace> {
        let name = name.into();
        let fits = !name.is_empty() && name.chars().count() <= Self::MAX_CHARS && !name.chars().any(char::is_control);
        if fits { Ok(Self(name)) } else { Err(InvalidNamespace(())) }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self(Arc::from("public"))
    }
}

/// A text that is not a [`Namespace`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a namespace has 1 to {} characters and no control characters", Namespace::MAX_CHARS)]
pub struct InvalidNamespace(());
