use std::io;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use poem::{Endpoint, FromRequest, Request, RequestBody, Response, Result};

use super::response::{convert, refuse};
use crate::adapter::Optional;
use crate::adapter::extensions::{optional, required};
use crate::endpoints::{UserMetadataEndpoints, read_update};
use crate::handle::UserMetadataHandle;
use crate::metadata::MetadataUpdate;
use crate::session::Session;

const MISSING_MIDDLEWARE: &str = "no session was verified for this route: wrap it with `user_metadata(&authenticator)`, \
                                  or let your own middleware insert `UserMetadataHandle::for_user(user, store)`";

/// The session that the middleware verified.
impl<'a> FromRequest<'a> for Session {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        required(request.extensions(), MISSING_MIDDLEWARE).map_err(refuse)
    }
}

/// The handle that the middleware put there.
impl<'a> FromRequest<'a> for UserMetadataHandle {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        required(request.extensions(), MISSING_MIDDLEWARE).map_err(refuse)
    }
}

impl<'a, T: Clone + Send + Sync + 'static> FromRequest<'a> for Optional<T> {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        optional(request.extensions(), MISSING_MIDDLEWARE).map(Self).map_err(refuse)
    }
}

/// Read from the body with the limits of the user's store; so it needs a session.
impl<'a> FromRequest<'a> for MetadataUpdate {
    async fn from_request(request: &'a Request, body: &mut RequestBody) -> Result<Self> {
        let metadata: UserMetadataHandle = required(request.extensions(), MISSING_MIDDLEWARE).map_err(refuse)?;
        let body: BoxBody<Bytes, io::Error> = body.take()?.into();
        Ok(read_update(request.headers(), body, metadata.limits()).await?)
    }
}

/// The [ready-made endpoints](crate::endpoints), inside the middleware [`user_metadata`](super::user_metadata).
impl Endpoint for UserMetadataEndpoints {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let metadata = optional(request.extensions(), MISSING_MIDDLEWARE).map_err(refuse)?;
        let body: BoxBody<Bytes, io::Error> = request.take_body().into();
        Ok(convert(self.respond(request.method().as_str(), request.headers(), metadata.as_ref(), body).await))
    }
}
