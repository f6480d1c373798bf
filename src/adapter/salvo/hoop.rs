use async_trait::async_trait;
use salvo_core::writing::Scribe;
use salvo_core::{Depot, FlowCtrl, Handler, Request, Response};

use super::response::render;
use crate::authenticator::Authenticator;
use crate::layer::admit;

/// A hoop that verifies the session of each request and hands the handler its user's metadata; see the
/// [module](super) for an example.
///
/// It asks the store for nothing: only the handler does. Refusals, and the errors of this crate that extractors and handlers
/// inside return, are `{"message":"…"}`, or what [`with_problem_response`](crate::Authenticator::with_problem_response) of
/// the authenticator makes of them. A hoop around this one finds the [`Problem`](crate::endpoints::Problem), and of a refusal the
/// [`AuthError`](crate::AuthError), in the extensions of the response.
#[must_use]
pub fn user_metadata(authenticator: &Authenticator) -> UserMetadata {
    UserMetadata(authenticator.clone())
}

/// The hoop that [`user_metadata`] makes.
#[derive(Clone, Debug)]
pub struct UserMetadata(Authenticator);

#[async_trait]
impl Handler for UserMetadata {
    async fn handle(&self, request: &mut Request, depot: &mut Depot, response: &mut Response, flow: &mut FlowCtrl) {
        let outcome = self.0.authenticate(request.method().as_str(), request.headers()).await;
        if let Err(error) = admit(request.extensions_mut(), outcome) {
            error.render(response);
            flow.skip_rest();
        }
        if let Some(hook) = self.0.hook() {
            flow.call_next(request, depot, response).await;
            render(hook, response);
        }
    }
}
