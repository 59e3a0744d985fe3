//! What waits for the recorder thread: bounded, allocated once, emptied by swapping.
//!
//! The recorder holds the lock for a swap, so the control thread's `try_lock` all but never misses;
//! when it does, what it carries is still due at the next tick.

use crate::LoggingSettings;
use crate::history;
use crate::row::Row;
use std::collections::VecDeque;
use tve_control::AlarmEvent;
use tve_units::Micros;

/// Rows that wait while the disk blocks: two minutes at the default interval, 5 s at the fastest.
pub(crate) const ROW_CAPACITY: usize = 512;
/// Alarm events that wait; every alarm raised, seen and cleared several times over.
pub(crate) const EVENT_CAPACITY: usize = 256;

/// The run that rows belong to; [`NO_RUN`] while nothing is recorded.
pub(crate) type RunId = u32;
/// Not a run.
pub(crate) const NO_RUN: RunId = 0;

/// A row with what it is wanted for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offered {
    pub(crate) row: Row,
    /// The run that it belongs to, or [`NO_RUN`].
    pub(crate) run: RunId,
    /// It is the sample of its second.
    pub(crate) for_history: bool,
}

/// An order from a client.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Order {
    Start(RunId),
    Stop(RunId),
    Configure(LoggingSettings),
    Flush,
}

/// A grid of times.
#[derive(Debug, Clone, Copy, Default)]
struct Cadence {
    next: Micros,
}

impl Cadence {
    /// Whether a time of the grid has come; steps on when it has. A grid that fell behind begins
    /// anew instead of catching up.
    fn take(&mut self, now: Micros, period: Micros) -> bool {
        if now < self.next {
            return false;
        }
        self.next = self.next + period;
        if self.next <= now {
            self.next = now + period;
        }
        true
    }
}

#[derive(Debug)]
pub(crate) struct Inbox {
    pub(crate) rows: VecDeque<Offered>,
    pub(crate) events: VecDeque<AlarmEvent>,
    pub(crate) orders: Vec<Order>,
    interval: Micros,
    run: RunId,
    runs: RunId,
    log: Cadence,
    history: Cadence,
}

impl Inbox {
    pub(crate) fn new(interval: Micros) -> Self {
        Self {
            rows: VecDeque::with_capacity(ROW_CAPACITY),
            events: VecDeque::with_capacity(EVENT_CAPACITY),
            orders: Vec::new(),
            interval,
            run: NO_RUN,
            runs: NO_RUN,
            log: Cadence::default(),
            history: Cadence::default(),
        }
    }

    /// Takes a row when one is due; returns how many old ones had to go for it. Never allocates.
    pub(crate) fn offer(&mut self, row: &Row) -> u64 {
        let for_history = self.history.take(row.now, history::PERIOD);
        let for_run = self.run != NO_RUN && self.log.take(row.now, self.interval);
        if !for_history && !for_run {
            return 0;
        }
        let run = if for_run { self.run } else { NO_RUN };
        let mut dropped = 0;
        if self.rows.len() >= ROW_CAPACITY
            && let Some(oldest) = self.rows.pop_front()
        {
            // A lost sample of the history is no lost row.
            dropped = u64::from(oldest.run != NO_RUN);
        }
        self.rows.push_back(Offered { row: *row, run, for_history });
        dropped
    }

    /// When the next row is due.
    pub(crate) fn next_due(&self) -> Micros {
        if self.run == NO_RUN { self.history.next } else { self.history.next.min(self.log.next) }
    }

    /// Takes an event; `false` when there is no room. Never allocates.
    pub(crate) fn alarm(&mut self, event: AlarmEvent) -> bool {
        let room = self.events.len() < EVENT_CAPACITY;
        if room {
            self.events.push_back(event);
        }
        room
    }

    /// Begins a run unless one is under way.
    pub(crate) fn start_run(&mut self) {
        if self.run == NO_RUN {
            self.runs += 1;
            self.run = self.runs;
            self.log = Cadence::default();
            self.orders.push(Order::Start(self.run));
        }
    }

    /// Ends the run that is under way.
    pub(crate) fn stop_run(&mut self) {
        if self.run != NO_RUN {
            self.orders.push(Order::Stop(self.run));
            self.run = NO_RUN;
        }
    }

    pub(crate) const fn is_recording(&self) -> bool {
        self.run != NO_RUN
    }

    pub(crate) fn configure(&mut self, settings: LoggingSettings) {
        self.interval = settings.interval;
        self.log = Cadence::default();
        self.orders.push(Order::Configure(settings));
    }

    /// Exchanges what waits for the empty containers of `batch`, which keep their capacity.
    pub(crate) fn swap_into(&mut self, batch: &mut Batch) {
        std::mem::swap(&mut self.rows, &mut batch.rows);
        std::mem::swap(&mut self.events, &mut batch.events);
        std::mem::swap(&mut self.orders, &mut batch.orders);
    }
}

/// What the recorder thread takes at once; empty between two turns.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) rows: VecDeque<Offered>,
    pub(crate) events: VecDeque<AlarmEvent>,
    pub(crate) orders: Vec<Order>,
}

impl Batch {
    pub(crate) fn new() -> Self {
        Self {
            rows: VecDeque::with_capacity(ROW_CAPACITY),
            events: VecDeque::with_capacity(EVENT_CAPACITY),
            orders: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer_at(inbox: &mut Inbox, ms: u64) {
        inbox.offer(&Row { now: Micros::from_millis(ms), ..Row::default() });
    }

    fn taken(inbox: &Inbox) -> Vec<(u64, RunId, bool)> {
        inbox.rows.iter().map(|o| (o.row.now.get() / 1000, o.run, o.for_history)).collect()
    }

    #[test]
    fn rows_are_taken_at_the_interval_and_one_a_second_for_the_history() {
        let mut inbox = Inbox::new(Micros::from_millis(400));
        for ms in (0..1000).step_by(10) {
            offer_at(&mut inbox, ms);
        }
        assert_eq!(taken(&inbox), [(0, 0, true)], "nothing is recorded without a run");
        inbox.start_run();
        for ms in (1000..2010).step_by(10) {
            assert_eq!(
                inbox.next_due() <= Micros::from_millis(ms),
                [1000, 1400, 1800, 2000].contains(&ms)
            );
            offer_at(&mut inbox, ms);
        }
        assert_eq!(
            taken(&inbox)[1..],
            [(1000, 1, true), (1400, 1, false), (1800, 1, false), (2000, 0, true)]
        );
    }

    #[test]
    fn a_pause_is_not_caught_up() {
        let mut inbox = Inbox::new(Micros::from_millis(250));
        inbox.start_run();
        for ms in [0, 5000, 5010, 5250] {
            offer_at(&mut inbox, ms);
        }
        assert_eq!(taken(&inbox), [(0, 1, true), (5000, 1, true), (5250, 1, false)]);
    }

    #[test]
    fn starting_and_stopping_twice_is_once() {
        let mut inbox = Inbox::new(Micros::from_secs(1));
        inbox.stop_run();
        inbox.start_run();
        inbox.start_run();
        inbox.stop_run();
        inbox.stop_run();
        inbox.start_run();
        assert_eq!(inbox.orders, [Order::Start(1), Order::Stop(1), Order::Start(2)]);
    }

    #[test]
    fn a_full_inbox_never_grows_and_only_refuses_events() {
        let mut inbox = Inbox::new(Micros::from_millis(10));
        inbox.start_run();
        let rows = inbox.rows.capacity();
        let dropped: u64 = (0..ROW_CAPACITY as u64 + 5)
            .map(|i| inbox.offer(&Row { now: Micros::from_millis(i * 10), ..Row::default() }))
            .sum();
        assert_eq!((dropped, inbox.rows.capacity()), (5, rows));
        assert_eq!(inbox.rows[0].row.now, Micros::from_millis(50), "the oldest went");
        for id in 0..EVENT_CAPACITY as u64 {
            assert!(inbox.alarm(AlarmEvent::Cleared { id }));
        }
        assert!(!inbox.alarm(AlarmEvent::Cleared { id: 0 }), "an alarm is refused, never dropped");
    }
}
