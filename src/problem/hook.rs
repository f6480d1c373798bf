use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderName, SET_COOKIE, TRANSFER_ENCODING, VARY,
};
use http::{Extensions, Response, StatusCode};

use super::problem::Problem;
use crate::session::AuthError;

/// Headers that say something of a body, and nothing of the one that takes its place.
const OF_THE_BODY: [HeaderName; 7] = [
    CONTENT_LENGTH,
    CONTENT_ENCODING,
    CONTENT_RANGE,
    TRANSFER_ENCODING,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
];

/// Headers of which those of a handler and those of the hook both count.
const OF_ALL: [HeaderName; 2] = [SET_COOKIE, VARY];

/// How an application renders problems.
#[derive(Clone)]
pub(crate) struct Hook(Arc<Render>);

type Render = dyn Fn(&Problem, Response<Bytes>) -> Response<Bytes> + Send + Sync;

/// In the extensions of an answer that a hook rendered: one further out leaves it alone.
#[derive(Clone, Copy)]
struct Rendered;

impl Hook {
    pub(crate) fn new(render: impl Fn(&Problem, Response<Bytes>) -> Response<Bytes> + Send + Sync + 'static) -> Self {
        Self(Arc::new(render))
    }

    pub(crate) fn render(&self, problem: Problem) -> Response<Bytes> {
        let answer = (self.0)(&problem, problem.answer());
        let mut answer = problem.put_into(answer);
        answer.extensions_mut().insert(Rendered);
        answer
    }

    /// What takes the place of an answer that carries a problem; `None`: it stays as it is.
    pub(crate) fn replacement(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        extensions: &Extensions,
    ) -> Option<Response<Bytes>> {
        if extensions.get::<Rendered>().is_some() {
            return None;
        }
        let refused = || extensions.get::<AuthError>().map(Problem::from);
        let problem = extensions.get::<Problem>().cloned().or_else(refused)?;
        // Something inside may have answered another thing.
        (problem.status() == status).then(|| self.render_over(problem, headers))
    }

    /// As [`render`](Self::render), in the place of an answer with these headers: those that a handler or something else
    /// added to the answer stay.
    fn render_over(&self, problem: Problem, headers: &HeaderMap) -> Response<Bytes> {
        let own = problem.answer();
        let mut answer = self.render(problem);
        let mut merged = HeaderMap::with_capacity(headers.len() + answer.headers().len());
        for (name, value) in headers {
            let is_own = own.headers().get_all(name).iter().any(|own| own == value);
            let is_replaced = answer.headers().contains_key(name) && !OF_ALL.contains(name);
            if !is_own && !is_replaced && !OF_THE_BODY.contains(name) {
                merged.append(name.clone(), value.clone());
            }
        }
        for (name, value) in answer.headers() {
            merged.append(name.clone(), value.clone());
        }
        *answer.headers_mut() = merged;
        answer
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook(..)")
    }
}
