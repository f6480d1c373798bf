use async_trait::async_trait;
use salvo_core::extract::{Extractible, Metadata};
use salvo_core::writing::Scribe;
use salvo_core::{Depot, FlowCtrl, Handler, Request, Response};

use super::response::fill;
use crate::adapter::Optional;
use crate::adapter::extensions::{Values, optional, required};
use crate::endpoints::{Problem, UserMetadataEndpoints, read_update};
use crate::handle::UserMetadataHandle;
use crate::layer::NoSession;
use crate::metadata::MetadataUpdate;
use crate::session::Session;

const MISSING_HOOP: &str = "no session was verified for this route: hoop it with `user_metadata(&authenticator)`, \
                            or let your own hoop inject `UserMetadataHandle::for_user(user, store)` into the depot";

/// What a hoop put into the extensions of the request, as ours does, or into the depot.
struct Found<'a>(&'a Request, &'a Depot);

impl Values for Found<'_> {
    fn value<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        let Self(request, depot) = self;
        let hooped = request.extensions().get::<T>().cloned();
        // A stranger of our hoop is not whom an outer one found.
        let stranger = request.extensions().get::<NoSession>().is_some();
        if hooped.is_some() || stranger { hooped } else { depot.get_typed::<T>().ok().cloned() }
    }
}

/// None of these is made of the fields that salvo describes extractors by.
static NO_FIELDS: Metadata = Metadata::new("");

/// The session that the hoop verified.
impl<'ex> Extractible<'ex> for Session {
    fn metadata() -> &'static Metadata {
        &NO_FIELDS
    }

    #[allow(refining_impl_trait, reason = "the error is known")]
    async fn extract(request: &'ex mut Request, depot: &'ex mut Depot) -> Result<Self, Problem> {
        required(&Found(request, depot), MISSING_HOOP)
    }
}

/// The handle that the hoop put there.
impl<'ex> Extractible<'ex> for UserMetadataHandle {
    fn metadata() -> &'static Metadata {
        &NO_FIELDS
    }

    #[allow(refining_impl_trait, reason = "the error is known")]
    async fn extract(request: &'ex mut Request, depot: &'ex mut Depot) -> Result<Self, Problem> {
        required(&Found(request, depot), MISSING_HOOP)
    }
}

impl<'ex, T: Clone + Send + Sync + 'static> Extractible<'ex> for Optional<T> {
    fn metadata() -> &'static Metadata {
        &NO_FIELDS
    }

    #[allow(refining_impl_trait, reason = "the error is known")]
    async fn extract(request: &'ex mut Request, depot: &'ex mut Depot) -> Result<Self, Problem> {
        optional(&Found(request, depot), MISSING_HOOP).map(Self)
    }
}

/// Read from the body with the limits of the user's store, whatever limit salvo has for other bodies; so it needs a
/// session.
impl<'ex> Extractible<'ex> for MetadataUpdate {
    fn metadata() -> &'static Metadata {
        &NO_FIELDS
    }

    #[allow(refining_impl_trait, reason = "the error is known")]
    async fn extract(request: &'ex mut Request, depot: &'ex mut Depot) -> Result<Self, Problem> {
        let metadata: UserMetadataHandle = required(&Found(request, depot), MISSING_HOOP)?;
        let body = request.take_body();
        read_update(request.headers(), body, metadata.limits()).await
    }
}

/// The [ready-made endpoints](crate::endpoints), behind the hoop [`user_metadata`](super::user_metadata).
#[async_trait]
impl Handler for UserMetadataEndpoints {
    async fn handle(&self, request: &mut Request, depot: &mut Depot, response: &mut Response, _: &mut FlowCtrl) {
        let metadata = match optional(&Found(request, depot), MISSING_HOOP) {
            Ok(metadata) => metadata,
            Err(problem) => return problem.render(response),
        };
        let body = request.take_body();
        fill(response, self.respond(request.method().as_str(), request.headers(), metadata.as_ref(), body).await);
    }
}
