//! A timer for tasks that is as exact as the kernel's timers.
//!
//! The timer of the asynchronous runtime has a resolution of a millisecond: at a low rate it would be
//! the largest part of what is measured. A thread that sleeps instead has to wake another one.

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Instant;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A timer, for one task at a time. Where the system gives no timer it is as exact as the
/// runtime's, which the generator's lag then tells.
#[derive(Debug)]
pub(crate) struct DeadlineTimer(Option<AsyncFd<OwnedFd>>);

impl DeadlineTimer {
    /// A timer for the runtime it is made in.
    pub(crate) fn new() -> Self {
        Self(timer().ok())
    }

    /// Sleeps until `due`.
    pub(crate) async fn until(&self, due: Instant) {
        match &self.0 {
            Some(timer) if ring(timer, due).await.is_ok() => {}
            _ => tokio::time::sleep_until(due.into()).await,
        }
    }
}

/// A timer of the kernel.
///
/// # Errors
/// The limit of descriptors is reached.
#[expect(unsafe_code, reason = "the runtime takes a descriptor only from who vouches for it")]
fn timer() -> io::Result<AsyncFd<OwnedFd>> {
    let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
    let clock = timerfd_create(TimerfdClockId::Monotonic, flags)?;
    // SAFETY: an owned descriptor is open, and one and the same, for as long as it exists; it is
    // handed over and lent to nobody who could close it.
    Ok(unsafe { AsyncFd::register_with_interest(clock, Interest::READABLE)? })
}

/// Waits until `timer` has rung at `due`.
///
/// # Errors
/// The kernel refuses, which it does not do to a timer of its own.
async fn ring(timer: &AsyncFd<OwnedFd>, due: Instant) -> io::Result<()> {
    let left = due.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Ok(());
    }
    let it_value = Timespec::try_from(left).map_err(io::Error::other)?;
    let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
    let once = Itimerspec { it_interval, it_value };
    timerfd_settime(timer, TimerfdTimerFlags::empty(), &once)?;
    let read = |clock: &OwnedFd| Ok(rustix::io::read(clock, &mut [0; 8])?);
    timer.async_io(Interest::READABLE, read).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn it_rings_each_time_and_never_early() {
        let timer = DeadlineTimer::new();
        assert!(timer.0.is_some(), "the system gives a timer");
        let begin = Instant::now();
        for ms in [3, 9, 9, 5, 20] {
            let due = begin + Duration::from_millis(ms);
            timer.until(due).await;
            assert!(Instant::now() >= due, "{ms} ms: too early");
        }
    }

    #[tokio::test]
    async fn one_that_was_given_up_can_be_set_again() {
        let timer = DeadlineTimer::new();
        assert!(timer.0.is_some(), "the system gives a timer");
        // Later than a machine that does something else comes back to this thread.
        let soon = Instant::now() + Duration::from_millis(200);
        let given_up = tokio::time::timeout(Duration::ZERO, timer.until(soon)).await;
        assert!(given_up.is_err(), "it does not sleep");
        // The first deadline is due before the second is set, and must not end it.
        std::thread::sleep(Duration::from_millis(210));
        let due = Instant::now() + Duration::from_millis(10);
        timer.until(due).await;
        assert!(Instant::now() >= due, "it was woken by the deadline that was given up");
    }
}
