use bytes::Bytes;
use salvo_core::Response;
use salvo_core::writing::Scribe;

use crate::adapter::errors::for_each_error;
use crate::endpoints::Problem;
use crate::problem::Hook;

macro_rules! scribe {
    ($(#[$doc:meta])* $error:ty) => {
        $(#[$doc])*
        impl Scribe for $error {
            fn render(self, response: &mut Response) {
                fill(response, Problem::from(self).into_response());
            }
        }
    };
}

for_each_error!(scribe);

/// Leaves the headers that other hoops have set.
pub(super) fn fill(response: &mut Response, answer: http::Response<Bytes>) {
    let (parts, body) = answer.into_parts();
    response.status_code(parts.status);
    for name in parts.headers.keys() {
        response.headers_mut().remove(name);
    }
    for (name, value) in &parts.headers {
        response.headers_mut().append(name, value.clone());
    }
    response.extensions.extend(parts.extensions);
    response.replace_body(body.into());
}

/// Renders an answer from inside anew, if it carries a problem.
pub(super) fn render(hook: &Hook, response: &mut Response) {
    let status = response.status_code.unwrap_or_default();
    if let Some(rendered) = hook.replacement(status, response.headers(), &response.extensions) {
        response.headers_mut().clear();
        fill(response, rendered);
    }
}
