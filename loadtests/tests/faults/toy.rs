//! A service whose faults are known: it waits, refuses, stalls as it is told.

use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// What is wrong with the service. Times are since its start.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// Every reply takes this long.
    pub(crate) delay: Duration,
    /// Every so many replies, one takes this long instead.
    pub(crate) slow: Option<(u64, Duration)>,
    /// From then on every reply is a 503.
    pub(crate) errors_from: Option<Duration>,
    /// Nothing is answered between these.
    pub(crate) stall: Option<(Duration, Duration)>,
}

/// A running toy; it ends with its runtime.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Toy {
    pub(crate) addr: SocketAddr,
}

async fn answer(faults: Faults, started: Instant, number: u64) -> Response<Full<Bytes>> {
    if let Some((from, to)) = faults.stall {
        let now = started.elapsed();
        if now >= from {
            tokio::time::sleep(to.saturating_sub(now)).await;
        }
    }
    let wait = match faults.slow {
        Some((every, slow)) if number.is_multiple_of(every) => slow,
        _ => faults.delay,
    };
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    let mut response = Response::new(Full::new(Bytes::from_static(b"{\"ok\": true}")));
    if faults.errors_from.is_some_and(|from| started.elapsed() >= from) {
        *response.status_mut() = hyper::StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}

impl Toy {
    /// Starts one on a free port.
    pub(crate) async fn start(faults: Faults) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let started = Instant::now();
        let number = Arc::new(AtomicU64::new(0));
        tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let number = Arc::clone(&number);
                tokio::spawn(async move {
                    let service = service_fn(move |_: Request<hyper::body::Incoming>| {
                        let n = number.fetch_add(1, Ordering::Relaxed);
                        async move { Ok::<_, Infallible>(answer(faults, started, n).await) }
                    });
                    // A client that goes away is no failure of the toy.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { addr }
    }
}
