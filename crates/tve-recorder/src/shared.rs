//! What the recorder's threads share: queue, flags, status and history.

use crate::blackbox::Handover;
use crate::history::History;
use crate::inbox::Inbox;
use crate::layout::Layout;
use serde::Serialize;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::thread::Thread;
use std::time::Instant;
use tve_control::LoggingHealth;
use tve_units::Micros;

/// A disk that has not answered for this long counts as failing.
const STALL: Micros = Micros::from_secs(5);

/// How recording goes, for `GET /api/log` and the metrics.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct RecorderStatus {
    /// A run is wanted and under way.
    pub recording: bool,
    /// A run is under way, but its rows are dropped because the disk has less than 100 MB left.
    pub suspended: bool,
    /// File of this run, or of the last one; `None` before the first row.
    pub file: Option<String>,
    /// Rows of this run, or of the last one, in the file or about to be.
    pub rows: u64,
    /// Rows lost since start, because the disk blocked, failed or was full.
    pub dropped_rows: u64,
    /// Failed attempts to write since start.
    pub write_failures: u64,
    /// When rows last became safe on the medium, seconds since the Unix epoch.
    pub last_flush: Option<f64>,
    /// Free space in bytes; `None` while it is unknown.
    pub bytes_free: Option<u64>,
    /// Free space is under `logging.min_free_mb`.
    pub disk_low: bool,
    /// Writing fails, or the disk has not answered for 5 s.
    pub failed: bool,
    /// Incidents written since start.
    pub incidents: u64,
    /// Segments of the black box lost since start, because the disk blocked.
    pub lost_segments: u64,
}

/// What the threads share.
pub(crate) struct Shared {
    epoch: Instant,
    pub(crate) layout: Arc<Layout>,
    pub(crate) inbox: Mutex<Inbox>,
    /// When the next row is due, so that most ticks need no lock.
    pub(crate) next_due: AtomicU64,
    pub(crate) energised: AtomicBool,
    pub(crate) overrun: AtomicBool,
    pub(crate) dropped_rows: AtomicU64,
    health: AtomicU8,
    pub(crate) neighbour_failed: AtomicBool,
    /// When the recorder began the turn that it is in, in µs since `epoch`; [`IDLE`] between turns.
    busy_since: AtomicU64,
    pub(crate) handover: Mutex<Handover>,
    pub(crate) status: Mutex<RecorderStatus>,
    pub(crate) history: RwLock<History>,
    pub(crate) thread: OnceLock<Thread>,
}

const IDLE: u64 = u64::MAX;
const FAILED: u8 = 1;
const DISK_LOW: u8 = 2;

/// The data of these locks is whole after every statement, so a panic elsewhere leaves it usable.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(interval: Micros, layout: Arc<Layout>) -> Self {
        Self {
            epoch: Instant::now(),
            inbox: Mutex::new(Inbox::new(interval)),
            next_due: AtomicU64::new(0),
            energised: AtomicBool::new(false),
            overrun: AtomicBool::new(false),
            dropped_rows: AtomicU64::new(0),
            health: AtomicU8::new(0),
            neighbour_failed: AtomicBool::new(false),
            busy_since: AtomicU64::new(IDLE),
            handover: Mutex::new(Handover::new()),
            status: Mutex::new(RecorderStatus::default()),
            history: RwLock::new(History::new(Arc::clone(&layout))),
            layout,
            thread: OnceLock::new(),
        }
    }

    /// Time of the recorder thread.
    pub(crate) fn now(&self) -> Micros {
        Micros::new(u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    pub(crate) fn inbox(&self) -> MutexGuard<'_, Inbox> {
        lock(&self.inbox)
    }

    pub(crate) fn is_energised(&self) -> bool {
        self.energised.load(Ordering::Acquire)
    }

    pub(crate) fn is_overrun(&self) -> bool {
        self.overrun.load(Ordering::Acquire)
    }

    /// Marks the beginning (`Some`) or the end of a turn of the recorder.
    pub(crate) fn set_busy(&self, since: Option<Micros>) {
        self.busy_since.store(since.map_or(IDLE, Micros::get), Ordering::Release);
    }

    pub(crate) fn set_health(&self, health: LoggingHealth) {
        let failed = if health.failed { FAILED } else { 0 };
        let low = if health.disk_low { DISK_LOW } else { 0 };
        self.health.store(failed | low, Ordering::Release);
    }

    pub(crate) fn health_at(&self, now: Micros) -> LoggingHealth {
        let bits = self.health.load(Ordering::Acquire);
        let since = self.busy_since.load(Ordering::Acquire);
        let neighbour = self.neighbour_failed.load(Ordering::Acquire);
        let stalled = since != IDLE && now.since(Micros::new(since)) >= STALL;
        LoggingHealth {
            failed: bits & FAILED != 0 || stalled || neighbour,
            disk_low: bits & DISK_LOW != 0,
        }
    }

    pub(crate) fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::layout;

    #[test]
    fn a_disk_that_does_not_answer_for_five_seconds_counts_as_failed() {
        let shared = Shared::new(Micros::from_secs(1), layout());
        shared.set_busy(Some(Micros::from_secs(10)));
        assert!(!shared.health_at(Micros::from_millis(14_999)).failed);
        assert!(shared.health_at(Micros::from_secs(15)).failed);
        shared.set_busy(None);
        assert!(!shared.health_at(Micros::from_secs(60)).failed);
    }
}
