use std::future::{Future, Ready, ready};
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use crate::adapter::Optional;
use crate::adapter::body::Chunks;
use crate::authenticator::Authenticated;
use crate::endpoints::{Problem, read_update};
use crate::handle::UserMetadataHandle;
use crate::metadata::MetadataUpdate;
use crate::session::Session;

const MISSING_MIDDLEWARE: &str = "no session was verified for this route: wrap it in `user_metadata(&authenticator)`";

impl<T: From<Authenticated>> FromRequest for Optional<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(found(request).map(|found| Self(found.map(T::from))))
    }
}

/// The session that the middleware verified.
impl FromRequest for Session {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(required(request))
    }
}

/// The handle that the middleware put there.
impl FromRequest for UserMetadataHandle {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(required(request))
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
            let metadata: UserMetadataHandle = required(&request)?;
            read_update(request.headers(), Chunks::new(payload), metadata.limits()).await
        })
    }
}

/// A stranger who was let through, where sessions are optional, is refused here.
fn required<T: From<Authenticated>>(request: &HttpRequest) -> Result<T, Problem> {
    Ok(Authenticated::required(found(request)?)?.into())
}

/// What the middleware found; `None` for a request that passed without a session.
pub(super) fn found(request: &HttpRequest) -> Result<Option<Authenticated>, Problem> {
    let found = request.extensions().get::<Option<Authenticated>>().cloned();
    found.ok_or_else(|| Problem::missing_middleware(MISSING_MIDDLEWARE))
}
