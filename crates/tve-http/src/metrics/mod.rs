//! Figures about the service: a few atomics per request, text for Prometheus on demand.
//!
//! Counters are kept in shards, one per worker thread in the usual case, so that two workers do
//! not fight for a cache line at every request.

mod process;
mod text;

#[cfg(test)]
pub(crate) use text::machine_text;
pub(crate) use text::render;

use hyper::{Method, StatusCode};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Method of a request, as a label of bounded choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MethodName {
    Get,
    Head,
    Post,
    Put,
    Options,
    Other,
}

impl MethodName {
    pub(crate) const ALL: [Self; 6] =
        [Self::Get, Self::Head, Self::Post, Self::Put, Self::Options, Self::Other];

    pub(crate) fn of(method: &Method) -> Self {
        match *method {
            Method::GET => Self::Get,
            Method::HEAD => Self::Head,
            Method::POST => Self::Post,
            Method::PUT => Self::Put,
            Method::OPTIONS => Self::Options,
            _ => Self::Other,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Options => "OPTIONS",
            Self::Other => "OTHER",
        }
    }
}

/// Statuses with a counter of their own; the last place counts whatever else a file server says.
pub(crate) const STATUSES: [u16; 22] = [
    200, 101, 204, 206, 301, 304, 307, 400, 401, 403, 404, 405, 408, 409, 412, 413, 415, 416, 428,
    429, 500, 503,
];

/// Upper edges of the request durations in seconds; they include every objective.
pub(crate) const EDGES_S: [f64; 15] =
    [0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 1.0, 2.5];

const SHARDS: usize = 2;

/// What one thread counts of one route.
struct Count {
    requests: [[AtomicU64; STATUSES.len() + 1]; MethodName::ALL.len()],
    durations: [AtomicU64; EDGES_S.len() + 1],
    duration_sum_ns: AtomicU64,
}

/// By the number of the route.
type Shard = Box<[Count]>;

/// The counters of the service.
pub(crate) struct Metrics {
    /// Labels by the number of the route.
    routes: Vec<&'static str>,
    shards: Box<[Shard]>,
    connections_refused: AtomicU64,
    socket_clients: AtomicU64,
    socket_dropped: AtomicU64,
}

fn zeros<const N: usize>() -> [AtomicU64; N] {
    std::array::from_fn(|_| AtomicU64::new(0))
}

impl Metrics {
    pub(crate) fn new(routes: Vec<&'static str>) -> Self {
        let count = || Count {
            requests: std::array::from_fn(|_| zeros()),
            durations: zeros(),
            duration_sum_ns: AtomicU64::new(0),
        };
        Self {
            shards: (0..SHARDS).map(|_| routes.iter().map(|_| count()).collect()).collect(),
            routes,
            connections_refused: AtomicU64::new(0),
            socket_clients: AtomicU64::new(0),
            socket_dropped: AtomicU64::new(0),
        }
    }

    fn shard(&self) -> &Shard {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static MINE: Cell<usize> =
                Cell::new(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
        }
        &self.shards[MINE.get()]
    }

    /// Counts one finished request of the route with that number.
    pub(crate) fn record(
        &self,
        route: usize,
        method: MethodName,
        status: StatusCode,
        took: Duration,
    ) {
        let Some(count) = self.shard().get(route) else {
            return;
        };
        let status = status.as_u16();
        let place = STATUSES.iter().position(|&s| s == status).unwrap_or(STATUSES.len());
        let seconds = took.as_secs_f64();
        let bucket = EDGES_S.iter().position(|&edge| seconds <= edge).unwrap_or(EDGES_S.len());
        count.requests[method as usize][place].fetch_add(1, Ordering::Relaxed);
        count.durations[bucket].fetch_add(1, Ordering::Relaxed);
        count.duration_sum_ns.fetch_add(took.as_nanos() as u64, Ordering::Relaxed);
    }

    pub(crate) fn connection_refused(&self) {
        self.connections_refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn socket_connected(&self) {
        self.socket_clients.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn socket_gone(&self) {
        self.socket_clients.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn socket_dropped(&self) {
        self.socket_dropped.fetch_add(1, Ordering::Relaxed);
    }

    fn requests(&self, route: usize, method: MethodName, place: usize) -> u64 {
        let of = |s: &Shard| s[route].requests[method as usize][place].load(Ordering::Relaxed);
        self.shards.iter().map(of).sum()
    }

    /// Counts by bucket and the sum in seconds.
    fn durations(&self, route: usize) -> ([u64; EDGES_S.len() + 1], f64) {
        let count = |i: usize| {
            self.shards.iter().map(|s| s[route].durations[i].load(Ordering::Relaxed)).sum()
        };
        let ns: u64 =
            self.shards.iter().map(|s| s[route].duration_sum_ns.load(Ordering::Relaxed)).sum();
        (std::array::from_fn(count), ns as f64 * 1e-9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_every_thread_are_counted_once() {
        let metrics = Metrics::new(vec!["/api/data"]);
        let ok = || {
            metrics.record(0, MethodName::Get, StatusCode::OK, Duration::from_micros(300));
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(ok);
            }
        });
        assert_eq!(metrics.requests(0, MethodName::Get, 0), 4);
        let (counts, sum) = metrics.durations(0);
        assert_eq!(counts[0], 4);
        assert!((sum - 0.0012).abs() < 1e-9);
    }

    #[test]
    fn the_edges_rise_and_include_every_objective() {
        assert!(EDGES_S.is_sorted());
        for objective in [0.15, 0.2, 0.25, 0.3, 0.4, 0.5] {
            assert!(EDGES_S.contains(&objective), "{objective}");
        }
    }
}
