//! The history as a reply: made piece by piece while the client takes it, so that a day that waits
//! for a slow client costs the service its list of samples and one piece.

use crate::app::App;
use crate::view;
use bytes::Bytes;
use hyper::body::Frame;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tve_recorder::Selection;
use tve_tags::Tags;

/// Samples of a piece: made in a tenth of a millisecond.
const PIECE: usize = 64;

/// Bytes of a piece, about, and of one that waits in the connection.
const PIECE_BYTES: usize = 64 * 1024;

/// What the service keeps of a reply of so many samples on its way to a client.
pub(crate) const fn kept(samples: usize) -> usize {
    samples * Selection::BYTES + PIECE_BYTES
}

/// The body of `GET /api/history/sensors`.
pub(crate) struct Past {
    app: Arc<App>,
    tags: Arc<Tags>,
    selection: Selection,
    /// Samples of the selection that were told, or had left.
    told: usize,
    /// Whether an element has been written.
    begun: bool,
    ended: bool,
}

impl Past {
    pub(crate) fn new(app: Arc<App>, selection: Selection) -> Self {
        let tags = app.tags(&app.door.newest());
        Self { app, tags, selection, told: 0, begun: false, ended: false }
    }

    /// The next piece; `None` after the last.
    fn piece(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        let mut text = Vec::with_capacity(PIECE_BYTES / 2);
        if self.told == 0 {
            text.push(b'[');
        }
        let samples = self.app.door.samples(&self.selection, self.told, PIECE);
        self.told += PIECE;
        if !samples.is_empty() {
            if self.begun {
                text.push(b',');
            }
            self.begun = true;
            let places = view::Places::of(samples.layout(), &self.tags);
            view::history(&samples, &self.tags, &places, &mut text);
        }
        if self.told >= self.selection.len() {
            self.ended = true;
            text.push(b']');
        }
        Some(text.into())
    }
}

impl hyper::body::Body for Past {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.get_mut().piece().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}
