use axum_core::extract::{FromRequest, FromRequestParts, OptionalFromRequestParts, Request};
use http::Extensions;
use http::request::Parts;

use crate::endpoints::{Problem, read_update};
use crate::handle::UserMetadataHandle;
use crate::layer::NoSession;
use crate::metadata::MetadataUpdate;
use crate::session::Session;

/// The handle that the layer put there.
impl<S: Sync> FromRequestParts<S> for UserMetadataHandle {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        required(&parts.extensions)
    }
}

/// `None` for a request without credentials behind a layer with optional sessions.
impl<S: Sync> OptionalFromRequestParts<S> for UserMetadataHandle {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Problem> {
        optional(&parts.extensions)
    }
}

/// The session that the layer verified.
impl<S: Sync> FromRequestParts<S> for Session {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        required(&parts.extensions)
    }
}

/// `None` for a request without credentials behind a layer with optional sessions.
impl<S: Sync> OptionalFromRequestParts<S> for Session {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Problem> {
        optional(&parts.extensions)
    }
}

/// Read from the body with the limits of the user's store, whatever limit axum has for other bodies; so it needs a
/// session.
impl<S: Sync> FromRequest<S> for MetadataUpdate {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let metadata: UserMetadataHandle = required(&parts.extensions)?;
        read_update(&parts.headers, body, metadata.limits()).await
    }
}

fn required<T: Clone + Send + Sync + 'static>(extensions: &Extensions) -> Result<T, Problem> {
    extensions.get().cloned().ok_or_else(|| Problem::no_session(extensions))
}

fn optional<T: Clone + Send + Sync + 'static>(extensions: &Extensions) -> Result<Option<T>, Problem> {
    match extensions.get::<NoSession>() {
        Some(NoSession) => Ok(None),
        None => required(extensions).map(Some),
    }
}
