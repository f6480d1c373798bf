use http::Extensions;

use crate::authenticator::Authenticated;
use crate::handle::UserMetadataHandle;
use crate::session::{AuthError, Session};

/// In the extensions of a request that passed the layer without a session, because sessions are optional or because it is
/// a CORS preflight; so an extractor can tell that from a layer that was forgotten.
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
