//! The body of a request where a framework gives it as a stream of chunks.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Buf;
use futures_core::Stream;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::session::Headers;

pin_project! {
    pub(super) struct Chunks<S> {
        announced: u64,
        #[pin]
        chunks: S,
    }
}

impl<S> Chunks<S> {
    /// The chunks, and the length that the headers announce, so that a body which is too large is refused unread.
    pub(super) fn new(headers: &dyn Headers, chunks: S) -> Self {
        let mut announced = 0;
        headers.visit("content-length", &mut |value| {
            // What is not a number the server has refused, or it does not go by it.
            announced = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        });
        Self { announced, chunks }
    }
}

impl<S, D, E> Body for Chunks<S>
where
    S: Stream<Item = Result<D, E>>,
    D: Buf,
{
    type Data = D;
    type Error = E;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<D>, E>>> {
        self.project().chunks.poll_next(context).map_ok(Frame::data)
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::new();
        hint.set_lower(self.announced);
        hint
    }
}
