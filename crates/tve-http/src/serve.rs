//! The HTTP front: an accept loop of our own, because a silent client must not hold a place.

use crate::connection::{Connection, Shared};
use crate::places::{Place, Places};
use crate::stream;
use crate::tls::Tls;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tve_runtime::stopped;

/// Longest time for the head of a request to arrive, counted from the end of the last one.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Largest head of a request, and the read buffer of a connection.
const MAX_HEAD: usize = 16 * 1024;

/// The same while there are many connections.
const MAX_HEAD_CROWDED: usize = 8 * 1024;

/// Wait after an accept that failed, which it does when the process is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Time that open requests get to finish when the service stops.
const DRAIN: Duration = Duration::from_millis(300);

/// Serves connections from `listener` until `stop` turns true, then lets open requests finish.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    front: Arc<Shared>,
    places: Arc<Places>,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = accept(&listener, &places) => match accepted {
                Ok((stream, peer)) => (stream, peer.ip()),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
            Some(_) = connections.join_next() => continue,
            () = stopped(&mut stop) => break,
        };
        let place = places.take(peer);
        let seat = Arc::clone(place.seat());
        let service = Connection {
            front: Arc::clone(&front),
            address: peer,
            seat: Arc::clone(&seat),
            tls: tls.is_some(),
        };
        let acceptor = tls.as_ref().map(|tls| tls.acceptor());
        let max_head = if places.is_crowded() { MAX_HEAD_CROWDED } else { MAX_HEAD };
        let stop = stop.clone();
        connections.spawn(async move {
            tokio::select! {
                () = greet(stream, place, acceptor, service, max_head, stop) => {}
                () = seat.thrown_out().cancelled() => {}
            }
        });
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, drained).await.is_err() {
        connections.shutdown().await;
    }
}

/// The next connection, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Places,
) -> std::io::Result<(TcpStream, SocketAddr)> {
    places.room().await;
    listener.accept().await
}

/// Serves a connection, after the TLS handshake where there is one.
async fn greet(
    stream: TcpStream,
    place: Place,
    acceptor: Option<TlsAcceptor>,
    service: Connection,
    max_head: usize,
    stop: watch::Receiver<bool>,
) {
    // A reply is one write; waiting to fill a segment would only add 40 ms.
    let _ = stream.set_nodelay(true);
    // Who says nothing costs no buffers.
    let (mut stopping, mut first) = (stop.clone(), [0]);
    tokio::select! {
        spoken = tokio::time::timeout(HEADER_TIMEOUT, stream.peek(&mut first)) => {
            if !matches!(spoken, Ok(Ok(1..))) {
                return;
            }
        }
        () = stopped(&mut stopping) => return,
    }
    let stream = stream::Impatient::new(stream, place);
    // Boxed: a connection that has said nothing yet has no room for what serving it takes.
    let Some(acceptor) = acceptor else {
        return Box::pin(serve_connection(stream, service, max_head, stop)).await;
    };
    // A handshake that fails or does not come is the client's affair, too.
    let shaken = Box::pin(tokio::time::timeout(HEADER_TIMEOUT, acceptor.accept(stream))).await;
    if let Ok(Ok(stream)) = shaken {
        Box::pin(serve_connection(stream, service, max_head, stop)).await;
    }
}

async fn serve_connection<S>(
    stream: S,
    service: Connection,
    max_head: usize,
    mut stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(max_head)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    // How a connection ends (reset, time-out, garbage) is the client's affair.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
