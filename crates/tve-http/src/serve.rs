//! The HTTP front: an accept loop of our own, because a silent client must not hold a place.

use crate::connection::{Connection, Shared};
use crate::stream;
use crate::tls::Tls;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tve_runtime::stopped;

/// Connections at a time; one more is told 503. Each may hold a few KiB.
pub(crate) const MAX_CONNECTIONS: usize = 1024;

/// Longest time for the head of a request to arrive, counted from the end of the last one.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Largest head of a request, and the read buffer of a connection.
const MAX_HEAD: usize = 16 * 1024;

/// Wait after an accept that failed, which it does when the process is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Time that open requests get to finish when the service stops.
const DRAIN: Duration = Duration::from_millis(300);

const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n\
    Content-Length: 46\r\nConnection: close\r\n\r\n{\"success\":false,\"msg\":\"TOO_MANY_CONNECTIONS\"}";

/// Serves connections from `listener` until `stop` turns true, then lets open requests finish.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    front: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
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
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            let service =
                Connection { front: Arc::clone(&front), address: peer, tls: tls.is_some() };
            let acceptor = tls.as_ref().map(|tls| tls.acceptor());
            let stop = stop.clone();
            connections.spawn(async move {
                greet(stream, acceptor, service, stop).await;
                drop(place);
            });
        } else {
            front.app.metrics.connection_refused();
            refuse(&stream);
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, drained).await.is_err() {
        connections.shutdown().await;
    }
}

/// Serves a connection, after the TLS handshake where there is one.
async fn greet(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    service: Connection,
    stop: watch::Receiver<bool>,
) {
    // A reply is one write; waiting to fill a segment would only add 40 ms.
    let _ = stream.set_nodelay(true);
    let stream = stream::Impatient::new(stream);
    let Some(acceptor) = acceptor else {
        return serve_connection(stream, service, stop).await;
    };
    // A handshake that fails or does not come is the client's affair, too.
    if let Ok(Ok(stream)) = tokio::time::timeout(HEADER_TIMEOUT, acceptor.accept(stream)).await {
        serve_connection(stream, service, stop).await;
    }
}

async fn serve_connection<S>(stream: S, service: Connection, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEAD)
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

/// Tells a client that there is no place, without giving it one.
fn refuse(stream: &TcpStream) {
    // Best effort: the kernel's buffer of a fresh connection takes these bytes.
    let _ = stream.try_write(TOO_MANY);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_of_a_connection_has_the_length_it_claims() {
        let text = std::str::from_utf8(TOO_MANY).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
    }
}
