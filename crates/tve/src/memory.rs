//! What becomes of memory that is not used any more.

use std::time::Duration;
use tve_runtime::realtime;

/// Blocks of this size and more are mapped one by one and go back to the system when freed, bytes.
const MAPPED_FROM: libc::c_int = 256 * 1024;

/// Keeps glibc from raising its threshold to the largest block that was ever freed. A password hash
/// takes some 20 MiB for a moment; from the second one on they would come from the arenas of their
/// threads, which keep them.
#[expect(unsafe_code, reason = "no safe binding of mallopt is among the dependencies")]
pub(crate) fn give_large_blocks_back() {
    // SAFETY: sets a number of the allocator, before any thread is started. It fails for an unknown
    // parameter alone, and this one is as old as the allocator.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_FROM);
    }
}

/// Resident memory above which it is worth while to look for what is free, bytes. The service takes
/// some 12 MiB, and 18 with a day of history.
const WORTH_TRIMMING: u64 = 20 * 1024 * 1024;

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Looks that are left out after one that found nothing to give back: what is there is in use. A minute
/// after a flood everything must be given back.
const REST: u32 = 2;

/// Gives memory back to the system, some seconds after it has become free: the allocator keeps what
/// thousands of connections have left behind, for thousands to come.
pub(crate) fn give_back_what_is_free() {
    let look = || {
        let mut rest = 0_u32;
        loop {
            std::thread::sleep(LOOK_EVERY);
            let before = resident();
            rest = rest.saturating_sub(1);
            if before > WORTH_TRIMMING && rest == 0 {
                realtime::with_pages_unlocked(trim);
                if resident() > before - before / 10 {
                    rest = REST;
                }
            }
        }
    };
    // Without the thread nothing is given back, and nothing else is missing.
    let _ = std::thread::Builder::new().name("memory".into()).stack_size(STACK).spawn(look);
}

/// Stack of the thread, bytes.
const STACK: usize = 64 * 1024;

#[expect(unsafe_code, reason = "no safe binding of malloc_trim is among the dependencies")]
fn trim() {
    // SAFETY: looks at the allocator's own lists under their locks.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Resident memory of this process, bytes; 0 where the system does not tell.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}
