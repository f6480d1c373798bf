use std::sync::{Mutex, PoisonError};

use rocket::Request;

use crate::handle::UserMetadataHandle;

/// Says whose a request is, for an application that [has sessions already](super#you-have-sessions-already): call it in a
/// fairing's `on_request`, or in a guard of your own that stands before those of this crate.
///
/// `None` is a visitor who is not signed in: refused with a 401, and `None` in [`Optional`](super::Optional). What is put last
/// counts, and it counts before what the fairing's authenticator would find.
pub fn put_user_metadata(request: &Request<'_>, metadata: Option<UserMetadataHandle>) {
    *cache(request).0.lock().unwrap_or_else(PoisonError::into_inner) = Some(metadata);
}

/// What was put, if anything was.
pub(super) fn put(request: &Request<'_>) -> Option<Option<UserMetadataHandle>> {
    cache(request).0.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Of a request; it can be changed although Rocket keeps the first value that is put into its cache.
#[derive(Default)]
struct Put(Mutex<Option<Option<UserMetadataHandle>>>);

fn cache<'r>(request: &'r Request<'_>) -> &'r Put {
    request.local_cache(Put::default)
}
