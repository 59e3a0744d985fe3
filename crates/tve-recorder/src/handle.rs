//! The ends that the other threads hold: wait-free for the control thread, short locks for HTTP.

use crate::LoggingSettings;
use crate::blackbox::{Handover, Tape};
use crate::history::{History, Samples};
use crate::inbox::Inbox;
use crate::layout::Layout;
use crate::row::Row;
use serde::Serialize;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::thread::Thread;
use std::time::Instant;
use tve_config::Config;
use tve_control::{AlarmEvent, Controller, LoggingHealth, Snapshot};
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
    layout: Arc<Layout>,
    inbox: Mutex<Inbox>,
    /// When the next row is due, so that most ticks need no lock.
    next_due: AtomicU64,
    energised: AtomicBool,
    overrun: AtomicBool,
    dropped_rows: AtomicU64,
    health: AtomicU8,
    neighbour_failed: AtomicBool,
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

    fn health_at(&self, now: Micros) -> LoggingHealth {
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

/// Reaches the recorder from any thread; cheap to clone.
///
/// [`sample`](Self::sample), [`offer`](Self::offer), [`alarm`](Self::alarm),
/// [`energised`](Self::energised) and [`health`](Self::health) neither wait nor allocate: they are
/// for the control thread. Everything else takes a short lock.
#[derive(Clone)]
pub struct RecorderHandle {
    shared: Arc<Shared>,
}

impl RecorderHandle {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Takes a row of the snapshot when one is due for the run or for the history. To be called
    /// every tick by one thread; a row that cannot be taken now is taken at the next tick.
    pub fn sample(&self, snapshot: &Snapshot) {
        if self.is_due(snapshot.now) {
            self.offer(&Row::of(&self.shared.layout, snapshot));
        }
    }

    /// [`sample`](Self::sample) for a row that was built elsewhere. When the queue is full its
    /// oldest row is dropped and counted.
    pub fn offer(&self, row: &Row) {
        if !self.is_due(row.now) {
            return;
        }
        let Ok(mut inbox) = self.shared.inbox.try_lock() else {
            return;
        };
        let dropped = inbox.offer(row);
        self.shared.next_due.store(inbox.next_due().get(), Ordering::Release);
        drop(inbox);
        self.shared.dropped_rows.fetch_add(dropped, Ordering::Relaxed);
    }

    pub(crate) fn is_due(&self, now: Micros) -> bool {
        now.get() >= self.shared.next_due.load(Ordering::Acquire)
    }

    /// Hands an alarm event to the journal. `false` when it cannot be taken now, because the lock
    /// is held or 256 events wait: the caller keeps it and offers it again at the next tick.
    #[must_use = "an event that is not taken must be offered again, or the journal misses it"]
    pub fn alarm(&self, event: &AlarmEvent) -> bool {
        let taken = self.shared.inbox.try_lock().is_ok_and(|mut inbox| inbox.alarm(*event));
        if taken {
            self.shared.wake();
        }
        taken
    }

    /// Says whether anything that can heat or move is on, for the session record. To be called
    /// whenever convenient; only changes cost something.
    pub fn energised(&self, energised: bool) {
        if self.shared.energised.swap(energised, Ordering::AcqRel) != energised {
            self.shared.wake();
        }
    }

    /// The control thread's end of the black box, for `controller` under `config`. One at a time.
    pub fn tape(&self, controller: &Controller, config: &Arc<Config>) -> Tape {
        Tape::new(self.clone(), controller, config)
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Says that the control loop stands still or has fallen over, so that the next process knows.
    /// Withdrawn by `false` once the journal has it.
    pub fn overrun(&self, standing: bool) {
        if self.shared.overrun.swap(standing, Ordering::AcqRel) != standing {
            self.shared.wake();
        }
    }

    /// Whether logging works, as the controller wants to be told.
    pub fn health(&self) -> LoggingHealth {
        self.shared.health_at(self.shared.now())
    }

    /// Says whether a journal beside the recorder's files cannot be written: to the operator that
    /// is the same fault.
    pub fn neighbour_failed(&self, failed: bool) {
        self.shared.neighbour_failed.store(failed, Ordering::Release);
    }

    /// Begins a run; nothing happens when one is under way.
    pub fn start_run(&self) {
        self.order(Inbox::start_run);
    }

    /// Ends the run and writes what is left of it; nothing happens without one.
    pub fn stop_run(&self) {
        self.order(Inbox::stop_run);
    }

    /// Changes the settings, also of the run that is under way.
    pub fn configure(&self, settings: LoggingSettings) {
        self.order(|inbox| inbox.configure(settings));
    }

    /// Asks for the waiting rows to be written now.
    pub fn flush(&self) {
        self.order(|inbox| inbox.orders.push(crate::inbox::Order::Flush));
    }

    fn order(&self, order: impl FnOnce(&mut Inbox)) {
        let mut inbox = self.shared.inbox();
        order(&mut inbox);
        self.shared.next_due.store(inbox.next_due().get(), Ordering::Release);
        drop(inbox);
        self.shared.wake();
    }

    /// How recording goes.
    pub fn status(&self) -> RecorderStatus {
        let mut status = lock(&self.shared.status).clone();
        status.recording = self.shared.inbox().is_recording();
        status.suspended &= status.recording;
        status.dropped_rows += self.shared.dropped_rows.load(Ordering::Relaxed);
        status.failed = self.health().failed;
        status.lost_segments = lock(&self.shared.handover).lost;
        status
    }

    /// The newest `n` samples of the history, oldest first.
    pub fn history_newest(&self, n: usize) -> Samples {
        self.shared.history.read().unwrap_or_else(PoisonError::into_inner).newest(n)
    }

    /// The samples since `since_ms` (Unix, ms), oldest first, decimated to at most `points` in such
    /// a way that the lowest and highest reading of each zone survive.
    pub fn history_since(&self, since_ms: i64, points: usize) -> Samples {
        self.shared.history.read().unwrap_or_else(PoisonError::into_inner).since(since_ms, points)
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

    #[test]
    fn a_held_lock_never_stops_the_control_thread_and_loses_nothing() {
        let handle = RecorderHandle::new(Arc::new(Shared::new(Micros::from_millis(10), layout())));
        let event = AlarmEvent::Cleared { id: 1 };
        let held = handle.shared.inbox();
        handle.offer(&Row::default());
        assert!(!handle.alarm(&event));
        handle.energised(true);
        drop(held);

        handle.offer(&Row { now: Micros::from_millis(10), ..Row::default() });
        assert!(handle.alarm(&event));
        let inbox = handle.shared.inbox();
        assert_eq!(inbox.rows[0].row.now, Micros::from_millis(10), "due until it is taken");
        assert_eq!((inbox.rows.len(), inbox.events.len()), (1, 1));
        assert!(handle.shared.is_energised());
    }

    #[test]
    fn the_status_follows_the_orders_at_once_and_only_a_run_can_be_suspended() {
        let handle = RecorderHandle::new(Arc::new(Shared::new(Micros::from_secs(1), layout())));
        lock(&handle.shared.status).suspended = true;
        assert!(!handle.status().recording && !handle.status().suspended);
        handle.start_run();
        assert!(handle.status().recording && handle.status().suspended);
        handle.stop_run();
        assert!(!handle.status().recording && !handle.status().suspended);
    }
}
