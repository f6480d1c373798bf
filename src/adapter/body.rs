//! The body of a request where a framework gives it as a stream of chunks.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Buf;
use futures_core::Stream;
use http_body::{Body, Frame};
use pin_project_lite::pin_project;

pin_project! {
    pub(super) struct Chunks<S> {
        #[pin]
        chunks: S,
    }
}

impl<S> Chunks<S> {
    pub(super) fn new(chunks: S) -> Self {
        Self { chunks }
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
}
