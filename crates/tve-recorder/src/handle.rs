//! The ends that the other threads hold: wait-free for the control thread, short locks for HTTP.

use crate::LoggingSettings;
use crate::blackbox::Tape;
use crate::history::{History, Samples, Selection};
use crate::inbox::Inbox;
use crate::row::Row;
use crate::shared::{RecorderStatus, Shared, lock};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLockReadGuard};
use tve_config::Config;
use tve_control::{AlarmEvent, Controller, LoggingHealth, Snapshot};
use tve_units::Micros;

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
            self.offer(&self.shared.layout.row(snapshot));
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
        Tape::new(Arc::clone(&self.shared), controller, config)
    }

    #[cfg(test)]
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
    pub fn history_newest(&self, n: usize) -> Selection {
        self.history().newest(n)
    }

    /// The samples since `since_ms` (Unix, ms), oldest first, decimated to at most `points` in such
    /// a way that the lowest and highest reading of each zone survive.
    pub fn history_since(&self, since_ms: i64, points: usize) -> Selection {
        self.history().since(since_ms, points)
    }

    /// The samples of `selection` from its place `from` on, at most `most`; those that have left the
    /// history since are missing.
    pub fn samples(&self, selection: &Selection, from: usize, most: usize) -> Samples {
        self.history().samples(selection, from, most)
    }

    fn history(&self) -> RwLockReadGuard<'_, History> {
        self.shared.history.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::layout;

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
