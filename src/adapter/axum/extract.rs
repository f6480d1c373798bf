use axum_core::extract::{FromRequest, FromRequestParts, OptionalFromRequestParts, Request};
use http::request::Parts;

use crate::adapter::RequestExt;
use crate::endpoints::{Problem, read_update};
use crate::handle::UserMetadataHandle;
use crate::metadata::MetadataUpdate;
use crate::session::Session;

/// The handle that the layer put there.
impl<S: Sync> FromRequestParts<S> for UserMetadataHandle {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.user_metadata()
    }
}

/// `None` for a request without credentials behind a layer with optional sessions.
impl<S: Sync> OptionalFromRequestParts<S> for UserMetadataHandle {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Problem> {
        parts.optional_user_metadata()
    }
}

/// The session that the layer verified.
impl<S: Sync> FromRequestParts<S> for Session {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.session()
    }
}

/// `None` for a request without credentials behind a layer with optional sessions.
impl<S: Sync> OptionalFromRequestParts<S> for Session {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Problem> {
        parts.optional_session()
    }
}

/// Read from the body with the limits of the user's store, whatever limit axum has for other bodies; so it needs a
/// session.
impl<S: Sync> FromRequest<S> for MetadataUpdate {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let limits = parts.user_metadata()?.limits();
        read_update(&parts.headers, body, limits).await
    }
}
