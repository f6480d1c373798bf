use bytes::Bytes;
use http::Response;

use crate::problem::{Hook, Problem, refusal};
use crate::session::AuthError;

/// Renders a refusal where [`with_problem_response`](crate::UserMetadataLayer::with_problem_response) cannot: for services
/// whose bodies are not made from [`Bytes`].
///
/// A closure will do. Whatever it renders, the layer puts the [`AuthError`] into the response's extensions.
///
/// ```
/// use bytes::Bytes;
/// use http::Response;
/// use http_body_util::{BodyExt, Full, combinators::BoxBody};
/// use tower_user_metadata::endpoints::Problem;
/// use tower_user_metadata::session::{AuthError, AuthErrorKind};
/// use tower_user_metadata::layer::RejectionResponse;
///
/// /// For boxed bodies.
/// #[derive(Clone)]
/// struct Boxed;
///
/// impl<E> RejectionResponse<BoxBody<Bytes, E>> for Boxed {
///     fn response(&self, error: &AuthError) -> Response<BoxBody<Bytes, E>> {
///         Problem::from(error).into_response().map(boxed)
///     }
///
///     fn body(&self, rendered: Bytes) -> Option<BoxBody<Bytes, E>> {
///         Some(boxed(rendered))
///     }
/// }
///
/// fn boxed<E>(body: Bytes) -> BoxBody<Bytes, E> {
///     Full::new(body).map_err(|never| match never {}).boxed()
/// }
///
/// let response: Response<BoxBody<Bytes, std::io::Error>> = Boxed.response(&AuthError::new(AuthErrorKind::Expired));
/// assert_eq!(response.status(), 401);
/// ```
pub trait RejectionResponse<ResBody> {
    /// The response to a request that is refused.
    fn response(&self, error: &AuthError) -> Response<ResBody>;

    /// The body of the service for what
    /// [`with_problem_response`](crate::UserMetadataLayer::with_problem_response) rendered. `None`, the default: that
    /// function is not asked, and errors from inside stay as they are.
    fn body(&self, rendered: Bytes) -> Option<ResBody> {
        let _ = rendered;
        None
    }
}

impl<F, ResBody> RejectionResponse<ResBody> for F
where
    F: Fn(&AuthError) -> Response<ResBody>,
{
    fn response(&self, error: &AuthError) -> Response<ResBody> {
        self(error)
    }
}

/// Renders refusals as SuperTokens does: `{"message":"unauthorised"}`, `{"message":"try refresh token"}`, or
/// `{"message":"invalid claim","claimValidationErrors":[{"id","reason"}]}`, with [`AuthError::headers`].
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonRejection;

impl<ResBody: From<Bytes>> RejectionResponse<ResBody> for JsonRejection {
    fn response(&self, error: &AuthError) -> Response<ResBody> {
        refusal(error).map(ResBody::from)
    }

    fn body(&self, rendered: Bytes) -> Option<ResBody> {
        Some(ResBody::from(rendered))
    }
}

pub(super) fn refuse<ResBody>(
    rejection: &impl RejectionResponse<ResBody>,
    hook: Option<&Hook>,
    error: AuthError,
) -> Response<ResBody> {
    let rendered = hook.and_then(|hook| {
        let (head, body) = hook.render(Problem::from(&error)).into_parts();
        Some(Response::from_parts(head, rejection.body(body)?))
    });
    let mut response = rendered.unwrap_or_else(|| rejection.response(&error));
    response.extensions_mut().insert(error);
    response
}

/// An answer from inside, rendered anew if it carries a problem.
pub(super) fn render<ResBody>(
    rejection: &impl RejectionResponse<ResBody>,
    hook: &Hook,
    response: Response<ResBody>,
) -> Response<ResBody> {
    let Some(rendered) = hook.replacement(response.status(), response.headers(), response.extensions()) else {
        return response;
    };
    let (rendered, body) = rendered.into_parts();
    let Some(body) = rejection.body(body) else { return response };
    let (mut head, _) = response.into_parts();
    (head.status, head.headers) = (rendered.status, rendered.headers);
    head.extensions.extend(rendered.extensions);
    Response::from_parts(head, body)
}
