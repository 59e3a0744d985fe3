//! Precedence of the calling thread: the few system calls, each with its reason.
//!
//! Real-time scheduling is a privilege. Where it is not granted the threads of the loop ask for what
//! every thread may have, a short slice, and the threads of the front give way to them.

use rustix::mm::{MlockAllFlags, mlockall, munlockall};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// The control thread: above every ordinary thread, below the kernel's interrupt threads (50).
pub(crate) const CONTROL: i32 = 40;
/// The guard: above the control thread, which may be what hangs.
pub(crate) const GUARD: i32 = 41;

/// Nice value of a thread that gives way: a tenth of the weight of the others, so that it waits
/// until they have done a tick, and still answers on a processor that is busy with something else.
const GIVING_WAY: i32 = 10;

/// Slice of an ordinary thread that must run as soon as it wakes, ns: the shortest there is.
const SHORT_SLICE_NS: u64 = 100_000;

/// Gives the calling thread precedence over those that serve requests: SCHED_FIFO at `priority` and
/// resident pages where `realtime` is wanted and granted, else a short slice. Whether it is
/// real-time.
///
/// Pages are locked as they are touched (`MCL_ONFAULT`): locking all at once would make every
/// reserved stack resident.
///
/// # Errors
/// A sentence with the call that the system refused and what would allow it.
pub(crate) fn precede(priority: i32, realtime: bool) -> Result<bool, String> {
    if !realtime {
        shorten_slice();
        return Ok(false);
    }
    schedule_fifo(priority).map_err(|e| {
        shorten_slice();
        format!(
            "sched_setscheduler(SCHED_FIFO, {priority}) was refused: {e}; grant CAP_SYS_NICE or \
             LimitRTPRIO={GUARD}"
        )
    })?;
    lock_pages().map_err(|e| {
        format!("mlockall was refused: {e}; grant CAP_IPC_LOCK or LimitMEMLOCK=infinity")
    })?;
    PAGES_LOCKED.store(true, Ordering::Release);
    Ok(true)
}

/// Whether pages that were touched stay resident.
static PAGES_LOCKED: AtomicBool = AtomicBool::new(false);

fn lock_pages() -> rustix::io::Result<()> {
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)
}

/// Runs what gives pages back to the system, which takes none that are locked. They are unlocked for
/// the milliseconds that it takes.
pub fn with_pages_unlocked(work: impl FnOnce()) {
    let locked = PAGES_LOCKED.load(Ordering::Acquire);
    if locked && let Err(error) = munlockall() {
        tracing::warn!(%error, "pages cannot be unlocked, so that none are given back");
        return;
    }
    work();
    if locked && let Err(error) = lock_pages() {
        tracing::error!(%error, "pages cannot be locked again: the control loop may have to wait for them");
    }
}

/// Whether the system would make a thread real-time.
pub fn is_granted() -> bool {
    // A thread of its own takes the grant with it. One that cannot be had is not granted either.
    std::thread::Builder::new()
        .spawn(|| schedule_fifo(CONTROL).is_ok())
        .is_ok_and(|probe| probe.join().unwrap_or(false))
}

/// Makes the calling thread wait behind the others. Threads that it starts do so as well.
pub fn give_way() {
    // Nobody is refused to be nicer; if somebody is, the loop is as it was.
    let _ = rustix::process::setpriority_process(None, GIVING_WAY);
}

#[expect(unsafe_code, reason = "no safe binding of sched_setscheduler is among the dependencies")]
fn schedule_fifo(priority: i32) -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: priority };
    // SAFETY: 0 names the calling thread and `parameters` lives across the call.
    let result = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Asks for the shortest slice. From Linux 6.12 on, a thread that wakes with a shorter slice than the
/// one that runs takes the processor at once; older kernels ignore it.
#[expect(unsafe_code, reason = "no safe binding of sched_setattr is among the dependencies")]
fn shorten_slice() {
    let size = size_of::<libc::sched_attr>();
    let attributes = libc::sched_attr {
        size: size as u32,
        sched_policy: libc::SCHED_OTHER as u32,
        sched_flags: 0,
        sched_nice: rustix::process::getpriority_process(None).unwrap_or(0),
        sched_priority: 0,
        sched_runtime: SHORT_SLICE_NS,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: 0 names the calling thread, `attributes` lives across the call and says how long it is.
    // A kernel that refuses it leaves the thread as it was.
    unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
}
