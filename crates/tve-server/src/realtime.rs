//! Real-time scheduling of the calling thread: the few system calls, each with its reason.

use std::io;

/// The control thread: above every ordinary thread, below the kernel's interrupt threads (50).
pub(crate) const CONTROL: i32 = 40;
/// The guard: above the control thread, which may be what hangs.
pub(crate) const GUARD: i32 = 41;

/// Asks for SCHED_FIFO at `priority` for the calling thread and for pages that stay resident.
///
/// Pages are locked as they are touched (`MCL_ONFAULT`): locking all at once would make every
/// reserved stack resident.
///
/// # Errors
/// A sentence with the call that the system refused and what would allow it.
pub(crate) fn enter(priority: i32) -> Result<(), String> {
    use rustix::mm::{MlockAllFlags, mlockall};
    schedule_fifo(priority).map_err(|e| {
        format!(
            "sched_setscheduler(SCHED_FIFO, {priority}) was refused: {e}; grant CAP_SYS_NICE or \
             LimitRTPRIO={GUARD}"
        )
    })?;
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT).map_err(|e| {
        format!("mlockall was refused: {e}; grant CAP_IPC_LOCK or LimitMEMLOCK=infinity")
    })
}

#[expect(unsafe_code, reason = "no safe binding of sched_setscheduler is among the dependencies")]
fn schedule_fifo(priority: i32) -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: priority };
    // SAFETY: 0 names the calling thread and `parameters` lives across the call.
    let result = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
