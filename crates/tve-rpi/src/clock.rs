//! The controller's time and heartbeat on threads that are not the controller's.
//!
//! *Board time* counts from the opening of the machine. The controller counts its own microseconds
//! from its first tick; samples must carry that time, so each tick notes how far apart the two are.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tve_units::Micros;

/// Without a tick for this long, every thread switches its own outputs off.
const DEAD_MAN: Duration = Duration::from_millis(500);

/// Shared by all threads of one machine.
#[derive(Debug)]
pub(crate) struct Clock {
    epoch: Instant,
    /// Controller time minus board time, µs; [`NEVER`] before the first tick.
    offset: AtomicI64,
    /// Board time of the newest tick, µs.
    beat: AtomicU64,
}

/// No offset that two clocks of one process can have.
const NEVER: i64 = i64::MIN;

impl Clock {
    pub(crate) fn new() -> Self {
        Self { epoch: Instant::now(), offset: AtomicI64::new(NEVER), beat: AtomicU64::new(0) }
    }

    /// Board time.
    pub(crate) fn now(&self) -> Micros {
        Micros::new(self.epoch.elapsed().as_micros() as u64)
    }

    /// A tick begins, and the controller calls this moment `now`.
    pub(crate) fn tick(&self, now: Micros) {
        let board = self.now().get();
        self.offset.store(now.get().wrapping_sub(board).cast_signed(), Ordering::Relaxed);
        self.beat.store(board, Ordering::Relaxed);
    }

    /// The controller is busy with something else than a tick and alive.
    pub(crate) fn keep_alive(&self) {
        self.beat.store(self.now().get(), Ordering::Relaxed);
    }

    /// What the controller calls a moment of board time; `None` before its first tick.
    pub(crate) fn controller_time(&self, board: Micros) -> Option<Micros> {
        let offset = self.offset.load(Ordering::Relaxed);
        (offset != NEVER).then(|| Micros::new(board.get().saturating_add_signed(offset)))
    }

    /// Nanoseconds since the machine was opened, for pulses.
    pub(crate) fn nanos(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }

    /// Whether a tick has come within the last 500 ms.
    pub(crate) fn is_ticking(&self) -> bool {
        let age = self.now().since(Micros::new(self.beat.load(Ordering::Relaxed)));
        Duration::from_micros(age.get()) < DEAD_MAN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_one_name_however_far_the_two_clocks_are_apart() {
        let long_ago = Instant::now().checked_sub(Duration::from_secs(100)).unwrap();
        for epoch in [Instant::now(), long_ago] {
            let clock = Clock { epoch, ..Clock::new() };
            assert_eq!(clock.controller_time(clock.now()), None, "no tick yet");
            let tick = Micros::from_secs(50);
            clock.tick(tick);
            let seen = clock.controller_time(clock.now()).unwrap();
            assert!(seen >= tick && seen.since(tick) < Micros::from_secs(20), "{seen:?}");
        }
    }

    #[test]
    fn a_heartbeat_half_a_second_old_is_none() {
        let epoch = Instant::now().checked_sub(DEAD_MAN).unwrap();
        let clock = Clock { epoch, ..Clock::new() };
        assert!(!clock.is_ticking());
        clock.tick(Micros::ZERO);
        assert!(clock.is_ticking());
    }
}
