use bytes::Bytes;
use salvo_core::Response;
use salvo_core::writing::Scribe;

use crate::adapter::errors::for_each_error;
use crate::endpoints::Problem;

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
    for (name, value) in &parts.headers {
        response.headers_mut().insert(name, value.clone());
    }
    response.extensions.extend(parts.extensions);
    response.replace_body(body.into());
}
