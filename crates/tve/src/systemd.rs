//! What systemd and the service tell each other: readiness, the watchdog, an inherited socket.

use sd_notify::NotifyState;
use std::net::TcpListener;
use std::os::fd::FromRawFd as _;
use std::time::Duration;

fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}

/// The service answers. Nothing happens without a service manager; the same goes for the others.
pub(crate) fn ready() {
    tell(NotifyState::Ready);
}

/// The service is ending on purpose.
pub(crate) fn stopping() {
    tell(NotifyState::Stopping);
}

/// The control loop ticks.
pub(crate) fn feed_watchdog() {
    tell(NotifyState::Watchdog);
}

/// The period within which the watchdog wants to be fed.
pub(crate) fn watchdog_period() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

/// The listening socket that the service manager has opened for this process.
///
/// # Errors
/// When what it passed is no TCP listener.
pub(crate) fn inherited_listener() -> std::io::Result<Option<TcpListener>> {
    // Absent variables and those of another process both mean that there is none.
    let Some(fd) = sd_notify::listen_fds().ok().and_then(|mut fds| fds.next()) else {
        return Ok(None);
    };
    #[expect(unsafe_code, reason = "a descriptor that was inherited is a number and nothing else")]
    // SAFETY: LISTEN_PID names this process, which takes the descriptor once, at its start.
    let listener = unsafe { TcpListener::from_raw_fd(fd) };
    rustix::io::fcntl_setfd(&listener, rustix::io::FdFlags::CLOEXEC)?;
    listener.local_addr()?;
    listener.set_nonblocking(true)?;
    Ok(Some(listener))
}
