use http::Extensions;

use crate::authenticator::Authenticated;
use crate::handle::UserMetadataHandle;
use crate::session::{AuthError, Session};

/// In the extensions of a request that passed the layer without a session, because sessions are optional or because it
/// is a CORS preflight; so an extractor can tell that from a layer that was forgotten. A middleware of your own that
/// lets strangers through leaves it by [`put_user_metadata`].
#[derive(Clone, Copy, Debug)]
pub struct NoSession;

/// Puts what an [`Authenticator`](crate::Authenticator) found into the extensions of a request, where
/// [`RequestExt`](crate::adapter::RequestExt) and the extractors look for it, and removes what an outer layer left there. The
/// layer does this; it is here for middlewares of frameworks whose requests have such extensions.
///
/// ```
/// use http::Extensions;
/// use tower_user_metadata::layer::{NoSession, admit};
/// use tower_user_metadata::{AuthError, AuthErrorKind};
///
/// let mut extensions = Extensions::new();
/// admit(&mut extensions, Ok(None))?;
/// assert!(extensions.get::<NoSession>().is_some());
/// assert!(admit(&mut extensions, Err(AuthError::new(AuthErrorKind::Expired))).is_err());
/// # Ok::<(), AuthError>(())
/// ```
///
/// # Errors
///
/// The error of the outcome: the request is refused.
pub fn admit(extensions: &mut Extensions, outcome: Result<Option<Authenticated>, AuthError>) -> Result<(), AuthError> {
    match outcome? {
        Some(Authenticated { session, metadata }) => {
            extensions.remove::<NoSession>();
            extensions.insert(session);
            extensions.insert(metadata);
        }
        None => {
            extensions.remove::<Session>();
            extensions.remove::<UserMetadataHandle>();
            extensions.insert(NoSession);
        }
    }
    Ok(())
}

/// Puts the handle of whoever a middleware of your own has signed in into the extensions of a request, or [`NoSession`]
/// for a visitor who is not signed in, and removes what an outer layer left there. For services that [have sessions
/// already](crate::adapter#you-have-sessions-already).
///
/// ```
/// use tower_user_metadata::adapter::RequestExt;
/// use tower_user_metadata::layer::put_user_metadata;
/// use tower_user_metadata::{UserId, UserMetadataHandle, store::MemoryStore};
///
/// let store = MemoryStore::new();
/// let mut request = http::Request::new(());
/// let alice = UserMetadataHandle::for_user(UserId::new("alice")?, store.clone());
/// put_user_metadata(request.extensions_mut(), Some(alice));
/// assert_eq!(request.user_metadata()?.user_id().as_str(), "alice");
///
/// put_user_metadata(request.extensions_mut(), None);
/// assert!(request.optional_user_metadata()?.is_none());
/// assert_eq!(request.user_metadata().unwrap_err().status(), 401);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn put_user_metadata(extensions: &mut Extensions, metadata: Option<UserMetadataHandle>) {
    extensions.remove::<Session>();
    extensions.remove::<UserMetadataHandle>();
    extensions.remove::<NoSession>();
    match metadata {
        Some(metadata) => drop(extensions.insert(metadata)),
        None => drop(extensions.insert(NoSession)),
    }
}
