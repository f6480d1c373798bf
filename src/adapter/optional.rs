/// A [`Session`](crate::Session) or a [`UserMetadataHandle`](crate::UserMetadataHandle) where sessions are optional:
/// `None` for a request without credentials.
///
/// Do not take an `Option`, even where it compiles: the framework gives `None` whatever went wrong, so bad credentials, or a
/// middleware that was forgotten, would look like a visitor who is not signed in.
#[derive(Clone, Copy, Debug)]
pub struct Optional<T>(pub Option<T>);
