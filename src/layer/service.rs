use std::task::{Context, Poll};

use http::{Request, Response};
use tower::Service;

use super::admission::admit;
use super::future::ResponseFuture;
use super::response::{RejectionResponse, refuse};
use crate::authenticator::Authenticator;

/// The service of [`UserMetadataLayer`](crate::UserMetadataLayer).
#[derive(Clone, Debug)]
pub struct UserMetadata<S, R> {
    inner: S,
    authenticator: Authenticator,
    rejection: R,
}

impl<S, R> UserMetadata<S, R> {
    pub(super) fn new(inner: S, authenticator: Authenticator, rejection: R) -> Self {
        Self { inner, authenticator, rejection }
    }

    /// The service inside.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service inside.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The service inside.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, R, ReqBody, ResBody> Service<Request<ReqBody>> for UserMetadata<S, R>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    R: RejectionResponse<ResBody> + Clone,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = ResponseFuture<S, R, ReqBody, ResBody>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let authentication = self.authenticator.authenticate(request.method().as_str(), request.headers());
        match authentication.now_or_never() {
            Ok(outcome) => match admit(request.extensions_mut(), outcome) {
                Ok(()) => {
                    ResponseFuture::admitted(self.inner.call(request), self.authenticator.hook(), &self.rejection)
                }
                Err(error) => {
                    // It is not called now, and perhaps for long not again: what it reserved goes back.
                    drop(self.take_ready());
                    ResponseFuture::refused(refuse(&self.rejection, self.authenticator.hook(), error))
                }
            },
            Err(authentication) => {
                let (hook, rejection) = (self.authenticator.hook().cloned(), self.rejection.clone());
                ResponseFuture::verifying(authentication, request, self.take_ready(), hook, rejection)
            }
        }
    }
}

impl<S: Clone, R> UserMetadata<S, R> {
    /// The service that was polled ready, with what it reserved; the clone that stays has to be polled anew.
    fn take_ready(&mut self) -> S {
        let clone = self.inner.clone();
        std::mem::replace(&mut self.inner, clone)
    }
}
