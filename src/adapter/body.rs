//! The body of a request where a framework gives it as a stream of chunks.

use std::error::Error;
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
        broken: bool,
    }
}

impl<S> Chunks<S> {
    pub(super) fn new(chunks: S) -> Self {
        Self { chunks, broken: false }
    }

    /// The same chunks, of which is known whether the body broke off behind them, where the framework keeps that to itself.
    #[cfg(feature = "rocket")]
    pub(super) fn broken(self, broken: bool) -> Self {
        Self { broken, ..self }
    }
}

impl<S, D, E> Body for Chunks<S>
where
    S: Stream<Item = Result<D, E>>,
    D: Buf,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = D;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<D>, Self::Error>>> {
        let body = self.project();
        body.chunks.poll_next(context).map(|chunk| match chunk {
            Some(chunk) => Some(chunk.map(Frame::data).map_err(Into::into)),
            None => body.broken.then(|| Err("the body broke off".into())),
        })
    }
}
