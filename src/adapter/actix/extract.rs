use std::future::{Future, Ready, ready};
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use crate::adapter::Optional;
use crate::adapter::body::Chunks;
use crate::adapter::extensions::{Values, optional, required};
use crate::endpoints::{Problem, read_update};
use crate::handle::UserMetadataHandle;
use crate::metadata::MetadataUpdate;
use crate::session::Session;

const MISSING_MIDDLEWARE: &str = "no session was verified for this route: wrap it in `user_metadata(&authenticator)`, \
                                  or let your own middleware insert `UserMetadataHandle::for_user(user, store)`";

impl<T: Clone + Send + Sync + 'static> FromRequest for Optional<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(found(request).map(Self))
    }
}

/// The session that the middleware verified.
impl FromRequest for Session {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(required(request, MISSING_MIDDLEWARE))
    }
}

/// The handle that the middleware put there.
impl FromRequest for UserMetadataHandle {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(required(request, MISSING_MIDDLEWARE))
    }
}

/// Read from the body with the limits of the user's store, whatever limit actix-web has for other bodies; so it needs
/// a session.
impl FromRequest for MetadataUpdate {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let metadata: UserMetadataHandle = required(&request, MISSING_MIDDLEWARE)?;
            read_update(request.headers(), Chunks::new(payload), metadata.limits()).await
        })
    }
}

/// What a middleware put there; `None` for a request that passed without a session.
pub(super) fn found<T: Clone + Send + Sync + 'static>(request: &HttpRequest) -> Result<Option<T>, Problem> {
    optional(request, MISSING_MIDDLEWARE)
}

impl Values for HttpRequest {
    fn value<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.extensions().get().cloned()
    }
}
