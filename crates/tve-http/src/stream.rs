//! A connection that gives up on a client that does not read, and has a place as long as it lasts.

use crate::places::Place;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;

/// Longest time without a byte taken by a client that has bytes to read. A wireless tablet that
/// roams needs a few seconds.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Wraps a stream; a write that makes no progress for [`WRITE_TIMEOUT`] fails.
pub(crate) struct Impatient<S> {
    stream: S,
    /// Runs while a write waits.
    patience: Option<Pin<Box<Sleep>>>,
    place: Place,
    /// Once the connection has become a socket: the library holds it then, and it can only be ended
    /// from here.
    end: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl<S> Impatient<S> {
    pub(crate) const fn new(stream: S, place: Place) -> Self {
        Self { stream, patience: None, place, end: None }
    }

    /// Whether a socket was thrown out.
    fn has_ended(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.place.seat().is_socket() {
            return false;
        }
        let token = self.place.seat().thrown_out();
        let end = self.end.get_or_insert_with(|| Box::pin(token.clone().cancelled_owned()));
        end.as_mut().poll(cx).is_ready()
    }

    /// Passes the outcome of a write on, or ends the waiting for it.
    fn judge<T>(
        &mut self,
        outcome: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.patience = None;
            return outcome;
        }
        let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(WRITE_TIMEOUT)));
        ready!(patience.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.has_ended(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.judge(outcome, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.judge(outcome, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        self.judge(outcome, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.judge(outcome, cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places::Places;
    use std::net::{IpAddr, Ipv4Addr};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    fn place() -> Place {
        Places::new(|| ()).take(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_given_up() {
        let (ours, theirs) = duplex(4);
        let mut stream = Impatient::new(ours, place());
        stream.write_all(b"1234").await.unwrap();
        let error = stream.write_all(b"5").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(theirs);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_slowly_is_served() {
        let (ours, mut theirs) = duplex(4);
        let reader = tokio::spawn(async move {
            let mut byte = [0];
            for _ in 0..8 {
                sleep(WRITE_TIMEOUT / 2).await;
                theirs.read_exact(&mut byte).await.unwrap();
            }
        });
        let mut stream = Impatient::new(ours, place());
        stream.write_all(b"12345678").await.unwrap();
        reader.await.unwrap();
    }

    #[tokio::test]
    async fn a_socket_that_is_thrown_out_ends_while_it_waits_to_be_read() {
        let (ours, _theirs) = duplex(4);
        let place = place();
        let seat = std::sync::Arc::clone(place.seat());
        seat.becomes_socket();
        let mut stream = Impatient::new(ours, place);
        let reader = tokio::spawn(async move { stream.read_u8().await });
        tokio::task::yield_now().await;
        seat.throw_out();
        assert_eq!(reader.await.unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
    }
}
