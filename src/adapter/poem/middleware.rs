use poem::{Endpoint, Middleware, Request, Result};

use super::response::refuse;
use crate::authenticator::Authenticator;
use crate::layer::admit;

/// A middleware that verifies the session of each request and hands the handler its user's metadata; see the
/// [module](super) for an example.
///
/// It asks the store for nothing: only the handler does. Refusals are rendered by
/// [`JsonRejection`](crate::layer::JsonRejection). A middleware around this one that wants another body finds the
/// [`AuthError`](crate::AuthError) in the data of the error and in the extensions of the response.
#[must_use]
pub fn user_metadata(authenticator: &Authenticator) -> UserMetadata {
    UserMetadata(authenticator.clone())
}

/// The middleware that [`user_metadata`] makes.
#[derive(Clone, Debug)]
pub struct UserMetadata(Authenticator);

/// The endpoint of a [`UserMetadata`].
#[derive(Clone, Debug)]
pub struct UserMetadataEndpoint<E> {
    authenticator: Authenticator,
    inner: E,
}

impl<E: Endpoint> Middleware<E> for UserMetadata {
    type Output = UserMetadataEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        UserMetadataEndpoint { authenticator: self.0.clone(), inner }
    }
}

impl<E: Endpoint> Endpoint for UserMetadataEndpoint<E> {
    type Output = E::Output;

    async fn call(&self, mut request: Request) -> Result<E::Output> {
        let outcome = self.authenticator.authenticate(request.method().as_str(), request.headers()).await;
        admit(request.extensions_mut(), outcome).map_err(|error| refuse(error.into()))?;
        self.inner.call(request).await
    }
}
