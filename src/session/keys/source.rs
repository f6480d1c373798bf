use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::key::VerificationKey;
use super::set::KeySet;
use super::version::KeySetVersion;
use crate::session::internal::Internal;

/// A source of keys for a verifier.
///
/// [`KeySet`] is the source of fixed keys, [`Jwks`](super::Jwks) that of a key server. Turn either, or one
/// [`VerificationKey`], into an `Arc<dyn KeySource>` with `into()`; the constructors of
/// [`JwtVerifier`](crate::session::JwtVerifier) do it by themselves.
///
/// ```
/// use std::sync::Arc;
/// use tower_user_metadata::session::keys::{Algorithm, KeySource, VerificationKey};
///
/// let key = VerificationKey::from_secret(Algorithm::HS256, b"nT7#kq2!vX9@mZ4$wR8%yB6^cD3&fG5*")?;
/// let source: Arc<dyn KeySource> = key.into();
/// assert_eq!(source.snapshot().map(|keys| keys.len()), Some(1));
/// # Ok::<(), tower_user_metadata::session::keys::InvalidKey>(())
/// ```
pub trait KeySource: Debug + Send + Sync + 'static {
    /// The keys that are usable now, without waiting; `None` when there never were any or they are too old.
    fn snapshot(&self) -> Option<Arc<KeySet>>;

    /// Looks for newer keys because this `kid` is not in the snapshot (`None`: there is no snapshot, or the token has no
    /// `kid`). Answers `None` at once when looking is of no use now; else the future ends, within a deadline, when it was
    /// tried.
    fn refresh(&self, kid: Option<&str>) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>>;

    /// The version of what [`snapshot`](Self::snapshot) would answer now. This is all that a request with a known session
    /// asks for, so the sources of this crate tell it without a clone of their keys.
    #[doc(hidden)]
    fn current_version(&self, _: Internal) -> Option<KeySetVersion> {
        self.snapshot().map(|keys| keys.version())
    }
}

impl KeySource for Arc<KeySet> {
    fn snapshot(&self) -> Option<Arc<KeySet>> {
        Some(Self::clone(self))
    }

    fn refresh(&self, _: Option<&str>) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        None
    }

    fn current_version(&self, _: Internal) -> Option<KeySetVersion> {
        Some(self.version())
    }
}

impl From<KeySet> for Arc<dyn KeySource> {
    fn from(keys: KeySet) -> Self {
        Arc::new(Arc::new(keys))
    }
}

impl From<VerificationKey> for Arc<dyn KeySource> {
    fn from(key: VerificationKey) -> Self {
        KeySet::from(key).into()
    }
}
