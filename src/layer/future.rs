use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::Service;

use super::admission::admit;
use super::response::{RejectionResponse, refuse, render};
use crate::authenticator::Authentication;
use crate::problem::Hook;

pin_project! {
    /// The future of [`UserMetadata`](super::UserMetadata).
    pub struct ResponseFuture<S, R, ReqBody, ResBody>
    where
        S: Service<Request<ReqBody>>,
    {
        #[pin]
        state: State<S, R, ReqBody, ResBody>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, R, ReqBody, ResBody>
    where
        S: Service<Request<ReqBody>>,
    {
        Verifying {
            #[pin]
            authentication: Authentication,
            // Taken when the verdict is there; the service is the one that was polled ready.
            waiting: Option<(Request<ReqBody>, S, Option<Hook>, R)>,
        },
        Admitted {
            #[pin]
            response: S::Future,
            renders: Option<(Hook, R)>,
        },
        Refused {
            response: Option<Response<ResBody>>,
        },
    }
}

impl<S, R, ReqBody, ResBody> ResponseFuture<S, R, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
{
    pub(super) fn verifying(
        authentication: Authentication,
        request: Request<ReqBody>,
        service: S,
        hook: Option<Hook>,
        rejection: R,
    ) -> Self {
        Self { state: State::Verifying { authentication, waiting: Some((request, service, hook, rejection)) } }
    }

    pub(super) fn admitted(response: S::Future, hook: Option<&Hook>, rejection: &R) -> Self
    where
        R: Clone,
    {
        Self { state: State::Admitted { response, renders: hook.map(|hook| (hook.clone(), rejection.clone())) } }
    }

    pub(super) fn refused(response: Response<ResBody>) -> Self {
        Self { state: State::Refused { response: Some(response) } }
    }
}

impl<S, R, ReqBody, ResBody> Future for ResponseFuture<S, R, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    R: RejectionResponse<ResBody>,
{
    type Output = Result<Response<ResBody>, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProjection::Verifying { authentication, waiting } => {
                    let outcome = ready!(authentication.poll(context));
                    // `None` only after this future was ready, and then there is nothing more to answer.
                    let Some((mut request, mut service, hook, rejection)) = waiting.take() else {
                        return Poll::Pending;
                    };
                    let next = match admit(request.extensions_mut(), outcome) {
                        Ok(()) => {
                            let renders = hook.map(|hook| (hook, rejection));
                            State::Admitted { response: service.call(request), renders }
                        }
                        Err(error) => State::Refused { response: Some(refuse(&rejection, hook.as_ref(), error)) },
                    };
                    state.set(next);
                }
                StateProjection::Admitted { response, renders } => {
                    let Some((hook, rejection)) = renders else { return response.poll(context) };
                    let response = ready!(response.poll(context))?;
                    return Poll::Ready(Ok(render(rejection, hook, response)));
                }
                StateProjection::Refused { response } => {
                    return response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response)));
                }
            }
        }
    }
}

impl<S, R, ReqBody, ResBody> fmt::Debug for ResponseFuture<S, R, ReqBody, ResBody>
where
    S: Service<Request<ReqBody>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseFuture(..)")
    }
}
