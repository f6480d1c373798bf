use actix_web::body::{BoxBody, EitherBody};
use actix_web::dev::ServiceResponse;
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::{Error, HttpResponse, ResponseError};

use crate::adapter::errors::{for_each_error, problem_of};
use crate::endpoints::Problem;
use crate::problem::Hook;
use crate::session::AuthError;

macro_rules! response_error {
    ($(#[$doc:meta])* $error:ty) => {
        $(#[$doc])*
        impl ResponseError for $error {
            fn status_code(&self) -> StatusCode {
                self.error_response().status()
            }

            fn error_response(&self) -> HttpResponse {
                convert(Problem::from(self).into_response())
            }
        }
    };
}

for_each_error!(response_error);

/// What an answer of this crate has in its extensions, as `http` 1 knows them.
struct Own(http::Extensions);

/// A response in the types of actix-web, which are those of `http` 0.2.
pub(super) fn convert(response: http::Response<bytes::Bytes>) -> HttpResponse {
    let (head, body) = response.into_parts();
    let mut converted = HttpResponse::new(StatusCode::OK).set_body(body).map_into_boxed_body();
    fill(&mut converted, head);
    converted
}

/// Renders an answer from inside anew, if it carries a problem and the application has a form of its own for them.
pub(super) fn render<B>(hook: Option<&Hook>, answer: ServiceResponse<B>) -> ServiceResponse<EitherBody<B>> {
    let rendered = hook.and_then(|hook| {
        let (response, extensions) = (answer.response(), answer.response().extensions());
        let Own(extensions) = extensions.get()?;
        let status = http::StatusCode::from_u16(response.status().as_u16()).ok()?;
        hook.replacement(status, &headers(response.headers()), extensions)
    });
    let Some(rendered) = rendered else { return answer.map_into_left_body() };
    let (head, body) = rendered.into_parts();
    let (request, response) = answer.into_parts();
    // Keeps the error, which a log may want.
    let mut response = response.drop_body();
    response.headers_mut().clear();
    fill(&mut response, head);
    ServiceResponse::new(request, response.set_body(EitherBody::right(BoxBody::new(body))))
}

/// As [`render`], for an error that a middleware inside returned.
pub(super) fn render_error(hook: Option<&Hook>, error: Error) -> Error {
    let Some((hook, problem)) = hook.and_then(|hook| Some((hook, problem_of!(error, as_error)?))) else { return error };
    InternalError::from_response(error, convert(hook.render(problem))).into()
}

fn fill<B>(response: &mut HttpResponse<B>, head: http::response::Parts) {
    // What is a status or a header in `http` 1 is one in 0.2 too, so nothing is lost.
    *response.status_mut() = StatusCode::from_u16(head.status.as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &head.headers {
        let name = HeaderName::from_bytes(name.as_ref()).ok();
        let header = name.zip(HeaderValue::from_bytes(value.as_bytes()).ok());
        header.into_iter().for_each(|(name, value)| response.headers_mut().append(name, value));
    }
    let (refusal, problem) = (head.extensions.get::<AuthError>().cloned(), head.extensions.get::<Problem>().cloned());
    let mut extensions = response.extensions_mut();
    refusal.into_iter().for_each(|refusal| drop(extensions.insert(refusal)));
    problem.into_iter().for_each(|problem| drop(extensions.insert(problem)));
    extensions.insert(Own(head.extensions));
}

fn headers(headers: &HeaderMap) -> http::HeaderMap {
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        let name = http::HeaderName::from_bytes(name.as_ref()).ok()?;
        Some((name, http::HeaderValue::from_bytes(value.as_bytes()).ok()?))
    };
    headers.iter().filter_map(header).collect()
}
