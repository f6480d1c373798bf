use std::sync::{Mutex, MutexGuard, PoisonError};

use http::Extensions;
use rocket::Request;

use crate::handle::UserMetadataHandle;
use crate::layer;

/// Says whose a request is, for an application that [has sessions already](super#you-have-sessions-already): call it in a
/// fairing's `on_request`, or in a guard of your own that stands before those of this crate.
///
/// `None` is a visitor who is not signed in: refused with a 401, and `None` in [`Optional`](super::Optional). What is
/// put last counts, and the fairing's authenticator is not asked any more.
pub fn put_user_metadata(request: &Request<'_>, metadata: Option<UserMetadataHandle>) {
    layer::put_user_metadata(&mut known(request), metadata);
}

/// What is known of a request: its user, who was put or verified, and why a guard refused it. Rocket itself has no place
/// whose values can be changed.
pub(super) fn known<'r>(request: &'r Request<'_>) -> MutexGuard<'r, Extensions> {
    // Nothing that is done under the lock panics.
    request.local_cache(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}
