//! Real-time scheduling of the calling thread: the few system calls, each with its reason.

use std::io;

/// Above every ordinary thread, below the kernel's own interrupt threads (50).
const PRIORITY: i32 = 40;

/// Asks for SCHED_FIFO for the calling thread and for pages that stay resident.
///
/// Pages are locked as they are touched (`MCL_ONFAULT`): locking all at once would make every
/// reserved stack resident.
///
/// # Errors
/// A sentence with the call that the system refused and what would allow it.
pub(crate) fn enter() -> Result<(), String> {
    use rustix::mm::{MlockAllFlags, mlockall};
    schedule_fifo().map_err(|e| {
        format!(
            "sched_setscheduler(SCHED_FIFO, {PRIORITY}) was refused: {e}; grant CAP_SYS_NICE or \
             LimitRTPRIO={PRIORITY}"
        )
    })?;
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT).map_err(|e| {
        format!("mlockall was refused: {e}; grant CAP_IPC_LOCK or LimitMEMLOCK=infinity")
    })
}

#[expect(unsafe_code, reason = "no safe binding of sched_setscheduler is among the dependencies")]
fn schedule_fifo() -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: PRIORITY };
    // SAFETY: 0 names the calling thread and `parameters` lives across the call.
    let result = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
