//! What becomes of large blocks of memory.

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
