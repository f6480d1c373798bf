use poem::{Endpoint, IntoResponse, Middleware, Request, Response, Result};

use super::response::{refuse, render, render_error};
use crate::authenticator::Authenticator;
use crate::layer::admit;

/// A middleware that verifies the session of each request and hands the handler its user's metadata; see the
/// [module](super) for an example.
///
/// It asks the store for nothing: only the handler does. Refusals, and the errors of this crate that extractors and handlers
/// inside return, are `{"message":"…"}`, or what [`with_problem_response`](crate::Authenticator::with_problem_response) of
/// the authenticator makes of them; then they are answers, and no errors to what is outside. A middleware around this one finds
/// the [`Problem`](crate::endpoints::Problem), and of a refusal the [`AuthError`](crate::AuthError), in the data of the
/// error and in the extensions of the response.
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
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let outcome = self.authenticator.authenticate(request.method().as_str(), request.headers()).await;
        let answer = match admit(request.extensions_mut(), outcome) {
            Ok(()) => self.inner.call(request).await.map(IntoResponse::into_response),
            Err(error) => Err(refuse(error.into())),
        };
        match (self.authenticator.hook(), answer) {
            (None, answer) => answer,
            (Some(hook), Ok(response)) => Ok(render(hook, response)),
            (Some(hook), Err(error)) => render_error(hook, error),
        }
    }
}
