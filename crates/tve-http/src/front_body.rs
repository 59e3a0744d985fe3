//! The body of a reply on its way out.

use crate::in_flight::Grant;
use axum::body::Body;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A reply body: one of ours in one piece, or whatever a handler streams; one that is large with leave
/// to keep it until the client has taken it.
pub(crate) enum FrontBody {
    Whole(Full<Bytes>),
    Streamed(Body),
    Kept { body: Box<FrontBody>, _grant: Arc<Grant> },
}

impl FrontBody {
    /// The body, to be kept by `grant`.
    pub(crate) fn kept(self, grant: Arc<Grant>) -> Self {
        Self::Kept { body: Box::new(self), _grant: grant }
    }
}

impl hyper::body::Body for FrontBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Self::Streamed(body) => Pin::new(body).poll_frame(cx),
            Self::Kept { body, .. } => Pin::new(body.as_mut()).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Streamed(body) => body.is_end_stream(),
            Self::Kept { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Streamed(body) => body.size_hint(),
            Self::Kept { body, .. } => body.size_hint(),
        }
    }
}
