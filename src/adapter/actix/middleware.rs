use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Extensions, Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::header::HeaderMap;
use actix_web::middleware::{Next, from_fn};
use actix_web::{Error, HttpMessage};

use super::response::{render, render_error};
use crate::authenticator::{Authenticated, Authenticator};
use crate::handle::UserMetadataHandle;
use crate::layer::NoSession;
use crate::session::{Headers, Session};

/// A middleware that verifies the session of each request and hands the handler its user's metadata; see the
/// [module](super) for an example.
///
/// The authenticator is made before the server starts, and the middleware for each worker from that one: all share the
/// verifier, its keys, and the store. It asks the store for nothing: only the handler does.
///
/// Refusals, and the errors of this crate that extractors and handlers inside return, are `{"message":"…"}`, or what
/// [`with_problem_response`](crate::Authenticator::with_problem_response) of the authenticator makes of them. A middleware
/// around this one finds the [`Problem`](crate::endpoints::Problem), and of a refusal the [`AuthError`](crate::AuthError), in
/// the extensions of the response.
#[must_use]
pub fn user_metadata<S, B>(
    authenticator: &Authenticator,
) -> impl Transform<S, ServiceRequest, Response = ServiceResponse<EitherBody<B>>, Error = Error, InitError = ()> + use<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    let authenticator = authenticator.clone();
    from_fn(move |request: ServiceRequest, next: Next<B>| {
        let authentication = authenticator.authenticate(request.method().as_str(), request.headers());
        let hook = authenticator.hook().cloned();
        async move {
            match authentication.await {
                Ok(found) => {
                    admit(&mut request.extensions_mut(), found);
                    match next.call(request).await {
                        Ok(answer) => Ok(render(hook.as_ref(), answer)),
                        Err(error) => Err(render_error(hook.as_ref(), error)),
                    }
                }
                Err(error) => {
                    let refusal = render(hook.as_ref(), request.error_response(error));
                    Ok(refusal.map_into_boxed_body().map_into_right_body())
                }
            }
        }
    })
}

/// As [`layer::admit`](crate::layer::admit), for the extensions of actix-web: takes the place of what an outer
/// middleware may have found.
fn admit(extensions: &mut Extensions, found: Option<Authenticated>) {
    match found {
        Some(Authenticated { session, metadata }) => {
            extensions.remove::<NoSession>();
            extensions.insert(session);
            extensions.insert(metadata);
        }
        None => {
            extensions.remove::<Session>();
            extensions.remove::<UserMetadataHandle>();
            extensions.insert(NoSession);
        }
    }
}

impl Headers for HeaderMap {
    fn visit<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8])) {
        self.get_all(name).for_each(|value| visit(value.as_bytes()));
    }
}
